# SPDX-License-Identifier: MIT
"""Arrays that the kernels of :mod:`aiida_alpot.mtp.kernels.jacobian` read, work in and write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.kernels.lanes import LANES

Array = np.ndarray
OF_MONOMIAL = 4 * LANES
"""Doubles of Y_m and its gradient for the neighbours of one vector."""
OF_BASIC = 3 * LANES
"""Doubles of dM_b/dr_j for them."""


class Surroundings(NamedTuple):
    """The atoms of a block of configurations, with their neighbours."""

    offsets: Array
    """(n + 1,) First atom of each configuration."""
    first: Array
    """First pair of each atom of all configurations."""
    neighbor: Array
    vectors: Array
    types: Array


class RadialForm(NamedTuple):
    """Radial functions of all pairs."""

    coefficients: Array
    """(n_species, n_species, n_radial, size)"""
    min_distance: float
    cutoff: float
    scaling: float
    fade: Array
    """Of :func:`aiida_alpot.mtp.zbl.fade_limits`."""


class WorkSpace(NamedTuple):
    """Arrays for one atom; capacity is the number of places, a multiple of 8."""

    places: Array
    """Pair in each place, -1 for a dummy."""
    first_vector: Array
    """First vector of places of each type of neighbour, and the number of all."""
    xyz: Array
    unit: Array
    """u and 1/r."""
    radial: Array
    slopes: Array
    """[k][place] phi_k and dphi_k/dr."""
    basis: Array
    basis_slopes: Array
    """[place][k] The same, k padded to whole vectors."""
    values: Array
    """[mu][2][place] f_mu and its slope."""
    monomials: Array
    """[vector][m][4][8] Y_m and its gradient."""
    basics: Array
    """[vector][b][3][8] dM_b/dr_j."""
    projected: Array
    """[t][m][k] A, k padded to whole vectors."""
    numbers: Array
    """M, dV/dM, one: what the programs multiply by."""
    vectors: Array
    """Adjoints and tangents of the moments, 8 lanes each, and the unit vectors."""
    rows: Array
    """[place][3][8] d(dV/dr_j)/dparameter."""
    scratch: Array
    """h_mu and its gradient for the 8 places of a vector."""


class Target(NamedTuple):
    """The Jacobian of a block in planes of 8 parameters, [plane][column][8]."""

    jacobian: Array
    n_columns: int
    first_atom: int
    first_strain: int
    first_force: int
    """First column of the strain derivatives and of the forces, atom by atom."""
    first_scalar: int
    """Planes: radial ones [centre][t][mu][k by 8] if asked for, scalars by group, species."""


def make_work_space(tables, n_neighbors: int, n_species: int, size: int) -> WorkSpace:
    """Return arrays for atoms of at most so many neighbours, and ``size`` polynomials."""
    # the neighbours of each type begin a vector
    capacity = _round_up(n_neighbors, LANES) + n_species * LANES
    lanes = _round_up(size, LANES)
    n_basic, n_monomials = len(tables.basic_mu), len(tables.monomial_parent)
    n_moments = n_basic + len(tables.first_product) - 1
    n_radial = int(tables.basic_mu.max()) + 1
    numbers = np.zeros(2 * n_moments + 1)
    numbers[-1] = 1.0
    vectors = np.zeros((2 * n_moments + LANES) * LANES)
    vectors[2 * n_moments * LANES :] = np.eye(LANES).ravel()
    return WorkSpace(
        places=np.zeros(capacity, np.int64),
        first_vector=np.zeros(n_species + 1, np.int64),
        xyz=np.zeros(3 * capacity),
        unit=np.zeros(4 * capacity),
        radial=np.zeros(size * capacity),
        slopes=np.zeros(size * capacity),
        basis=np.zeros(lanes * capacity),
        basis_slopes=np.zeros(lanes * capacity),
        values=np.zeros(2 * n_radial * capacity),
        monomials=np.zeros(4 * n_monomials * capacity),
        basics=np.zeros(3 * n_basic * capacity),
        projected=np.zeros(n_species * n_monomials * lanes),
        numbers=numbers,
        vectors=vectors,
        rows=np.zeros(3 * LANES * capacity),
        scratch=np.zeros(4 * LANES),
    )


def _round_up(count: int, step: int) -> int:
    return (count + step - 1) // step * step
