# SPDX-License-Identifier: MIT
"""Full neighbour lists, for one structure or for many at once.

Pairs are sorted by (atom, neighbour, image), so that sums over neighbours are done in the same
order whatever the age of the list, and laid out so that the pairs of atom ``i`` are the rows
``first[i]:first[i + 1]``. The search is compiled; see :mod:`aiida_alpot.neighbor_kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError

Array = np.ndarray
_SMALLEST_VOLUME = 1e-6  # A^3
_MANY_ATOMS, _LONG_JUMP = 50_000, 0.15
_LARGEST_FRACTION = 1e9  # translations are kept in 32 bits
_FIRST_GUESS = 64  # neighbours of an atom


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
    search = NeighborSearch(
        atoms.positions,
        np.array([0, len(atoms)]),
        atoms.cell.array[None],
        atoms.pbc[None],
        cutoff,
    )
    return search.all_rows()


def batch_neighbor_list(configurations: Configurations, cutoff: float) -> NeighborList:
    """Return the neighbour lists of all configurations joined into one.

    Atoms count through all configurations, as in the flat arrays of ``Configurations``.

    Raises
    ------
    GeometryError
        As :func:`neighbor_list`, for the first configuration that is not usable.
    """
    return search_neighbors(configurations, cutoff).all_rows()


def search_neighbors(configurations: Configurations, cutoff: float) -> NeighborSearch:
    """Prepare to list the pairs of some atoms at a time, where those of all need too much memory.

    Raises
    ------
    GeometryError
        As :func:`batch_neighbor_list`.
    """
    given = configurations
    return NeighborSearch(given.positions, given.offsets, given.cells, given.pbc, cutoff)


class NeighborSearch:
    """Lists the pairs of any range of atoms of any number of configurations.

    Parameters
    ----------
    positions : (n_atoms, 3) float64
        Of all configurations, Angstrom.
    offsets : (n + 1,) int64
        First atom of each configuration.
    cells : (n, 3, 3) float64
        Rows are cell vectors.
    pbc : (n, 3) bool
        Periodic directions.
    cutoff : float
        Largest distance of a pair, Angstrom.

    Raises
    ------
    GeometryError
        If a position or a cell is not finite, a cell has no volume, or an atom is more than 1e9
        cells away.
    """

    def __init__(
        self, positions: Array, offsets: Array, cells: Array, pbc: Array, cutoff: float
    ) -> None:
        from aiida_alpot.neighbor_kernels import compute_fractions, sort_into_bins

        self.cutoff = float(cutoff)
        self._positions = np.require(positions, np.float64, ["C", "W"])
        self._boxes = _make_boxes(self._positions, offsets, cells, pbc)
        self._fractions = np.empty_like(self._positions)
        if compute_fractions(self._positions, self._boxes, self._fractions) > _LARGEST_FRACTION:
            raise GeometryError(
                "An atom is more than 1e9 cells away from the origin along a periodic direction. "
                "Wrap the positions into the cell."
            )
        self._bins = _empty_bins(len(self._positions), len(self._boxes.cells))
        sort_into_bins(self._positions, self._fractions, self._boxes, self.cutoff, self._bins)
        self._pairs_of_an_atom = _expect_pairs(self._boxes, self.cutoff)

    def all_rows(self) -> NeighborList:
        """Return the list of all atoms."""
        return self.rows(0, len(self._positions), PairMemory())

    def tidy_order(self) -> Array | None:
        """Return an order in which atoms next to each other come together; None if they do already.

        Atoms of large configurations in random order are fetched from all over the memory again and
        again, which takes three times as long.
        """
        order = np.arange(len(self._positions))
        is_untidy = False
        for start, stop in pairwise(self._boxes.offsets.tolist()):
            size = stop - start
            if size < _MANY_ATOMS:
                continue
            jump = np.abs(np.diff(self._bins.places[start:stop])).mean()
            if jump > _LONG_JUMP * size:  # a third of the size at random
                order[start:stop] = self._bins.atoms[start:stop]
                is_untidy = True
        return order if is_untidy else None

    def rows(self, start: int, stop: int, memory: PairMemory) -> NeighborList:
        """Return the pairs of the atoms from ``start`` to ``stop``.

        Of ``first`` only the entries from ``start`` to ``stop`` are defined. The list lies in
        ``memory`` and is valid until that is used again; threads need one each.
        """
        from aiida_alpot.neighbor_kernels import list_rows

        n_atoms = stop - start
        memory.reserve(len(self._positions), int(self._pairs_of_an_atom * n_atoms) + 64)
        while True:
            done = list_rows(
                start,
                stop,
                self._positions,
                self._fractions,
                self._boxes,
                self._bins,
                self.cutoff,
                *memory.arrays,
            )
            if done == stop:
                return memory.as_list(stop)
            share = (done - start) / n_atoms
            memory.grow(min(max(1.1 / share, 1.2), 4.0) if share > 0.0 else 4.0)


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


def complete_cells(cells: Array, pbc: Array) -> Array:
    """Return cells with vectors of their own for the directions that are not periodic.

    Those are of unit length and orthogonal to all others.

    Parameters
    ----------
    cells : (n, 3, 3) float64
    pbc : (n, 3) bool
        What the cells hold along other directions is not looked at.
    """
    completed: Array = np.where(pbc[:, :, None], cells, 0.0)
    for flags in np.unique(pbc, axis=0):
        if flags.all():
            continue
        chosen = (pbc == flags).all(axis=1)
        completed[chosen] = _complete_alike(completed[chosen], flags)
    return completed


def _complete_alike(cells: Array, periodic: Array) -> Array:
    """Complete cells that are periodic along the same directions."""
    free = np.flatnonzero(~periodic)
    if len(free) == 3:
        cells[:] = np.eye(3)
        return cells
    if len(free) == 2:
        # the Cartesian axis after that which the one vector follows most, so that small turns of
        # the vector turn its companions as little
        along = _unit(cells[:, np.flatnonzero(periodic)[0]])
        axis = np.eye(3)[(np.argmax(np.abs(along), axis=1) + 1) % 3]
        part = np.einsum("na,na->n", axis, along)[:, None] * along
        cells[:, free[1]] = _unit(axis - part)
    last = free[0]
    cells[:, last] = _unit(np.cross(cells[:, (last + 1) % 3], cells[:, (last + 2) % 3]))
    return cells


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = vectors / np.where(lengths > 0.0, lengths, 1.0)
    return unit


def _make_boxes(positions: Array, offsets: Array, cells: Array, pbc: Array) -> Any:
    """Check the cells and prepare what the search needs of them."""
    from aiida_alpot.neighbor_kernels import Boxes

    cells = np.require(cells, np.float64, ["C", "W"])
    pbc = np.require(pbc, bool, ["C", "W"])
    if not (np.isfinite(positions).all() and np.isfinite(cells).all()):
        raise GeometryError("A position or the cell is not finite; repair the structure.")
    boxes = complete_cells(cells, pbc)
    if (np.abs(np.linalg.det(boxes)) < _SMALLEST_VOLUME).any():
        raise GeometryError(
            "The cell has no volume along its periodic directions. Give cell vectors, or switch "
            "pbc off for a cluster."
        )
    inverses = np.ascontiguousarray(np.linalg.inv(boxes))
    return Boxes(
        offsets=np.require(offsets, np.int64, ["C", "W"]),
        cells=cells,
        inverses=inverses,
        heights=1.0 / np.linalg.norm(inverses, axis=1),
        periodic=pbc,
    )


def _empty_bins(n_atoms: int, n_configurations: int) -> Any:
    from aiida_alpot.neighbor_kernels import Bins

    return Bins(
        counts=np.zeros((n_configurations, 3), np.int64),
        sees_itself=np.zeros(n_configurations, bool),
        reach=np.zeros((n_configurations, 3), np.int64),
        first=np.empty(n_atoms + n_configurations, np.int64),
        of_atom=np.empty((n_atoms, 3), np.int64),
        translations=np.empty((n_atoms, 3), np.int64),
        places=np.empty(n_atoms, np.int64),
        atoms=np.empty(n_atoms, np.int32),
        positions=np.empty((3, n_atoms)),
    )


def _expect_pairs(boxes: Any, cutoff: float) -> float:
    """Return how many pairs an atom has about, if the atoms fill the cells evenly."""
    n_atoms = np.diff(boxes.offsets)
    volumes = np.abs(np.linalg.det(boxes.cells))
    is_filled = boxes.periodic.all(axis=1)
    density = np.where(is_filled, n_atoms / np.where(is_filled, volumes, 1.0), 0.1)
    mean = float((density * n_atoms).sum() / max(n_atoms.sum(), 1))
    return 1.2 * mean * 4.2 * cutoff**3 + 4.0
