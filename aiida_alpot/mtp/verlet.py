# SPDX-License-Identifier: MIT
"""A neighbour list with a skin, used again until atoms or cell have moved too far.

The list holds all pairs nearer than cutoff + skin in the structure it was made for. With F the map
of that cell to the present one and d_i the displacement of atom i beyond it, r_i = r0_i F + d_i, a
pair that is not in the list has a distance of at least sigma_min(F) (cutoff + skin) - 2 max |d_i|,
sigma_min the smallest singular value. As long as that is not below the cutoff no pair is missing.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell

from aiida_alpot.mtp.kernels.pairs import update_vectors
from aiida_alpot.neighbors import NeighborList, PairMemory, neighbor_list

Array = np.ndarray


class VerletList:
    """Neighbours of a moving structure.

    Parameters
    ----------
    cutoff : float
        All pairs nearer than this are listed, A.
    skin : float
        Further pairs up to cutoff + skin are listed as well; 0 makes a new list for every change.
    """

    def __init__(self, cutoff: float, skin: float) -> None:
        self.cutoff = cutoff
        self.skin = skin
        self.n_builds = 0
        self._pairs = PairMemory().as_list(0)
        self._atoms = Atoms()
        self._positions = np.zeros((0, 3))
        self._cells = np.zeros((1, 3, 3))
        self._smallest_squares: list[float] = []

    @property
    def smallest_distance(self) -> float:
        """Smallest distance of the pairs that were given since the last update, A."""
        return float(np.sqrt(min(self._smallest_squares, default=np.inf)))

    @property
    def reference(self) -> Atoms:
        """The structure that the list was made for; not to be changed."""
        return self._atoms

    def update(self, atoms: Atoms) -> None:
        """Follow the atoms; the list is made anew only if a pair could be missing.

        Raises
        ------
        GeometryError
            If a position or the cell is not finite.
        """
        if not self._covers(atoms):
            self._pairs = neighbor_list(atoms, self.cutoff + self.skin)
            self._atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            self.n_builds += 1
        self._positions = np.ascontiguousarray(atoms.positions)
        self._cells = np.ascontiguousarray(atoms.cell.array)[None]
        self._smallest_squares = []

    def forget(self) -> None:
        """Make the list anew at the next update: what was listed before shall leave no trace."""
        self._atoms = Atoms()

    def rows(self, start: int, stop: int, memory: PairMemory) -> NeighborList:
        """Return the list with the present vectors of the atoms from ``start`` to ``stop``.

        They are overwritten after the next update. ``memory`` is not needed.
        """
        pairs = self._pairs
        smallest = update_vectors(
            start,
            stop,
            self._positions,
            self._cells,
            pairs.first,
            pairs.neighbor,
            pairs.shifts,
            pairs.vectors,
        )
        self._smallest_squares.append(smallest)
        return NeighborList(
            pairs.first, pairs.neighbor, pairs.vectors, pairs.shifts, float(np.sqrt(smallest))
        )

    def _covers(self, atoms: Atoms) -> bool:
        """Whether the list holds every pair of ``atoms`` within the cutoff; False where NaN."""
        old = self._atoms
        if len(atoms) != len(old) or atoms.pbc.tolist() != old.pbc.tolist():
            return False
        if atoms.cell.array.tolist() == old.cell.array.tolist():
            shrink, mapped = 1.0, old.positions
        elif not np.isfinite(atoms.cell.array).all():
            return False
        else:
            # any completion is right; that of ASE is what set_cell(scale_atoms=True) moves atoms by
            deformation = np.linalg.solve(
                complete_cell(np.where(old.pbc[:, None], old.cell.array, 0.0)),
                complete_cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)),
            )
            shrink = float(np.linalg.svd(deformation, compute_uv=False)[-1])
            mapped = old.positions @ deformation
        displacement = atoms.positions - mapped
        displacement *= displacement
        farthest = math.sqrt(displacement.sum(axis=1).max(initial=0.0))
        return bool(shrink * (self.cutoff + self.skin) - 2.0 * farthest >= self.cutoff)
