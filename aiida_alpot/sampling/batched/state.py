# SPDX-License-Identifier: MIT
"""What is known of structures that relax together: their state, their grades, pairs too close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aiida_alpot.neighbors import NeighborList, NeighborSearch, PairMemory

if TYPE_CHECKING:
    from aiida_alpot.grading import ActiveSet

Array = np.ndarray


@dataclass
class BatchState:
    """Structures at one set of coordinates; NaN energy where they cannot be evaluated."""

    enthalpy: Array
    energy: Array
    gradient: Array
    positions: Array
    cells: Array
    forces: Array
    virial: Array
    residual: Array
    is_close: Array
    grade: Array

    _OF_ATOMS = ("positions", "forces")

    def _mask(self, name: str, structures: Array, coordinates: Array, atoms: Array) -> Array:
        if name in self._OF_ATOMS:
            return atoms
        return coordinates if name == "gradient" else structures

    def fits(self, n_structures: int, n_coordinates: int, n_atoms: int) -> bool:
        """Return whether every array is as long as it is for so many structures."""
        inner = {"positions": (3,), "forces": (3,), "cells": (3, 3), "virial": (6,)}
        lengths = {"gradient": n_coordinates, **dict.fromkeys(self._OF_ATOMS, n_atoms)}
        return all(
            value.shape == (lengths.get(name, n_structures), *inner.get(name, ()))
            for name, value in vars(self).items()
        )

    def kept(self, structures: Array, coordinates: Array, atoms: Array) -> BatchState:
        """Return the state of some structures; masks of structures, coordinates and atoms."""
        return BatchState(
            **{
                name: value[self._mask(name, structures, coordinates, atoms)]
                for name, value in vars(self).items()
            }
        )

    def replaced_by(
        self, new: BatchState, structures: Array, coordinates: Array, atoms: Array
    ) -> BatchState:
        """Return the new state where the masks are true, and this one elsewhere."""
        merged = {}
        for name, old in vars(self).items():
            mask = self._mask(name, structures, coordinates, atoms)
            mask = mask.reshape(-1, *(1,) * (old.ndim - 1))
            merged[name] = np.where(mask, getattr(new, name), old)
        return BatchState(**merged)


class CloseWatch:
    """Gives the pairs of a search, and notes which structures have pairs nearer than a limit."""

    def __init__(self, search: NeighborSearch, offsets: Array, limit: float) -> None:
        self.is_close = np.zeros(len(offsets) - 1, bool)
        self._search, self._offsets, self._limit = search, offsets, limit

    def rows(self, start: int, stop: int, memory: PairMemory) -> NeighborList:
        """Return the pairs of some atoms; see :class:`~aiida_alpot.neighbors.PairSource`."""
        pairs = self._search.rows(start, stop, memory)
        if self._limit > 0.0:
            square = np.einsum("pa,pa->p", pairs.vectors, pairs.vectors)
            close = np.flatnonzero(square < self._limit**2)
            first = pairs.first[start : stop + 1]
            atoms = start + np.searchsorted(first, close, side="right") - 1
            self.is_close[np.searchsorted(self._offsets, atoms, side="right") - 1] = True
        return pairs


class BatchGrades:
    """Grades the structures from the rows of their atoms, as these are computed."""

    def __init__(self, active_set: ActiveSet | None, owner: Array, sizes: Array) -> None:
        self._active_set, self._owner, self._sizes = active_set, owner, sizes
        self._per_atom = np.zeros(len(owner))
        self._rows: Array | None = None
        if active_set is not None and active_set.mode != "neighborhood":
            self._rows = np.zeros((len(owner), active_set.n_parameters))

    def take(self, blocks: Array, rows: Array) -> None:
        """Take the rows of some atoms; a sink of the site evaluator."""
        from aiida_alpot.mtp.kernels.grades import grade_blocks
        from aiida_alpot.mtp.site_evaluator import rows_by_atom

        if self._active_set is None:
            return
        if self._rows is None:
            grade_blocks(blocks, rows, self._active_set.packed_coefficients, self._per_atom)
        else:
            atoms, by_atom = rows_by_atom(blocks, rows)
            self._rows[atoms] = by_atom

    def of_structures(self) -> Array:
        """(n,): grade of each structure in the mode of the active set, NaN without one."""
        if self._active_set is None:
            return np.full(len(self._sizes), np.nan)
        starts = np.cumsum(self._sizes) - self._sizes
        if self._rows is None:
            grades: Array = np.maximum.reduceat(self._per_atom, starts)
            return grades
        means: Array = np.add.reduceat(self._rows, starts) / self._sizes[:, None]
        return self._active_set.grades(means)
