# SPDX-License-Identifier: MIT
"""Two atoms of a structure pushed together: whether a core repels all the way in.

Between the outer and the inner radius of a core the radial functions fade out below the data that
they were trained on. A hollow in the energy there is a place where colliding atoms would stick
together. It is looked for in structures of the training set: a dimer in vacuum is far from anything
that the potential of a crystal knows, also at distances that are common in the crystal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.zbl import CorePair
from aiida_alpot.neighbors import batch_neighbor_list

Array = np.ndarray
SHALLOW = 0.1
"""Depth in eV that does not count, small beside the energies of collisions."""
_CLOSEST = 0.2  # A
_POINTS = 100


class ClosestPair(NamedTuple):
    """The nearest two atoms of two species in a set."""

    configuration: int
    first: int
    second: int
    vector: Array
    """From the first to the nearest image of the second, Angstrom."""


class Hollow(NamedTuple):
    """Where pushing two atoms together sets energy free."""

    pair: CorePair
    distance: float
    """Of the lowest point, Angstrom."""
    depth: float
    """Of the lowest point below the energy farther out, eV."""


def find_hollows(
    potential: MomentTensorPotential, configurations: Configurations
) -> tuple[Hollow, ...]:
    """Push the closest atoms of each pair of species together, and return where that is easy.

    Parameters
    ----------
    potential : MomentTensorPotential
        One without a core has no hollows to look for.
    configurations : Configurations
        Structures like those of the training set; pairs that do not occur are left out.
    """
    if potential.core is None:
        return ()
    found = []
    for pair in potential.core.pairs:
        closest = closest_pair(configurations, pair, potential.cutoff)
        if closest is None:
            continue
        atoms = configurations.atoms(closest.configuration)
        distances = np.linspace(_CLOSEST, float(np.linalg.norm(closest.vector)), _POINTS)
        energies = compression_curve(potential, atoms, closest, distances)
        depths = np.maximum.accumulate(energies[::-1])[::-1] - energies
        lowest = int(np.argmax(depths))
        if depths[lowest] > SHALLOW:
            found.append(Hollow(pair, float(distances[lowest]), float(depths[lowest])))
    return tuple(found)


def compression_curve(
    potential: MomentTensorPotential, atoms: Atoms, closest: ClosestPair, distances: Array
) -> Array:
    """Return the energy of a structure with two atoms moved to each of ``distances``, eV.

    Both move along the line between them, its centre and all other atoms stay.
    """
    direction = closest.vector / np.linalg.norm(closest.vector)
    structures = []
    for distance in distances:
        moved = atoms.copy()
        shift = 0.5 * (closest.vector - distance * direction)
        moved.positions[closest.first] += shift
        moved.positions[closest.second] -= shift
        structures.append(moved)
    energies: Array = evaluate(potential, Configurations.from_atoms(structures)).energy
    return energies


def closest_pair(
    configurations: Configurations, pair: CorePair, cutoff: float
) -> ClosestPair | None:
    """Return the nearest two different atoms of two species, or None within ``cutoff``."""
    best, smallest = None, np.inf
    for index, distance, found in _pairs_of(configurations, pair, cutoff):
        if distance < smallest:
            best, smallest = ClosestPair(index, *found), distance
    return best


def _pairs_of(
    configurations: Configurations, pair: CorePair, cutoff: float
) -> Iterator[tuple[int, float, tuple[int, int, Array]]]:
    """Yield the nearest two atoms of each configuration."""
    from ase.data import atomic_numbers

    wanted = atomic_numbers[pair.first], atomic_numbers[pair.second]
    for index in range(len(configurations)):
        one = configurations.select([index])
        pairs = batch_neighbor_list(one, cutoff)
        first = pairs.owner
        is_of_pair = (one.numbers[first] == wanted[0]) & (one.numbers[pairs.neighbor] == wanted[1])
        chosen = np.flatnonzero(is_of_pair & (first != pairs.neighbor))
        if not len(chosen):
            continue
        vectors = np.asarray(pairs.vectors)[chosen]
        distances = np.linalg.norm(vectors, axis=1)
        nearest = int(np.argmin(distances))
        row = chosen[nearest]
        found = int(first[row]), int(pairs.neighbor[row]), vectors[nearest]
        yield index, float(distances[nearest]), found
