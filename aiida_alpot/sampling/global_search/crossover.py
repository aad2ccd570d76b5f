# SPDX-License-Identifier: MIT
"""Children of two parents, by cut and splice (Deaven and Ho, Phys. Rev. Lett. 75, 288 (1995)).

Of each species, the atoms below a plane come from one parent and the rest, those highest above it,
from the other, so that the composition is that of the parents whatever the cut.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from scipy.spatial.transform import Rotation

from aiida_alpot.sampling.structures.pair_limits import PairLimits
from aiida_alpot.sampling.structures.pushing_apart import push_apart

Array = np.ndarray


def cross_crystals(
    first: Atoms, second: Atoms, limits: PairLimits, rng: np.random.Generator
) -> Atoms | None:
    """Return a child of two crystals, or None if its atoms find no room.

    Both are shifted at random and cut across a random axis of their cells, at 0.25 to 0.75 of it.
    The cell is that of one parent, more likely of the one that gives more atoms, with axes matched
    cyclically; its volume lies between those of both.
    """
    share = rng.uniform(0.25, 0.75)
    axes = rng.permutation(3)
    turn = int(rng.integers(3))
    lower = _shifted(first, rng)[:, axes]
    upper = _shifted(second, rng)[:, np.roll(axes, turn)]
    chosen, fractional = _splice(first, second, lower, upper, share)
    if rng.random() < share:
        vectors = first.cell.array[axes]
    else:
        vectors = second.cell.array[np.roll(axes, turn)]
    volume = share * first.get_volume() + (1 - share) * second.get_volume()
    vectors = vectors * (volume / abs(np.linalg.det(vectors))) ** (1 / 3)
    child = Atoms(numbers=chosen, cell=vectors, scaled_positions=fractional, pbc=True)
    return child if push_apart(child, limits) else None


def cross_clusters(
    first: Atoms, second: Atoms, limits: PairLimits, rng: np.random.Generator
) -> Atoms | None:
    """Return a child of two free clusters, turned at random and cut across their middles."""
    share = rng.uniform(0.25, 0.75)
    lower, upper = _turned(first, rng), _turned(second, rng)
    chosen, positions = _splice(first, second, lower, upper, share)
    child = Atoms(numbers=chosen, positions=positions, cell=first.cell, pbc=False)
    child.positions += first.cell.array.sum(axis=0) / 2 - child.positions.mean(axis=0)
    return child if push_apart(child, limits) else None


def _splice(
    first: Atoms, second: Atoms, lower: Array, upper: Array, share: float
) -> tuple[Array, Array]:
    """Join the atoms of ``first`` below the cut with as many of ``second`` as are lacking.

    The cut is at the height of ``share`` of the atoms, along the last coordinate.
    """
    numbers, positions = [], []
    n_below = np.clip(round(share * len(first)), 1, len(first) - 1)
    below = np.zeros(len(first), dtype=bool)
    below[np.argsort(lower[:, 2], kind="stable")[:n_below]] = True
    for number in np.unique(first.numbers):
        taken = lower[below & (first.numbers == number)]
        others = upper[second.numbers == number]
        others = others[np.argsort(others[:, 2], kind="stable")[len(taken) :]]
        positions += [taken, others]
        numbers += [number] * (len(taken) + len(others))
    return np.array(numbers), np.vstack(positions)


def _shifted(atoms: Atoms, rng: np.random.Generator) -> Array:
    shifted: Array = (atoms.get_scaled_positions() + rng.random(3)) % 1.0
    return shifted


def _turned(atoms: Atoms, rng: np.random.Generator) -> Array:
    centred = atoms.positions - atoms.positions.mean(axis=0)
    turned: Array = Rotation.random(rng=rng).apply(centred)
    return turned
