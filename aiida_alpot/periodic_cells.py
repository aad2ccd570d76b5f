# SPDX-License-Identifier: MIT
"""Cells that are not periodic in all directions, completed to boxes."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


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
