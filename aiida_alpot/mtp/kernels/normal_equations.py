# SPDX-License-Identifier: MIT
"""Weighted rows of a Jacobian and their scalar products.

BLAS would do the same, but shares even small products among threads that wait for each other by
spinning, and its results may depend on their number; these kernels give the same bits everywhere.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.mtp.kernels.lanes import LANES, compiled, fma, load_narrow, splat_narrow, store

TILE = 4
"""Rows that are multiplied with as many others at once."""


@compiled
def weigh_rows(jacobian, first_linear, linear, labels, scales, columns, weighted):
    """Write the weighted Jacobian and, in the row behind it, the weighted residuals.

    Only ``columns`` of the Jacobian are taken. Its rows from ``first_linear`` on times ``linear``
    are the predictions; residuals are labels minus predictions. ``weighted`` must come as zeros.
    """
    n_rows = len(jacobian)
    for place in range(len(columns)):
        weighted[n_rows, place] = labels[columns[place]]
    for row in range(n_rows):
        coefficient = linear[row - first_linear] if row >= first_linear else 0.0
        for place in range(len(columns)):
            value = jacobian[row, columns[place]]
            weighted[n_rows, place] -= coefficient * value
            weighted[row, place] = value * scales[columns[place]]
    for place in range(len(columns)):
        weighted[n_rows, place] *= scales[columns[place]]


@compiled
def multiply_rows(rows, products):
    """Write the scalar product of every two rows; numbers of rows and columns are whole tiles.

    Each product is the sum of 8 partial sums over every eighth column.
    """
    n_rows, n_columns = rows.shape
    flat = rows.ravel()
    sums = np.empty(TILE * TILE * LANES)
    for i in range(0, n_rows, TILE):
        for j in range(0, i + TILE, TILE):
            _multiply_tile(flat, i * n_columns, j * n_columns, n_columns, sums)
            for a in range(TILE):
                for b in range(TILE):
                    total = 0.0
                    for lane in range(LANES):
                        total += sums[(a * TILE + b) * LANES + lane]
                    products[i + a, j + b] = total
                    products[j + b, i + a] = total


@compiled
def _multiply_tile(flat, left, right, n_columns, sums):
    s00 = s01 = s02 = s03 = splat_narrow(0.0)
    s10 = s11 = s12 = s13 = splat_narrow(0.0)
    s20 = s21 = s22 = s23 = splat_narrow(0.0)
    s30 = s31 = s32 = s33 = splat_narrow(0.0)
    for at in range(0, n_columns, LANES):
        b0 = load_narrow(flat, right + at)
        b1 = load_narrow(flat, right + n_columns + at)
        b2 = load_narrow(flat, right + 2 * n_columns + at)
        b3 = load_narrow(flat, right + 3 * n_columns + at)
        a = load_narrow(flat, left + at)
        s00 = fma(a, b0, s00)
        s01 = fma(a, b1, s01)
        s02 = fma(a, b2, s02)
        s03 = fma(a, b3, s03)
        a = load_narrow(flat, left + n_columns + at)
        s10 = fma(a, b0, s10)
        s11 = fma(a, b1, s11)
        s12 = fma(a, b2, s12)
        s13 = fma(a, b3, s13)
        a = load_narrow(flat, left + 2 * n_columns + at)
        s20 = fma(a, b0, s20)
        s21 = fma(a, b1, s21)
        s22 = fma(a, b2, s22)
        s23 = fma(a, b3, s23)
        a = load_narrow(flat, left + 3 * n_columns + at)
        s30 = fma(a, b0, s30)
        s31 = fma(a, b1, s31)
        s32 = fma(a, b2, s32)
        s33 = fma(a, b3, s33)
    store(sums, 0 * LANES, s00)
    store(sums, 1 * LANES, s01)
    store(sums, 2 * LANES, s02)
    store(sums, 3 * LANES, s03)
    store(sums, 4 * LANES, s10)
    store(sums, 5 * LANES, s11)
    store(sums, 6 * LANES, s12)
    store(sums, 7 * LANES, s13)
    store(sums, 8 * LANES, s20)
    store(sums, 9 * LANES, s21)
    store(sums, 10 * LANES, s22)
    store(sums, 11 * LANES, s23)
    store(sums, 12 * LANES, s30)
    store(sums, 13 * LANES, s31)
    store(sums, 14 * LANES, s32)
    store(sums, 15 * LANES, s33)
