# SPDX-License-Identifier: MIT
"""Slabs and clusters cut out of a crystal."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import surface

from aiida_alpot.sampling.structures.random_cells import widths

Miller = tuple[int, int, int]


def cut_slab(
    atoms: Atoms, indices: Miller, *, thickness: float, vacuum: float, rng: np.random.Generator
) -> Atoms:
    """Return a slab at least ``thickness`` thick with ``vacuum`` between its images, Angstrom.

    Miller indices count in the cell of ``atoms``. Where the crystal is cut, and so which atoms end
    it, is drawn at random. The slab repeats along all three vectors, the third of which crosses it.
    """
    shifted = atoms.copy()
    shifted.positions += rng.random(3) @ atoms.cell.array
    shifted.wrap()
    one = surface(shifted, indices, layers=1, periodic=True)
    spacing = abs(np.linalg.det(one.cell)) / np.linalg.norm(np.cross(one.cell[0], one.cell[1]))
    layers = max(1, int(np.ceil(thickness / spacing - 1e-6)))
    slab: Atoms = surface(shifted, indices, layers=layers, periodic=True)
    slab.center(vacuum=vacuum / 2, axis=2)
    return slab


def cut_cluster(atoms: Atoms, n_atoms: int, *, vacuum: float, rng: np.random.Generator) -> Atoms:
    """Return the ``n_atoms`` atoms of a crystal nearest to a random point, as a free cluster.

    Its box reaches ``vacuum`` beyond it, Angstrom.
    """
    # a ball of twice the radius that the atoms need fits into the block, wherever its centre is
    volume = abs(np.linalg.det(atoms.cell)) / len(atoms)
    radius = 2 * (3 * volume * n_atoms / (4 * np.pi)) ** (1 / 3)
    repeat = np.ceil(2 * radius / widths(atoms.cell.array)).astype(int) + 1
    block = atoms.repeat(repeat.tolist())
    centre = (0.5 * repeat + rng.random(3) - 0.5) @ atoms.cell.array
    nearest = np.argsort(np.linalg.norm(block.positions - centre, axis=1), kind="stable")
    cluster: Atoms = block[np.sort(nearest[:n_atoms])]
    cluster.pbc = False
    cluster.set_cell(np.eye(3))  # so that its box is a box
    cluster.center(vacuum=vacuum)
    return cluster
