# SPDX-License-Identifier: MIT
"""The interval of the radial functions, and how it is changed without changing them.

A radial function is f(r) = s sum_k c_k T_k(x) (R - r)^2 with x = (2 r - (l + R)) / (R - l), l the
lower end of the interval and R the cutoff. For another lower end l' the argument is linear in the
new one, x = a x' + b with a = (R - l') / (R - l) and b = (l' - l) / (R - l), so that each
T_k(a x' + b) is a polynomial of degree k in x' and the same functions have other coefficients::

    T_k(a x' + b) = sum_(j <= k) M_kj T_j(x'),    c'_j = sum_k c_k M_kj

for all r, inside and outside of both intervals. M follows from the recurrence of the Chebyshev
polynomials and is computed in rational numbers, so that it is exact but for one rounding.
The cutoff cannot be changed: (R' - r)^2 is no multiple of (R - r)^2.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray


def change_interval(potential: MomentTensorPotential, min_distance: float) -> MomentTensorPotential:
    """Return the same potential with its radial functions expanded on another interval.

    Parameters
    ----------
    potential : MomentTensorPotential
        Predicts the same energies afterwards, also at distances outside of the intervals.
    min_distance : float
        New lower end, Angstrom.

    Raises
    ------
    SettingError
        If it does not lie between zero and the cutoff.
    """
    cutoff = potential.cutoff
    if not 0.0 < min_distance < cutoff:
        raise SettingError(
            f"min_distance is {min_distance:g} A; it must lie between 0 and the cutoff, {cutoff:g}."
        )
    change = expansion_matrix(
        potential.radial_coefficients.shape[-1], potential.min_distance, min_distance, cutoff
    )
    return dataclasses.replace(
        potential,
        radial_coefficients=potential.radial_coefficients @ change,
        min_distance=float(min_distance),
    )


def expansion_matrix(size: int, old_lower: float, new_lower: float, cutoff: float) -> Array:
    """Return M of the module: old Chebyshev polynomials in terms of the new ones.

    Parameters
    ----------
    size : int
        Number of polynomials.
    old_lower, new_lower, cutoff : float
        Ends of the intervals, Angstrom.

    Returns
    -------
    (size, size) float64
        Lower triangular.
    """
    lower, end = Fraction(float(old_lower)), Fraction(float(cutoff))
    slope = (end - Fraction(float(new_lower))) / (end - lower)
    offset = (Fraction(float(new_lower)) - lower) / (end - lower)
    rows = [[Fraction(0)] * size for _ in range(size)]
    rows[0][0] = Fraction(1)
    if size > 1:
        rows[1][0], rows[1][1] = offset, slope
    for degree in range(2, size):
        product = _times_linear(rows[degree - 1], slope, offset)
        rows[degree] = [
            2 * one - other for one, other in zip(product, rows[degree - 2], strict=True)
        ]
    return np.array(rows, dtype=float)


def _times_linear(
    coefficients: list[Fraction], slope: Fraction, offset: Fraction
) -> list[Fraction]:
    """Multiply a sum of Chebyshev polynomials by slope x + offset.

    x T_j = (T_j+1 + T_|j-1|) / 2.
    """
    product = [offset * coefficient for coefficient in coefficients]
    for degree, coefficient in enumerate(coefficients):
        half = slope * coefficient / 2
        for neighbor in (degree + 1, abs(degree - 1)):
            if neighbor < len(product):  # the highest coefficient is zero where this is not so
                product[neighbor] += half
    return product
