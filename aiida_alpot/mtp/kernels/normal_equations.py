# SPDX-License-Identifier: MIT
"""Weighted rows of a Jacobian and their scalar products.

BLAS would do the same, but shares even small products among threads that wait for each other by
spinning, and its results may depend on their number; these kernels give the same bits everywhere.
The Jacobian lies in planes of 8 parameters, [plane][column][8]; an even number of them.
"""

from __future__ import annotations

from aiida_alpot.compilation import inlined
from aiida_alpot.mtp.kernels.lanes import LANES, compiled, fma, load_narrow, splat_narrow, store
from aiida_alpot.mtp.kernels.tiles import multiply_tile


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
    size = n_columns * LANES
    tile = multiply_tile(
        jacobian, left * size, jacobian, right * size, (right + 1) * size, n_columns
    )
    at = (left * width + right) * LANES
    for row in range(LANES):
        _add(flat, at + row * width, tile[row])
        _add(flat, at + row * width + LANES, tile[LANES + row])


@inlined
def _add(numbers, at, vector):
    store(numbers, at, vector + load_narrow(numbers, at))
