# SPDX-License-Identifier: MIT
"""The few of very many rows that may enter an active set, so that the many are read only twice.

MAXVOL looks at its candidates again after every few exchanges. Of millions of rows nearly all are
far inside the volume once the first exchanges are made, and it would be a waste to compute them
again each time, or to keep them all in memory. One pass lets every block of rows compete and lists
those that are near the surface then, with coefficients above :data:`NEAR`. MAXVOL goes on with the
list alone. In the end another pass looks whether any row that is not on the list would gain by more
than the threshold; if so it is added and MAXVOL goes on, so that the result is dominant over all
rows whatever the list has missed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.active_rows import ActiveSet
from aiida_alpot.grading.candidate_rows import CandidateRows, largest_coefficients
from aiida_alpot.grading.maxvol import SWAP_THRESHOLD, maxvol

Array = np.ndarray
NEAR = 0.8
"""Rows with a coefficient above this are listed."""
ROWS_PER_BLOCK = 4096


class ShortList:
    """Some of the rows of candidates, kept in memory.

    Parameters
    ----------
    rows : CandidateRows
        All of them.
    """

    def __init__(self, rows: CandidateRows) -> None:
        self.configurations: Configurations = rows.configurations
        self._rows = rows
        self._places = np.zeros(0, dtype=np.int64)
        self._values: list[Array] = []

    def __len__(self) -> int:
        return len(self._places)

    def fill(self, start: ActiveSet, *, threshold: float) -> None:
        """List the rows that are near the surface after each block has competed, in one pass.

        Parameters
        ----------
        start : ActiveSet
            Where the competition begins.
        threshold : float
            Smallest factor on the volume for which a row enters, > 1.
        """
        matrix, inverse = start.rows, start.inverse
        first = 0
        places: list[Array] = []
        smallest_gain = max(threshold, SWAP_THRESHOLD)
        for block in self._rows.blocks():
            reach = largest_coefficients(block, inverse)
            rivals = reach > smallest_gain
            if rivals.any():
                result = maxvol(
                    block[rivals],
                    start=(matrix, inverse),
                    threshold=smallest_gain,
                    block_rows=ROWS_PER_BLOCK // 2,
                )
                matrix, inverse = result.matrix, result.inverse
                reach = largest_coefficients(block, inverse)
            near = np.flatnonzero(reach > NEAR)
            places.append(first + near)
            self._values.append(block[near])
            first += len(block)
        self._places = np.concatenate([self._places, *places])

    def add_above(self, active_set: ActiveSet, threshold: float) -> int:
        """Add rows near the surface of a set; return how many new ones exceed a threshold."""
        listed = np.zeros(self._rows.count, dtype=bool)
        listed[self._places] = True
        above = 0
        for places, values, grades in self._rows.near(active_set, NEAR):
            fresh = ~listed[places]
            self._places = np.concatenate([self._places, places[fresh]])
            self._values.append(values[fresh])
            above += int((grades[fresh] > threshold).sum())
        return above

    def blocks(self) -> Iterator[Array]:
        """Yield the listed rows, the same ones each time."""
        rows = self._joined()
        return (rows[k : k + ROWS_PER_BLOCK] for k in range(0, len(rows), ROWS_PER_BLOCK))

    def one_block(self) -> Iterator[Array]:
        """Yield the listed rows as a single array."""
        return iter([self._joined()])

    def owners(self) -> tuple[Array, Array]:
        """Return configuration, and atom within it (-1 for whole ones), of every listed row."""
        configuration, atom = self._rows.owners()
        return configuration[self._places], atom[self._places]

    def _joined(self) -> Array:
        if len(self._values) != 1:
            self._values = [np.concatenate(self._values)] if self._values else []
        return self._values[0] if self._values else np.zeros((0, self._rows.rank))
