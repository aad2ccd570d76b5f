# SPDX-License-Identifier: MIT
"""A tile of a matrix product in registers: 8 numbers times 2 vectors, summed over many."""

from __future__ import annotations

from aiida_alpot.compilation import inlined
from aiida_alpot.mtp.kernels.elements import element
from aiida_alpot.mtp.kernels.lanes import LANES, fma, load_narrow, splat_narrow


@inlined
def multiply_tile(factors, factors_at, vectors, one_at, two_at, n):
    """Return sum_p factor[p, i] one[p] for i = 0...7, then the same with two[p]: 16 vectors.

    Each of the three is a run of ``n`` times 8 doubles, from the place given on.
    """
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = splat_narrow(0.0)
    b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = splat_narrow(0.0)
    for step in range(0, n * LANES, LANES):
        one = load_narrow(vectors, one_at + step)
        two = load_narrow(vectors, two_at + step)
        at = factors_at + step
        factor = splat_narrow(element(factors, at))
        a0 = fma(factor, one, a0)
        b0 = fma(factor, two, b0)
        factor = splat_narrow(element(factors, at + 1))
        a1 = fma(factor, one, a1)
        b1 = fma(factor, two, b1)
        factor = splat_narrow(element(factors, at + 2))
        a2 = fma(factor, one, a2)
        b2 = fma(factor, two, b2)
        factor = splat_narrow(element(factors, at + 3))
        a3 = fma(factor, one, a3)
        b3 = fma(factor, two, b3)
        factor = splat_narrow(element(factors, at + 4))
        a4 = fma(factor, one, a4)
        b4 = fma(factor, two, b4)
        factor = splat_narrow(element(factors, at + 5))
        a5 = fma(factor, one, a5)
        b5 = fma(factor, two, b5)
        factor = splat_narrow(element(factors, at + 6))
        a6 = fma(factor, one, a6)
        b6 = fma(factor, two, b6)
        factor = splat_narrow(element(factors, at + 7))
        a7 = fma(factor, one, a7)
        b7 = fma(factor, two, b7)
    return a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7
