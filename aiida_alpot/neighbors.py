# SPDX-License-Identifier: MIT
"""Full neighbour lists, for one structure or for many at once.

The pairs come from `vesin`; here they are sorted by (atom, neighbour, image), so that sums over
neighbours are done in the same order whatever the age of the list, and laid out so that the pairs
of atom ``i`` are the rows ``first[i]:first[i + 1]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from vesin import NeighborList as VesinNeighborList

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError

Array = np.ndarray
_SMALLEST_VOLUME = 1e-6  # A^3


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
        """Number of atoms, with or without neighbours."""
        return len(self.first) - 1

    @property
    def n_pairs(self) -> int:
        """Number of ordered pairs."""
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
        If a position or the cell is not finite, or the cell has no volume.
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
        empty = np.zeros((0, 3))
        return NeighborList(
            np.zeros(1, np.int64), np.zeros(0, np.int32), empty, empty.astype(np.int32)
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


def pair_vectors(
    positions: Array, cell: Array, first: Array, neighbor: Array, shifts: Array
) -> Array:
    """Return (n_pairs, 3): the vector of each pair, r_j + S . cell - r_i, Angstrom.

    Element by element and in this order of operations: the same positions give the same bits
    wherever vectors are computed.
    """
    atom = np.repeat(np.arange(len(first) - 1), np.diff(first))
    offset = (
        shifts[:, 0, None] * cell[0] + shifts[:, 1, None] * cell[1] + shifts[:, 2, None] * cell[2]
    )
    vectors: Array = positions[neighbor] + offset - positions[atom]
    return vectors


def complete_cell(cell: Array, pbc: Array) -> Array:
    """Return the cell with vectors of its own for the directions that are not periodic."""
    from ase.geometry import complete_cell as complete

    periodic = np.where(np.asarray(pbc)[:, None], cell, 0.0)
    completed: Array = np.asarray(complete(periodic))
    return completed


def _list_pairs(positions: Array, cell: Array, pbc: Array, cutoff: float) -> NeighborList:
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise GeometryError("A position or the cell is not finite; repair the structure.")
    box = complete_cell(cell, pbc)
    if abs(np.linalg.det(box)) < _SMALLEST_VOLUME:
        raise GeometryError(
            "The cell has no volume along its periodic directions. Give cell vectors, or switch "
            "pbc off for a cluster."
        )
    periodic = [bool(flag) for flag in pbc]
    search = VesinNeighborList(cutoff=cutoff, full_list=True)
    atom, neighbor, shifts = search.compute(
        points=positions, box=box, periodic=periodic, quantities="ijS"
    )
    atom = atom.astype(np.int64)
    neighbor = neighbor.astype(np.int32)
    shifts = shifts.astype(np.int32)
    order = _order_of_pairs(atom, neighbor, shifts, len(positions))
    first = np.searchsorted(atom[order], np.arange(len(positions) + 1)).astype(np.int64)
    neighbor, shifts = neighbor[order], shifts[order]
    vectors = pair_vectors(positions, np.asarray(cell), first, neighbor, shifts)
    return NeighborList(first, neighbor, vectors, shifts)


def _order_of_pairs(atom: Array, neighbor: Array, shifts: Array, n_atoms: int) -> Array:
    """Return the order by atom, then neighbour, then image."""
    if len(atom) == 0:
        return np.zeros(0, dtype=np.int64)
    lowest = shifts.min(axis=0).astype(np.int64)
    n_images = shifts.max(axis=0) - lowest + 1
    if float(n_atoms) ** 2 * float(np.prod(n_images, dtype=np.float64)) > 2.0**62:
        return np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], neighbor, atom))
    # one integer for all five keys sorts ten times faster
    key = atom * n_atoms + neighbor
    for axis in range(3):
        key = key * n_images[axis] + (shifts[:, axis] - lowest[axis])
    return np.argsort(key)
