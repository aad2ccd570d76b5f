# SPDX-License-Identifier: MIT
"""Structures with other atoms than their parent, or with atoms elsewhere.

Each function returns a new structure, or None where this draw leads to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from aiida_alpot.sampling.structures.pair_limits import PairLimits, Placement
from aiida_alpot.sampling.structures.pushing_apart import push_apart

_PLACES = 200


def substitute(
    atoms: Atoms, share: float, species: Sequence[str], rng: np.random.Generator
) -> Atoms:
    """Turn atoms into another of the species, each with probability ``share``.

    Atoms of a species that is not among them stay.
    """
    made = atoms.copy()
    symbols = np.array(made.get_chemical_symbols(), dtype="<U2")
    for index in np.flatnonzero(rng.random(len(made)) < share):
        others = [one for one in species if one != symbols[index]]
        if symbols[index] in species and others:
            symbols[index] = rng.choice(others)
    made.set_chemical_symbols(symbols.tolist())
    return made


def delete(atoms: Atoms, share: float, rng: np.random.Generator) -> Atoms | None:
    """Delete each atom with probability ``share``; None if none is left."""
    kept = rng.random(len(atoms)) >= share
    return atoms[kept] if kept.any() else None


def take_out(atoms: Atoms, count: int, rng: np.random.Generator) -> Atoms | None:
    """Leave ``count`` vacancies at random sites; None if no atom is left."""
    if count >= len(atoms):
        return None
    return atoms[np.sort(rng.permutation(len(atoms))[count:])]


def put_between(
    atoms: Atoms,
    count: int,
    species: Sequence[str],
    limits: PairLimits,
    rng: np.random.Generator,
) -> Atoms | None:
    """Put interstitials of random species at random places; None if there is no room.

    Where no place is free they take the widest of many and push their neighbours away.
    """
    symbols = rng.choice(list(species), size=count).tolist()
    numbers = np.array([atomic_numbers[one] for one in symbols])
    everything = np.concatenate([atoms.numbers, numbers])
    placement = Placement(atoms.cell.array, atoms.pbc, limits, everything)
    placement.positions, placement.numbers = atoms.get_positions(), atoms.numbers.copy()
    for number in numbers.tolist():
        placement.place_at_random(number, rng, tries=_PLACES, force=True)
    made = atoms + Atoms(numbers=numbers, positions=placement.positions[len(atoms) :])
    return made if push_apart(made, limits) else None


def displace(
    atoms: Atoms, deviation: float, limits: PairLimits, rng: np.random.Generator, *, tries: int
) -> Atoms | None:
    """Displace each coordinate by a Gaussian of standard deviation ``deviation``, Angstrom.

    Atoms are displaced in random order; one that comes too near to an atom displaced before draws
    again. None if an atom finds no place in so many tries.
    """
    placement = Placement(atoms.cell.array, atoms.pbc, limits, atoms.numbers)
    order = rng.permutation(len(atoms))
    for index in order:
        site, number = atoms.positions[index], int(atoms.numbers[index])
        if not placement.place_near(site, number, deviation, rng, tries=tries):
            return None
    made = atoms.copy()
    made.positions[order] = placement.positions
    return made
