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

from aiida_alpot.compilation import inlined
from aiida_alpot.mtp.kernels.lanes import LANES, compiled, load_narrow, store
from aiida_alpot.mtp.kernels.tiles import multiply_tile

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
            tile = multiply_tile(packed, panel * n * COLUMNS, rows, at, at + n * LANES, n)
            _keep_largest(largest, block * LANES, tile[:COLUMNS])
            _keep_largest(largest, (block + 1) * LANES, tile[COLUMNS:])
    for block in range(len(blocks)):
        for lane in range(LANES):
            atom = blocks[block, lane]
            if atom >= 0:
                grades[atom] = largest[block * LANES + lane]


@inlined
def _keep_largest(largest, at, coefficients):
    most = load_narrow(largest, at)
    for column in range(COLUMNS):
        most = larger_magnitude(most, coefficients[column])
    store(largest, at, most)
