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

from aiida_alpot.compilation import spliced
from aiida_alpot.mtp.kernels.adjoints import add_radial_rows
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    WIDE,
    compiled,
    fma,
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
    differentiate_tangents,
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


@spliced
def seed_times_residual(work, residual_at, moment, seed):
    """Return how L depends on a moment directly: dL/dV by atom is at ``residual_at``."""
    return seed * load_narrow(work, residual_at)


@compiled
def sum_adjoints(
    work, along_at, monomials_at, offset, adjoints_at, tangent_adjoints_at, tables, sums_at
):
    """Compute P_mu = sum G m + H dm and behind them Q_mu = (v.u) sum H m of one group."""
    along = load_wide(work, along_at)
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
        store(work, sums_at + (n_radial + mu) * WIDE, along * total_tangent)


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
        differentiate_tangents(
            seed_times_residual,
            residual_at,
            work,
            moments,
            moment_tangents,
            adjoints,
            tangent_adjoints,
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
            sum_adjoints(
                work, turn + 3 * WIDE, monomials, offset, adjoints, tangent_adjoints, tables, sums
            )
            # dL/dc = sum phi_k P_mu + phi'_k Q_mu, of basis and sums each one behind the other
            for order in range(2):
                add_radial_rows(
                    work,
                    group * 4 * WIDE,
                    here + (4 + order * n_basis) * WIDE,
                    sums + order * n_radial * WIDE,
                    low,
                    high,
                    n_radial,
                    n_basis,
                    pair_gradient + center * n_pair * LANES,
                )
    for i in range(n_species * n_pair):
        for lane in range(LANES):
            gradient[i] += work[pair_gradient + i * LANES + lane]
