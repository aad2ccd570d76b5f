# SPDX-License-Identifier: MIT
"""Gradient of a scalar of energies and forces with respect to all parameters, in two sweeps.

With a_i = dL/dV_i and a displacement field v_ij = dL/d(dV/dr_ij) of the neighbour vectors,

    dL/dtheta = d/dtheta sum_i [ a_i V_i + sum_j v_ij . dV_i/dr_ij ],

the second term the derivative of V_i along v. The forward sweep carries pairs (value, derivative
along v), u and m and M having tangents du, dm, D; the backward sweep carries the adjoints
G = dL/dM and H = dL/dD. The cost does not depend on the number of parameters. Layout and symbols
are those of :mod:`aiida_alpot.mtp.kernels.sites`.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    WIDE,
    compiled,
    fma,
    fma_slots,
    indicator,
    load_narrow,
    load_wide,
    repeat_slots,
    splat_narrow,
    splat_wide,
    store,
)
from aiida_alpot.mtp.kernels.sites import contract_moments, expand_radial, place_neighbors
from aiida_alpot.mtp.kernels.tangents import (
    TANGENT,
    accumulate_tangents,
    contract_tangents,
    expand_monomials_tangents,
    place_tangents,
)


def gradient_work_size(
    n_groups: int, coefficients_shape: tuple[int, ...], degree: int, n_moments: int
) -> int:
    """Return the doubles of work space that :func:`add_loss_gradient` needs for so many groups."""
    n_species, _, n_radial, n_basis = coefficients_shape
    n_monomials = (degree + 1) * (degree + 2) * (degree + 3) // 6
    by_group = 4 + 4 + 2 * n_basis + 2 * n_radial + 4
    return (
        n_groups * by_group * WIDE
        + (2 * n_monomials + 2 * n_radial) * WIDE
        + (4 * n_moments + n_species**2 * n_radial * n_basis + 7) * LANES
    )


@compiled
def propagate_through_products(
    work, moments_at, tangents_at, adjoints_at, tangent_adjoints_at, residual_at, seeds, tables
):
    """Compute G = dL/dM and H = dL/dD of every moment; dL/dV by atom is at ``residual_at``."""
    first = tables.backward_first
    residual = load_narrow(work, residual_at)
    for place in range(len(tables.backward_moment)):
        moment = tables.backward_moment[place]
        of_tangent = splat_narrow(seeds[moment])
        of_value = of_tangent * residual
        for use in range(first[place], first[place + 1]):
            other = np.int64(tables.backward_other[use]) * LANES
            target = np.int64(tables.backward_target[use]) * LANES
            weight = splat_narrow(tables.backward_weight[use])
            value = weight * load_narrow(work, moments_at + other)
            turn = weight * load_narrow(work, tangents_at + other)
            above = load_narrow(work, tangent_adjoints_at + target)
            of_value = fma(value, load_narrow(work, adjoints_at + target), of_value)
            of_value = fma(turn, above, of_value)
            of_tangent = fma(value, above, of_tangent)
        store(work, adjoints_at + moment * LANES, of_value)
        store(work, tangent_adjoints_at + moment * LANES, of_tangent)


@compiled
def sum_adjoints(work, monomials_at, offset, adjoints_at, tangent_adjoints_at, tables, sums_at):
    """Compute P_mu = sum G m + H dm and behind them Q_mu = sum H m of one group."""
    n_radial = len(tables.first_of_mu) - 1
    for mu in range(n_radial):
        total = splat_wide(0.0)
        total_tangent = splat_wide(0.0)
        for basic in range(tables.first_of_mu[mu], tables.first_of_mu[mu + 1]):
            at = monomials_at + tables.monomial[basic] * WIDE
            power = load_wide(work, at)
            adjoint = repeat_slots(load_narrow(work, adjoints_at + basic * LANES))
            tangent_adjoint = repeat_slots(load_narrow(work, tangent_adjoints_at + basic * LANES))
            total = fma(adjoint, power, total)
            total = fma(tangent_adjoint, load_wide(work, at + offset), total)
            total_tangent = fma(tangent_adjoint, power, total_tangent)
        store(work, sums_at + mu * WIDE, total)
        store(work, sums_at + (n_radial + mu) * WIDE, total_tangent)


@compiled
def add_radial_gradient(
    work, vectors_at, basis_at, along_at, sums_at, low, high, n_radial, n_basis, gradient_at
):
    """Add one group to dL/dc = sum phi_k P_mu + phi'_k (v.u) Q_mu."""
    species = load_wide(work, vectors_at + 3 * WIDE)
    along = load_wide(work, along_at)
    for kind in range(low, high + 1):
        mask = indicator(species, float(kind))
        for mu in range(n_radial):
            factor = mask * load_wide(work, sums_at + mu * WIDE)
            tangent_factor = mask * along * load_wide(work, sums_at + (n_radial + mu) * WIDE)
            for k in range(n_basis):
                at = gradient_at + ((kind * n_radial + mu) * n_basis + k) * LANES
                total = fma_slots(
                    factor, load_wide(work, basis_at + k * WIDE), load_narrow(work, at)
                )
                slope = load_wide(work, basis_at + (n_basis + k) * WIDE)
                store(work, at, fma_slots(tangent_factor, slope, total))


@compiled
def add_loss_gradient(
    blocks,
    first,
    neighbor,
    vectors,
    types,
    coefficients,
    limits,
    seeds,
    tables,
    residuals,
    displacements,
    strains,
    work,
    places,
    gradient,
):
    """Add the gradient of a loss that some blocks of atoms make.

    Parameters
    ----------
    blocks, first, neighbor, vectors, types, coefficients, limits, seeds, tables, work, places
        As for :func:`aiida_alpot.mtp.kernels.energy.evaluate_blocks`.
    residuals : (n_atoms,) float64
        a_i = dL/dV_i.
    displacements : (n_atoms, 3), strains : (n_atoms, 6) float64
        v_ij = displacements_i - displacements_j + strains_i r_ij, strains xx yy zz yz xz xy.
    gradient : (n_parameters,) float64
        Added to.
    """
    n_species = coefficients.shape[0]
    n_radial = coefficients.shape[2]
    n_basis = coefficients.shape[3]
    n_pair = n_species * n_radial * n_basis
    n_basic = len(tables.monomial)
    degree = tables.degree
    offset = (degree + 1) * (degree + 2) * (degree + 3) // 6 * WIDE
    capacity = (len(places) - LANES) // (2 + WIDE)
    stride = (4 + 2 * n_basis + 2 * n_radial) * WIDE
    radial = capacity * 4 * WIDE
    tangents = radial + capacity * stride
    monomials = tangents + capacity * TANGENT
    sums = monomials + 2 * offset
    moments = sums + 2 * n_radial * WIDE
    moment_tangents = moments + tables.n_moments * LANES
    adjoints = moment_tangents + tables.n_moments * LANES
    tangent_adjoints = adjoints + tables.n_moments * LANES
    pair_gradient = tangent_adjoints + tables.n_moments * LANES
    residual_at = pair_gradient + n_species * n_pair * LANES
    strains_at = residual_at + LANES
    values_offset = (4 + 2 * n_basis) * WIDE
    slopes_offset = values_offset + n_radial * WIDE
    moment_column = n_species * n_pair + n_species
    for i in range(n_species * n_pair):
        store(work, pair_gradient + i * LANES, splat_narrow(0.0))
    for block in range(len(blocks)):
        atoms = blocks[block]
        center = types[atoms[0]]
        n_groups = place_neighbors(
            atoms, first, neighbor, vectors, types, n_species, limits[1], work, places
        )
        for lane in range(LANES):
            atom = atoms[lane]
            work[residual_at + lane] = residuals[atom] if atom >= 0 else 0.0
            for component in range(6):
                strain = strains[atom, component] if atom >= 0 else 0.0
                work[strains_at + component * LANES + lane] = strain
        for basic in range(n_basic):
            store(work, moments + basic * LANES, splat_narrow(0.0))
            store(work, moment_tangents + basic * LANES, splat_narrow(0.0))
        for group in range(n_groups):
            low = places[LANES + 2 * group]
            high = places[LANES + 2 * group + 1]
            here = radial + group * stride
            expand_radial(work, group * 4 * WIDE, low, high, coefficients, center, limits, here)
        place_tangents(
            atoms,
            n_groups,
            capacity,
            places,
            displacements,
            strains_at,
            work,
            radial,
            stride,
            tangents,
        )
        for group in range(n_groups):
            here = radial + group * stride
            turn = tangents + group * TANGENT
            expand_monomials_tangents(work, here, turn, degree, monomials, offset)
            accumulate_tangents(
                work,
                here + values_offset,
                here + slopes_offset,
                turn + 3 * WIDE,
                monomials,
                offset,
                tables,
                moments,
                moment_tangents,
            )
        contract_moments(work, moments, n_basic, tables)
        contract_tangents(work, moments, moment_tangents, n_basic, tables)
        propagate_through_products(
            work,
            moments,
            moment_tangents,
            adjoints,
            tangent_adjoints,
            residual_at,
            seeds,
            tables,
        )
        for lane in range(LANES):
            gradient[n_species * n_pair + center] += work[residual_at + lane]
        for i in range(len(tables.scalar)):
            at = tables.scalar[i] * LANES
            for lane in range(LANES):
                gradient[moment_column + i] += (
                    work[residual_at + lane] * work[moments + at + lane]
                    + work[moment_tangents + at + lane]
                )
        for group in range(n_groups):
            here = radial + group * stride
            turn = tangents + group * TANGENT
            low = places[LANES + 2 * group]
            high = places[LANES + 2 * group + 1]
            expand_monomials_tangents(work, here, turn, degree, monomials, offset)
            sum_adjoints(work, monomials, offset, adjoints, tangent_adjoints, tables, sums)
            add_radial_gradient(
                work,
                group * 4 * WIDE,
                here + 4 * WIDE,
                turn + 3 * WIDE,
                sums,
                low,
                high,
                n_radial,
                n_basis,
                pair_gradient + center * n_pair * LANES,
            )
    for i in range(n_species * n_pair):
        for lane in range(LANES):
            gradient[i] += work[pair_gradient + i * LANES + lane]
