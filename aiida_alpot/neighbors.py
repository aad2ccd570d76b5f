# SPDX-License-Identifier: MIT
"""Full neighbour lists, for one structure or for many at once.

The pairs come from `vesin`; here they are sorted by (atom, neighbour, image), so that sums over
neighbours are done in the same order whatever the age of the list, and laid out so that the pairs of
atom ``i`` are the rows ``first[i]:first[i + 1]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from vesin import NeighborList as VesinNeighborList

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError

Array = np.ndarray


@dataclass(frozen=True)
class NeighborList:
    """Neighbours of every atom within a cutoff; an atom sees its own periodic images.

    Parameters
    ----------
    first : (n_atoms + 1,) int64
        First pair of each atom.
    neighbor : (n_pairs,) int32
        Index of the neighbour; in a batch it counts through all configurations.
    vectors : (n_pairs, 3) float64
        From the atom to its neighbour, Angstrom.
    shifts : (n_pairs, 3) int32
        Cell translation of the neighbour.
    """

    first: Array
    neighbor: Array
    vectors: Array
    shifts: Array

    @property
    def n_atoms(self) -> int:
        return len(self.first) - 1

    @property
    def n_pairs(self) -> int:
        return len(self.neighbor)

    @property
    def largest_count(self) -> int:
        """Number of neighbours of the atom that has most."""
        return int(np.diff(self.first).max(initial=0))


def neighbor_list(atoms: Atoms, cutoff: float) -> NeighborList:
    """Return all pairs nearer than ``cutoff``, in Angstrom.

    Raises
    ------
    GeometryError
        If a position or the cell is not finite.
    """
    return _list_pairs(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)


def batch_neighbor_list(configurations: Configurations, cutoff: float) -> NeighborList:
    """Return the neighbour lists of all configurations joined into one.

    Atoms count through all configurations, as in the flat arrays of ``Configurations``.
    """
    parts = []
    for index in range(len(configurations)):
        rows = configurations.atoms_slice(index)
        parts.append(
            _list_pairs(
                configurations.positions[rows],
                configurations.cells[index],
                configurations.pbc[index],
                cutoff,
            )
        )
    if not parts:
        return NeighborList(
            np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 3)), np.zeros((0, 3), np.int32)
        )
    pairs_before = np.cumsum([0] + [part.n_pairs for part in parts])
    first = [part.first[:-1] + before for part, before in zip(parts, pairs_before, strict=False)]
    neighbor = [
        part.neighbor + np.int32(start)
        for part, start in zip(parts, configurations.offsets, strict=False)
    ]
    return NeighborList(
        np.concatenate([*first, pairs_before[-1:]]).astype(np.int64),
        np.concatenate(neighbor).astype(np.int32),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.shifts for part in parts]),
    )


def minimum_distance(atoms: Atoms, below: float) -> tuple[float, int, int] | None:
    """Return the smallest distance under ``below`` with its two atoms, or None if there is none."""
    pairs = neighbor_list(atoms, below)
    if pairs.n_pairs == 0:
        return None
    distances = np.linalg.norm(pairs.vectors, axis=1)
    closest = int(np.argmin(distances))
    atom = int(np.searchsorted(pairs.first, closest, side="right") - 1)
    return float(distances[closest]), atom, int(pairs.neighbor[closest])


def _list_pairs(positions: Array, cell: Array, pbc: Array, cutoff: float) -> NeighborList:
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise GeometryError("A position or the cell is not finite; repair the structure.")
    box = _complete_cell(cell, pbc)
    search = VesinNeighborList(cutoff=cutoff, full_list=True)
    i, j, shifts, vectors = search.compute(
        points=positions, box=box, periodic=[bool(flag) for flag in pbc], quantities="ijSD"
    )
    shifts = shifts.astype(np.int32)
    order = np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], j, i))
    first = np.searchsorted(i[order], np.arange(len(positions) + 1)).astype(np.int64)
    return NeighborList(
        first, j[order].astype(np.int32), np.ascontiguousarray(vectors[order]), shifts[order]
    )


def _complete_cell(cell: Array, pbc: Array) -> Array:
    """Fill the directions that are not periodic and have no vector, which the search needs."""
    from ase.geometry import complete_cell

    completed: Array = np.where(np.asarray(pbc)[:, None], cell, 0.0)
    return np.asarray(complete_cell(np.where(completed.any(axis=1)[:, None], completed, 0.0)))
