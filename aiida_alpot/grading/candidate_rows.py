# SPDX-License-Identifier: MIT
"""Rows that compete for the places of an active set, read block by block as often as needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.active_rows import ActiveSet
from aiida_alpot.grading.force_rows import iterate_label_rows, label_row_owners
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
REMEMBERED_BYTES = 256 * 2**20


class CandidateRows:
    """Coordinates of the rows of configurations, of chunks those of the forces that they teach.

    They are computed in the first sweep, with their grades by the active set, and remembered for
    the next ones; beyond 256 MiB they are computed anew in each sweep, so that memory does not grow
    with the number of configurations.

    Parameters
    ----------
    active_set : ActiveSet
        Its mode and coordinates, which every extension of it shares.
    potential : MomentTensorPotential
        Where energies are linearised.
    configurations : Configurations
        Labels are not looked at.
    """

    def __init__(
        self,
        active_set: ActiveSet,
        potential: MomentTensorPotential,
        configurations: Configurations,
    ) -> None:
        self.configurations = configurations
        self._active_set = active_set
        self._potential = potential
        self._remembered: list[Array] | None = None
        self._grades: Array | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.owners()[0])

    @property
    def rank(self) -> int:
        """Number of coordinates of a row."""
        return self._active_set.rank

    def grades(self) -> Array:
        """Return the largest grade of the rows of each configuration, by the active set."""
        if self._grades is None:
            for _ in self.blocks():
                pass
        assert self._grades is not None
        largest = np.zeros(len(self.configurations))
        np.maximum.at(largest, self.owners()[0], self._grades)
        return largest

    def near(self, active_set: ActiveSet, above: float) -> Iterator[tuple[Array, Array, Array]]:
        """Yield places, coordinates and grades of the rows whose grades by a set exceed a value.

        Parameters
        ----------
        active_set : ActiveSet
            An extension of the one that these rows were made with.
        above : float
            Only those rows.
        """
        first = 0
        if self._remembered is not None:
            for block in self._remembered:
                grades = largest_coefficients(block, active_set.inverse)
                places = np.flatnonzero(grades > above)
                yield first + places, block[places], grades[places]
                first += len(block)
            return
        for rows in self._raw_blocks():
            grades = active_set.grades(rows)
            places = np.flatnonzero(grades > above)
            yield first + places, active_set.coordinates(rows[places]), grades[places]
            first += len(rows)

    def _raw_blocks(self) -> Iterator[Array]:
        mode = self._active_set.mode
        for block in iterate_label_rows(self._potential, self.configurations, mode=mode):
            yield block.rows

    def blocks(self) -> Iterator[Array]:
        """Yield (m_k, rank) arrays, the same ones each time."""
        if self._remembered is not None:
            yield from self._remembered
            return
        blocks: list[Array] = []
        size = 0
        for block in self._compute():
            size += block.nbytes
            if size <= REMEMBERED_BYTES:
                blocks.append(block)
            else:
                blocks.clear()
            yield block
        if size <= REMEMBERED_BYTES:
            self._remembered = blocks

    def one_block(self) -> Iterator[Array]:
        """Yield all rows as a single array, whatever memory it takes."""
        if self._remembered is None or len(self._remembered) > 1:
            blocks = list(self.blocks())
            self._remembered = [np.concatenate(blocks)] if blocks else []
        return iter(self._remembered)

    def owners(self) -> tuple[Array, Array]:
        """Return configuration, and atom within it (-1 for whole configurations), of every row."""
        return label_row_owners(self.configurations, self._active_set.mode)

    def _compute(self) -> Iterator[Array]:
        grades = [np.zeros(0)]
        for rows in self._raw_blocks():
            if self._grades is None:
                grades.append(self._active_set.grades(rows))
            yield self._active_set.coordinates(rows)
        if self._grades is None:
            self._grades = np.concatenate(grades)


def largest_coefficients(rows: Array, inverse: Array) -> Array:
    """Return (m,): the largest absolute coefficient of each row, which are coordinates."""
    coefficients = rows @ inverse
    largest: Array = np.maximum(
        coefficients.max(axis=1, initial=0.0), -coefficients.min(axis=1, initial=0.0)
    )
    return largest
