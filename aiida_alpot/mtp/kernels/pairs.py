# SPDX-License-Identifier: MIT
"""Vectors of a neighbour list that is kept while atoms move."""

from __future__ import annotations

import numpy as np

from aiida_alpot.compilation import compiled
from aiida_alpot.neighbor_kernels import write_vector


@compiled
def update_vectors(start, stop, positions, cells, first, neighbor, shifts, vectors):
    """Write the vectors of the pairs of some atoms of one cell, return the smallest square."""
    smallest = np.inf
    for atom in range(start, stop):
        for pair in range(first[atom], first[atom + 1]):
            square = write_vector(positions, atom, neighbor[pair], cells, 0, pair, shifts, vectors)
            smallest = square if square < smallest else smallest
    return smallest
