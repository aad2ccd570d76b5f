# SPDX-License-Identifier: MIT
"""Vectors of a neighbour list that is kept while atoms move."""

from __future__ import annotations

import numpy as np

from aiida_alpot.mtp.kernels.lanes import compiled


@compiled
def update_vectors(positions, cell, first, neighbor, shifts, vectors):
    """Write r_j + S . cell - r_i of every pair to ``vectors``, return the smallest square.

    Operations in the order of :func:`aiida_alpot.neighbors.pair_vectors`, for the same bits.
    """
    smallest = np.inf
    for atom in range(len(first) - 1):
        for pair in range(first[atom], first[atom + 1]):
            other = neighbor[pair]
            a = shifts[pair, 0]
            b = shifts[pair, 1]
            c = shifts[pair, 2]
            distance_squared = 0.0
            for axis in range(3):
                offset = a * cell[0, axis] + b * cell[1, axis] + c * cell[2, axis]
                component = positions[other, axis] + offset - positions[atom, axis]
                vectors[pair, axis] = component
                distance_squared += component * component
            smallest = min(smallest, distance_squared)
    return smallest
