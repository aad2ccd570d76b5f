# SPDX-License-Identifier: MIT
"""Cells of random shape."""

from __future__ import annotations

from typing import Literal

import numpy as np

Array = np.ndarray
CellShape = Literal["triclinic", "orthorhombic", "cubic", "start"]
SMALLEST_DETERMINANT = 0.4
"""Least volume that the unit vectors along the edges of a random cell span."""


def random_shape(shape: CellShape, start_cell: Array, rng: np.random.Generator) -> Array:
    """Return cell vectors of unit volume, (3, 3).

    Of a triclinic cell the edges have random directions, whose unit vectors span at least 0.4, and
    lengths uniform in [0.2, 1.4] before they are scaled (the random crystals of MAISE); those of an
    orthorhombic one are uniform in [0.5, 1.5]. ``start`` keeps the shape of ``start_cell``.
    """
    if shape == "cubic":
        return np.eye(3)
    if shape == "start":
        return _unit_volume(start_cell)
    if shape == "orthorhombic":
        return _unit_volume(np.diag(rng.uniform(0.5, 1.5, 3)))
    while True:
        directions = rng.standard_normal((3, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        if abs(np.linalg.det(directions)) >= SMALLEST_DETERMINANT:
            break
    directions[2] *= np.sign(np.linalg.det(directions))
    return _unit_volume(directions * rng.uniform(0.2, 1.4, 3)[:, None])


def smallest_width(cell: Array) -> float:
    """Return the smallest distance of two opposite faces of a cell (3, 3)."""
    return float(widths(cell).min())


def widths(cell: Array) -> Array:
    """Return the distances of opposite faces of a cell (3, 3), along its three vectors."""
    distances: Array = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return distances


def _unit_volume(cell: Array) -> Array:
    scaled: Array = cell / abs(np.linalg.det(cell)) ** (1 / 3)
    return scaled
