# SPDX-License-Identifier: MIT
"""Values of the neighbour search: lists of pairs, where they lie, and where they come from.

Pairs are sorted by (atom, neighbour, image), so that sums over neighbours are done in the same
order whatever the age of the list, and laid out so that the pairs of atom ``i`` are the rows
``first[i]:first[i + 1]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

Array = np.ndarray


class PairSource(Protocol):
    """Gives the pairs of some atoms at a time: a list, a search, or a list that follows atoms."""

    def rows(self, start: int, stop: int, memory: PairMemory) -> NeighborList:
        """Return a list that holds the pairs of the atoms from ``start`` to ``stop``.

        Of ``first`` only the entries from ``start`` to ``stop`` are defined. The list may lie in
        ``memory`` and is valid until that is used again; threads need one each.
        """
        ...


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
    closest : float
        No distance is smaller than this, Angstrom.
    """

    first: Array
    neighbor: Array
    vectors: Array
    shifts: Array
    closest: float = 0.0

    def rows(self, start: int, stop: int, memory: PairMemory) -> NeighborList:
        """Return the list itself, which holds all rows."""
        return self

    @property
    def n_atoms(self) -> int:
        """Number of atoms, with or without neighbours."""
        return len(self.first) - 1

    @property
    def n_pairs(self) -> int:
        """Number of ordered pairs."""
        return len(self.neighbor)

    @property
    def owner(self) -> Array:
        """(n_pairs,) int64: the atom that each pair belongs to."""
        owner: Array = np.repeat(np.arange(self.n_atoms), np.diff(self.first))
        return owner

    @property
    def largest_count(self) -> int:
        """Number of neighbours of the atom that has most."""
        return int(np.diff(self.first).max(initial=0))


class PairMemory:
    """Arrays that lists are made in one after the other."""

    def __init__(self) -> None:
        self._first = np.zeros(1, np.int64)
        self._allocate(0)

    @property
    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """First, neighbor, vectors, shifts; see :class:`NeighborList`."""
        return self._first, self._neighbor, self._vectors, self._shifts

    def reserve(self, n_atoms: int, n_pairs: int) -> None:
        """Make space for so many atoms and pairs at least."""
        if len(self._first) != n_atoms + 1:
            self._first = np.zeros(n_atoms + 1, np.int64)
        if len(self._neighbor) < n_pairs:
            self._allocate(n_pairs)

    def grow(self, factor: float) -> None:
        """Make space for more pairs; what was there is lost."""
        self._allocate(int(factor * len(self._neighbor)) + 1)

    def as_list(self, stop: int) -> NeighborList:
        """Return what was written, up to the pairs of the atom before ``stop``."""
        n_pairs = self._first[stop]
        first, *of_pairs = self.arrays
        neighbor, vectors, shifts = (array[:n_pairs] for array in of_pairs)
        return NeighborList(first, neighbor, vectors, shifts)

    def _allocate(self, n_pairs: int) -> None:
        self._neighbor = np.empty(n_pairs, np.int32)
        self._vectors = np.empty((n_pairs, 3), np.float64)
        self._shifts = np.empty((n_pairs, 3), np.int32)


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
