# SPDX-License-Identifier: MIT
"""Weighted rows of a Jacobian and their scalar products.

BLAS would do the same, but shares even small products among threads that wait for each other by
spinning, and its results may depend on their number; these kernels give the same bits everywhere.
The Jacobian lies in planes of 8 parameters, [plane][column][8]; an even number of them.
"""

from __future__ import annotations

from aiida_alpot.mtp.kernels.lanes import LANES, compiled, fma, load_narrow, splat_narrow, store


@compiled
def weigh_columns(jacobian, n_columns, linear, first_plane, residual_at, labels, scales, sums):
    """Multiply the Jacobian by the scales of its columns, and add the weighted residuals.

    ``linear`` are coefficients for all lanes; those from ``first_plane`` on times their rows are
    the predictions. Residuals, labels minus predictions, are written to lane ``residual_at``
    counted from the first plane. ``sums`` must come as zeros, 8 for each column.
    """
    for plane in range(len(linear) // LANES):
        coefficients = load_narrow(linear, plane * LANES)
        for column in range(n_columns):
            at = (plane * n_columns + column) * LANES
            values = load_narrow(jacobian, at)
            if plane >= first_plane:
                total = load_narrow(sums, column * LANES)
                store(sums, column * LANES, fma(coefficients, values, total))
            store(jacobian, at, values * splat_narrow(scales[column]))
    residual = residual_at // LANES * n_columns * LANES + residual_at % LANES
    for column in range(n_columns):
        total = labels[column]
        for lane in range(LANES):
            total -= sums[column * LANES + lane]
        jacobian[residual + column * LANES] = total * scales[column]


@compiled
def add_products(jacobian, n_columns, products):
    """Add the scalar product of every two rows to the lower triangle of ``products``, and more.

    Only entries [i, j] with j <= i are complete. Each is a sum over the columns in their order.
    """
    n_planes = len(products) // LANES
    flat = products.ravel()
    for left in range(n_planes):
        for right in range(0, left + 1, 2):
            _add_tile(jacobian, n_columns, left, right, flat, n_planes * LANES)


@compiled
def _add_tile(jacobian, n_columns, left, right, flat, width):
    """Add the products of 8 rows with 16."""
    a0 = b0 = splat_narrow(0.0)
    a1 = b1 = splat_narrow(0.0)
    a2 = b2 = splat_narrow(0.0)
    a3 = b3 = splat_narrow(0.0)
    a4 = b4 = splat_narrow(0.0)
    a5 = b5 = splat_narrow(0.0)
    a6 = b6 = splat_narrow(0.0)
    a7 = b7 = splat_narrow(0.0)
    left_at = left * n_columns * LANES
    right_at = right * n_columns * LANES
    next_at = right_at + n_columns * LANES
    for column in range(0, n_columns * LANES, LANES):
        one = load_narrow(jacobian, right_at + column)
        two = load_narrow(jacobian, next_at + column)
        at = left_at + column
        factor = splat_narrow(jacobian[at])
        a0 = fma(factor, one, a0)
        b0 = fma(factor, two, b0)
        factor = splat_narrow(jacobian[at + 1])
        a1 = fma(factor, one, a1)
        b1 = fma(factor, two, b1)
        factor = splat_narrow(jacobian[at + 2])
        a2 = fma(factor, one, a2)
        b2 = fma(factor, two, b2)
        factor = splat_narrow(jacobian[at + 3])
        a3 = fma(factor, one, a3)
        b3 = fma(factor, two, b3)
        factor = splat_narrow(jacobian[at + 4])
        a4 = fma(factor, one, a4)
        b4 = fma(factor, two, b4)
        factor = splat_narrow(jacobian[at + 5])
        a5 = fma(factor, one, a5)
        b5 = fma(factor, two, b5)
        factor = splat_narrow(jacobian[at + 6])
        a6 = fma(factor, one, a6)
        b6 = fma(factor, two, b6)
        factor = splat_narrow(jacobian[at + 7])
        a7 = fma(factor, one, a7)
        b7 = fma(factor, two, b7)
    at = (left * width + right) * LANES
    store(flat, at, a0 + load_narrow(flat, at))
    store(flat, at + LANES, b0 + load_narrow(flat, at + LANES))
    at += width
    store(flat, at, a1 + load_narrow(flat, at))
    store(flat, at + LANES, b1 + load_narrow(flat, at + LANES))
    at += width
    store(flat, at, a2 + load_narrow(flat, at))
    store(flat, at + LANES, b2 + load_narrow(flat, at + LANES))
    at += width
    store(flat, at, a3 + load_narrow(flat, at))
    store(flat, at + LANES, b3 + load_narrow(flat, at + LANES))
    at += width
    store(flat, at, a4 + load_narrow(flat, at))
    store(flat, at + LANES, b4 + load_narrow(flat, at + LANES))
    at += width
    store(flat, at, a5 + load_narrow(flat, at))
    store(flat, at + LANES, b5 + load_narrow(flat, at + LANES))
    at += width
    store(flat, at, a6 + load_narrow(flat, at))
    store(flat, at + LANES, b6 + load_narrow(flat, at + LANES))
    at += width
    store(flat, at, a7 + load_narrow(flat, at))
    store(flat, at + LANES, b7 + load_narrow(flat, at + LANES))
