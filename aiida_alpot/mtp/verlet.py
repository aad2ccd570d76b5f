# SPDX-License-Identifier: MIT
"""A neighbour list with a skin, used again until atoms or cell have moved too far.

The list holds all pairs nearer than cutoff + skin in the structure it was made for. With F the map
of that cell to the present one and d_i the displacement of atom i beyond it, r_i = r0_i F + d_i, a
pair that is not in the list has a distance of at least sigma_min(F) (cutoff + skin) - 2 max |d_i|,
sigma_min the smallest singular value. As long as that is not below the cutoff no pair is missing.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell

from aiida_alpot.mtp.kernels.pairs import update_vectors
from aiida_alpot.neighbors import NeighborList, neighbor_list

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
        self.smallest_distance = np.inf
        """Of the last structure, A."""
        self._pairs: NeighborList | None = None
        self._atoms = Atoms()

    def update(self, atoms: Atoms) -> NeighborList:
        """Return the pairs of ``atoms`` with their present vectors.

        The vectors of the list that is returned are overwritten by the next call.

        Raises
        ------
        GeometryError
            If a position or the cell is not finite.
        """
        if self._pairs is None or not self._covers(atoms):
            pairs = neighbor_list(atoms, self.cutoff + self.skin)
            self._pairs = dataclasses.replace(pairs, vectors=np.ascontiguousarray(pairs.vectors))
            self._atoms = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            self.n_builds += 1
        pairs = self._pairs
        self.smallest_distance = float(
            np.sqrt(
                update_vectors(
                    np.ascontiguousarray(atoms.positions),
                    np.ascontiguousarray(atoms.cell.array),
                    pairs.first,
                    pairs.neighbor,
                    pairs.shifts,
                    pairs.vectors,
                )
            )
        )
        return pairs

    def _covers(self, atoms: Atoms) -> bool:
        """Whether the list holds every pair of ``atoms`` within the cutoff; False where NaN."""
        old = self._atoms
        if len(atoms) != len(old) or (atoms.pbc != old.pbc).any():
            return False
        if np.array_equal(atoms.cell.array, old.cell.array):
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
        farthest = np.sqrt(np.einsum("ia,ia->i", displacement, displacement).max(initial=0.0))
        return bool(shrink * (self.cutoff + self.skin) - 2.0 * farthest >= self.cutoff)
