# SPDX-License-Identifier: MIT
"""Steps along a contour that lean to where the bias grows.

On a contour of constant energy with unit normal N = F/|F| and tangent T, the biased tangent is

    T_b = normalise( gamma ghat + (1 - gamma) T ),   ghat = grad B / |grad B|,

after which its part along N is removed, so that it stays a tangent (vectors of 3 N_atoms numbers).
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
SMALLEST = 1e-12
"""Vectors shorter than this have no direction."""


def tilt(tangent: Array, gradient: Array, normal: Array, *, gamma: float) -> Array:
    """Return the tangent of a contour leaned towards a gradient, of length one.

    Parameters
    ----------
    tangent : (n_atoms, 3) float64
        T, of any length above zero.
    gradient : (n_atoms, 3) float64
        grad B; where it vanishes the tangent stays as it is.
    normal : (n_atoms, 3) float64
        N, of any length; zero where no contour is defined, and nothing is removed.
    gamma : float
        From 0 (the tangent itself) to 1 (up the bias within the contour).

    Returns
    -------
    (n_atoms, 3) float64
        Orthogonal to ``normal``; the tangent itself, untouched, for gamma = 0. The tangent without
        its part along the normal where the sum has nothing else in the contour, as for a gradient
        along the normal and gamma = 1.
    """
    if gamma == 0.0:
        return tangent
    leaned = (1.0 - gamma) * _unit(tangent) + gamma * _unit(gradient)
    axis = _unit(normal)
    for candidate in (leaned, tangent):
        along = _unit(candidate)
        along = along - np.vdot(along, axis) * axis
        if np.linalg.norm(along) > SMALLEST:
            return _unit(along)
    return _unit(tangent)


def _unit(vectors: Array) -> Array:
    length = float(np.linalg.norm(vectors))
    unit: Array = vectors / length if length > SMALLEST else np.zeros_like(vectors)
    return unit
