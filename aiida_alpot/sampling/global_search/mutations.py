# SPDX-License-Identifier: MIT
"""Mutations of a structure in a search: strains, displacements, exchanges of atoms.

The sizes are the usual ones of MAISE: 0.15 of the cell, 0.15 of the distance of neighbours.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from aiida_alpot.sampling.structures.pair_limits import PairLimits
from aiida_alpot.sampling.structures.pushing_apart import push_apart
from aiida_alpot.sampling.structures.strains import deform

STRAIN = 0.15
DISPLACEMENT = 0.15
RESCALING = 0.05


def mutate(atoms: Atoms, limits: PairLimits, rng: np.random.Generator) -> Atoms | None:
    """Return a mutated copy, or None if its atoms find no room.

    One of the mutations that the structure can have is drawn, and another one follows every other
    time.
    """
    possible = [displace_all]
    if atoms.pbc.all():
        possible.append(strain_cell)
    if len(np.unique(atoms.numbers)) > 1:
        possible.append(exchange)
    made = atoms.copy()
    count = 1 + int(rng.random() < 0.5)
    for index in rng.permutation(len(possible))[:count]:
        possible[index](made, rng)
    return made if push_apart(made, limits) else None


def strain_cell(atoms: Atoms, rng: np.random.Generator) -> None:
    """Strain the cell by up to 0.15 (shears half as much), and rescale it by up to 5 %."""
    strain = np.diag(1 + STRAIN * rng.uniform(-1, 1, 3))
    shears = STRAIN / 2 * rng.uniform(-1, 1, 3)
    for (i, j), shear in zip(((0, 1), (0, 2), (1, 2)), shears, strict=True):
        strain[i, j] = strain[j, i] = shear
    deform(atoms, strain * (1 + RESCALING * rng.uniform(-1, 1)))


def displace_all(atoms: Atoms, rng: np.random.Generator) -> None:
    """Displace each coordinate by up to 0.15 of the distance of touching atoms of its species."""
    reach = DISPLACEMENT * 2 * covalent_radii[atoms.numbers]
    atoms.positions += reach[:, None] * rng.uniform(-1, 1, (len(atoms), 3))


def exchange(atoms: Atoms, rng: np.random.Generator) -> None:
    """Exchange unlike atoms, one pair to a quarter of the atoms."""
    before = atoms.numbers.copy()
    while (atoms.numbers == before).all():  # exchanges can undo one another
        for _ in range(int(rng.integers(1, max(1, len(atoms) // 4) + 1))):
            first = int(rng.integers(len(atoms)))
            unlike = np.flatnonzero(atoms.numbers != atoms.numbers[first])
            second = int(rng.choice(unlike))
            atoms.numbers[[first, second]] = atoms.numbers[[second, first]]
