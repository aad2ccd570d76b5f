# SPDX-License-Identifier: MIT
"""Search for the neighbours of any range of atoms of any number of configurations."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from aiida_alpot.errors import GeometryError
from aiida_alpot.pair_lists import NeighborList, PairMemory
from aiida_alpot.periodic_cells import complete_cells

Array = np.ndarray
_SMALLEST_VOLUME = 1e-6  # A^3
_MANY_ATOMS, _LONG_JUMP = 50_000, 0.15
_LARGEST_FRACTION = 1e9  # translations are kept in 32 bits


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
        from aiida_alpot.neighbor_bins import compute_fractions, sort_into_bins

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


def _make_boxes(positions: Array, offsets: Array, cells: Array, pbc: Array) -> Any:
    """Check the cells and prepare what the search needs of them."""
    from aiida_alpot.neighbor_bins import Boxes

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
    from aiida_alpot.neighbor_bins import Bins

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
