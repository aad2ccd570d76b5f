# SPDX-License-Identifier: MIT
"""Extrapolation grades of atoms whose rows have just been computed and still lie in cache.

The coefficients c = b C of the rows b of 16 atoms are accumulated for 8 columns of C at once, in
registers, and only the largest of their absolute values is kept: no matrix of coefficients is ever
written.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    compiled,
    fma,
    load_narrow,
    splat_narrow,
    store,
)

Array = np.ndarray
COLUMNS = 8
"""Columns of the matrix that are computed side by side; a *panel*."""


@intrinsic
def larger_magnitude(typing_context, largest, value):
    """Return max(largest, |value|) of each element."""

    def generate(context, builder, sig, args):
        vector = args[1].type
        zero = ir.Constant(vector, [0.0] * vector.count)
        negated = builder.fsub(zero, args[1])
        size = builder.select(builder.fcmp_ordered("<", args[1], zero), negated, args[1])
        return builder.select(builder.fcmp_ordered("<", args[0], size), size, args[0])

    return largest(largest, largest), generate


def pack_columns(matrix: Array) -> Array:
    """Return (n_panels, n, 8): the columns of an (n, m) matrix in panels, filled up with zeros."""
    n, m = matrix.shape
    n_panels = -(-m // COLUMNS)
    padded = np.zeros((n, n_panels * COLUMNS))
    padded[:, :m] = matrix
    packed: Array = np.ascontiguousarray(padded.reshape(n, n_panels, COLUMNS).transpose(1, 0, 2))
    return packed


@compiled
def grade_blocks(blocks, rows, packed, grades):
    """Write the grade of every atom of the blocks.

    Parameters
    ----------
    blocks : (n_blocks, 8) int64
        Atoms, -1 for none.
    rows : (n_blocks or more, n_parameters, 8) float64
        Rows of the eight atoms of each block; one block more than there are if their number is odd.
    packed : (n_panels, n_parameters, 8) float64
        Of :func:`pack_columns`.
    grades : (n_atoms,) float64
        Written for the atoms of the blocks.
    """
    n = packed.shape[1]
    largest = np.zeros((len(blocks) + 1) * LANES)
    for panel in range(len(packed)):
        for block in range(0, len(blocks), 2):
            at = block * n * LANES
            next_at = at + n * LANES
            a0 = splat_narrow(0.0)
            a1 = splat_narrow(0.0)
            a2 = splat_narrow(0.0)
            a3 = splat_narrow(0.0)
            a4 = splat_narrow(0.0)
            a5 = splat_narrow(0.0)
            a6 = splat_narrow(0.0)
            a7 = splat_narrow(0.0)
            b0 = splat_narrow(0.0)
            b1 = splat_narrow(0.0)
            b2 = splat_narrow(0.0)
            b3 = splat_narrow(0.0)
            b4 = splat_narrow(0.0)
            b5 = splat_narrow(0.0)
            b6 = splat_narrow(0.0)
            b7 = splat_narrow(0.0)
            for p in range(n):
                a = load_narrow(rows, at + p * LANES)
                b = load_narrow(rows, next_at + p * LANES)
                factor = splat_narrow(packed[panel, p, 0])
                a0 = fma(factor, a, a0)
                b0 = fma(factor, b, b0)
                factor = splat_narrow(packed[panel, p, 1])
                a1 = fma(factor, a, a1)
                b1 = fma(factor, b, b1)
                factor = splat_narrow(packed[panel, p, 2])
                a2 = fma(factor, a, a2)
                b2 = fma(factor, b, b2)
                factor = splat_narrow(packed[panel, p, 3])
                a3 = fma(factor, a, a3)
                b3 = fma(factor, b, b3)
                factor = splat_narrow(packed[panel, p, 4])
                a4 = fma(factor, a, a4)
                b4 = fma(factor, b, b4)
                factor = splat_narrow(packed[panel, p, 5])
                a5 = fma(factor, a, a5)
                b5 = fma(factor, b, b5)
                factor = splat_narrow(packed[panel, p, 6])
                a6 = fma(factor, a, a6)
                b6 = fma(factor, b, b6)
                factor = splat_narrow(packed[panel, p, 7])
                a7 = fma(factor, a, a7)
                b7 = fma(factor, b, b7)
            most = load_narrow(largest, block * LANES)
            most = larger_magnitude(larger_magnitude(most, a0), a1)
            most = larger_magnitude(larger_magnitude(most, a2), a3)
            most = larger_magnitude(larger_magnitude(most, a4), a5)
            most = larger_magnitude(larger_magnitude(most, a6), a7)
            store(largest, block * LANES, most)
            most = load_narrow(largest, (block + 1) * LANES)
            most = larger_magnitude(larger_magnitude(most, b0), b1)
            most = larger_magnitude(larger_magnitude(most, b2), b3)
            most = larger_magnitude(larger_magnitude(most, b4), b5)
            most = larger_magnitude(larger_magnitude(most, b6), b7)
            store(largest, (block + 1) * LANES, most)
    for block in range(len(blocks)):
        for lane in range(LANES):
            atom = blocks[block, lane]
            if atom >= 0:
                grades[atom] = largest[block * LANES + lane]
