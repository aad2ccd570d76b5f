# SPDX-License-Identifier: MIT
"""What the kernels are given beside atoms and neighbours: limits, seeds and work space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aiida_alpot.mtp.kernels.lanes import LANES, SLOTS, WIDE
from aiida_alpot.mtp.kernels.tables import ContractionTables
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.zbl import fade_limits

Array = np.ndarray
WorkSize = Callable[[int, tuple[int, ...], int, int], int]
"""Doubles that a kernel works in: of groups of neighbours, the shape of the radial coefficients,
the degree of the monomials and the number of moments."""


def radial_limits(potential: MomentTensorPotential) -> Array:
    """Return min_distance, cutoff, scaling, then what :func:`fade_limits` has of the core."""
    limits = np.array([potential.min_distance, potential.cutoff, potential.scaling])
    return np.concatenate([limits, fade_limits(potential.core, potential.species)])


def moment_seeds(tables: ContractionTables, moment_coefficients: Array) -> Array:
    """Return the coefficients of the scalars spread over all moments."""
    seeds = np.zeros(tables.n_moments)
    np.add.at(seeds, tables.scalar, moment_coefficients)
    return seeds


def aligned_zeros(size: int) -> Array:
    """Return zeros that start at a multiple of 64 bytes, the width of the widest registers."""
    padded = np.zeros(size + 8)
    start = (-padded.ctypes.data // 8) % 8
    return padded[start : start + size]


def make_work_arrays(
    work_size: WorkSize, n_neighbors: int, coefficients: Array, tables: ContractionTables
) -> tuple[Array, Array]:
    """Return ``work`` and ``places`` of a kernel for atoms of so many neighbours at most."""
    n_groups = max(1, -(-n_neighbors // SLOTS))
    size = work_size(n_groups, coefficients.shape, tables.degree, tables.n_moments)
    n_places = LANES + n_groups * (2 + WIDE)  # see ``place_neighbors``
    return aligned_zeros(size), np.zeros(n_places, np.int64)
