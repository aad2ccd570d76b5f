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

    They are computed in the first sweep and remembered for the next ones; beyond 256 MiB they are
    computed anew in each sweep, so that memory does not grow with the number of configurations.

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
        mode = self._active_set.mode
        for block in iterate_label_rows(self._potential, self.configurations, mode=mode):
            yield self._active_set.coordinates(block.rows)
