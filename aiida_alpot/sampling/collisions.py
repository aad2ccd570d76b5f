# SPDX-License-Identifier: MIT
"""Notice colliding atoms at next to no cost per step.

The pairs within a search radius R are listed once; while no atom has moved far, no pair can have
come too near. With F the affine deformation of the cell since the list was made, s the smallest
singular value of F, and u the largest displacement beyond F, every pair that was at distance d is
now at s d - 2 u or more. The list is made again only when that bound no longer excludes a
collision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from aiida_alpot.neighbors import neighbor_list

SKIN = 1.5
"""How much wider than the largest collision distance pairs are searched, in Angstrom."""


class Collision(NamedTuple):
    """Two atoms nearer than allowed; distances in Angstrom."""

    first: int
    second: int
    distance: float
    allowed: float


class CollisionWatch:
    """Look for colliding atoms along one chain.

    Parameters
    ----------
    distance : float or None
        Smallest distance allowed, in Angstrom; half the sum of the covalent radii of the pair by
        default, and at least ``floor``.
    floor : float
        Distance below which nobody knows what the calculator returns, Angstrom.
    """

    def __init__(self, distance: float | None = None, *, floor: float = 0.0) -> None:
        self._distance = distance
        self._floor = floor
        self._numbers: np.ndarray | None = None
        self._positions: np.ndarray | None = None
        self._cell = np.zeros((3, 3))
        self._inverse_cell: np.ndarray | None = None
        self._smallest_margin = 0.0
        self._largest_allowed = 0.0

    def find(self, atoms: Atoms) -> Collision | None:
        """Return the pair that violates its distance most, or None."""
        if self._is_listed(atoms) and self._cannot_collide(atoms):
            return None
        return self._search(atoms)

    def _is_listed(self, atoms: Atoms) -> bool:
        """Return whether the remembered pairs are those of these atoms, kind by kind."""
        return self._numbers is not None and np.array_equal(self._numbers, atoms.numbers)

    def _cannot_collide(self, atoms: Atoms) -> bool:
        positions = atoms.arrays["positions"]
        cell = atoms.cell.array
        reference = self._positions
        assert reference is not None
        stretch = 1.0
        if not np.array_equal(cell, self._cell):
            if self._inverse_cell is None:
                return False
            deformation = self._inverse_cell @ cell
            reference = reference @ deformation
            stretch = float(np.linalg.svd(deformation, compute_uv=False)[-1])
        moved = positions - reference
        farthest = float(np.einsum("ij,ij->i", moved, moved).max()) ** 0.5
        # s d - 2 u > allowed for every pair, where d >= allowed + margin
        allowed = self._largest_allowed
        margin = stretch * self._smallest_margin - (1 - min(stretch, 1)) * allowed
        return bool(margin > 2 * farthest)

    def _search(self, atoms: Atoms) -> Collision | None:
        radii = covalent_radii[atoms.numbers]
        fixed = self._distance
        self._largest_allowed = max(float(radii.max()), self._floor) if fixed is None else fixed
        radius = self._largest_allowed + SKIN
        pairs = neighbor_list(atoms, radius)
        first = pairs.owner
        distances = np.linalg.norm(pairs.vectors, axis=1)
        if fixed is None:
            allowed = np.maximum((radii[first] + radii[pairs.neighbor]) / 2, self._floor)
        else:
            allowed = np.full(len(distances), fixed)
        margins = distances - allowed
        self._remember(atoms, float(margins.min(initial=SKIN)))
        if self._smallest_margin >= 0:
            return None
        worst = int(np.argmin(margins))
        return Collision(
            int(first[worst]),
            int(pairs.neighbor[worst]),
            float(distances[worst]),
            float(allowed[worst]),
        )

    def _remember(self, atoms: Atoms, margin: float) -> None:
        self._smallest_margin = margin
        self._numbers = atoms.numbers.copy()
        self._positions = atoms.get_positions()
        self._cell = atoms.cell.array.copy()
        has_volume = abs(np.linalg.det(self._cell)) > 1e-9
        self._inverse_cell = np.linalg.inv(self._cell) if has_volume else None
