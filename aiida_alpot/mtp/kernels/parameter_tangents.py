# SPDX-License-Identifier: MIT
"""Derivatives of site energies along directions of the parameters, and their forces, in two sweeps.

With w_i a direction of the parameters for each atom,

    D_i = w_i . dV_i/dtheta = d/de V_i(theta + e w_i) at e = 0,

a function of the positions alone. The forward sweep carries moments M and their tangents dM: the
radial functions of atom i change by df_mu = sum_k w_i,mu,k phi_k. The backward sweep carries
G = dD/dM and H = dD/d(dM) = dV/dM, and with a monomial m of a neighbour

    dD/dm = G f + H df,   dD/dr = sum_mu f'_mu sum_m G m + df'_mu sum_m H m.

The rest of the way to the neighbours is that of :mod:`aiida_alpot.mtp.kernels.energy`, whose
symbols and layout these are. The cost is that of two to three evaluations, whatever the number of
parameters.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.mtp.kernels.adjoints import propagate_monomials, subtract_pulls
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    WIDE,
    add_slots,
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
from aiida_alpot.mtp.kernels.sites import (
    contract_moments,
    expand_monomials,
    expand_radial,
    place_neighbors,
)
from aiida_alpot.mtp.kernels.tangents import contract_tangents


def parameter_tangent_work_size(
    n_groups: int, coefficients_shape: tuple[int, ...], degree: int, n_moments: int
) -> int:
    """Return the doubles of work space that :func:`evaluate_along` needs for so many groups."""
    n_monomials = (degree + 1) * (degree + 2) * (degree + 3) // 6
    _, n_species, n_radial, n_basis = coefficients_shape
    by_group = 4 + 4 + 2 * n_basis + 4 * n_radial
    return (
        n_groups * by_group * WIDE
        + 2 * n_monomials * WIDE
        + (5 * n_moments + n_species * n_radial * n_basis + 9) * LANES
    )


@compiled
def load_directions(
    atoms, directions, center, n_species, n_pair, scalar, n_moments, work, radial_at, seeds_at
):
    """Lay out the directions of eight atoms: of radial coefficients, and of all moments.

    The direction of the species coefficient of the atoms is not needed here.
    """
    first_radial = center * n_species * n_pair
    first_moment = n_species * (n_species * n_pair + 1)
    for lane in range(LANES):
        atom = atoms[lane]
        for i in range(n_species * n_pair):
            value = directions[atom, first_radial + i] if atom >= 0 else 0.0
            work[radial_at + i * LANES + lane] = value
        for moment in range(n_moments):
            work[seeds_at + moment * LANES + lane] = 0.0
        if atom >= 0:
            for i in range(len(scalar)):
                work[seeds_at + scalar[i] * LANES + lane] += directions[atom, first_moment + i]


@compiled
def expand_radial_tangents(
    work, vectors_at, basis_at, low, high, n_radial, n_basis, directions_at, tangents_at
):
    """Compute df_mu and behind them df'_mu of one group."""
    species = load_wide(work, vectors_at + 3 * WIDE)
    for mu in range(n_radial):
        total = splat_wide(0.0)
        total_slope = splat_wide(0.0)
        for kind in range(low, high + 1):
            value = splat_wide(0.0)
            slope = splat_wide(0.0)
            for k in range(n_basis):
                at = directions_at + ((kind * n_radial + mu) * n_basis + k) * LANES
                factor = repeat_slots(load_narrow(work, at))
                value = fma(factor, load_wide(work, basis_at + k * WIDE), value)
                slope = fma(factor, load_wide(work, basis_at + (n_basis + k) * WIDE), slope)
            mask = indicator(species, float(kind))
            total = fma(mask, value, total)
            total_slope = fma(mask, slope, total_slope)
        store(work, tangents_at + mu * WIDE, total)
        store(work, tangents_at + (n_radial + mu) * WIDE, total_slope)


@compiled
def accumulate_both(work, values_at, changes_at, monomials_at, tables, moments_at, tangents_at):
    """Add the neighbours of one group to the basic moments, M += f m and dM += df m."""
    for mu in range(len(tables.first_of_mu) - 1):
        value = load_wide(work, values_at + mu * WIDE)
        change = load_wide(work, changes_at + mu * WIDE)
        for basic in range(tables.first_of_mu[mu], tables.first_of_mu[mu + 1]):
            power = load_wide(work, monomials_at + tables.monomial[basic] * WIDE)
            at = moments_at + basic * LANES
            store(work, at, fma_slots(value, power, load_narrow(work, at)))
            at = tangents_at + basic * LANES
            store(work, at, fma_slots(change, power, load_narrow(work, at)))


@compiled
def differentiate_both(
    work, moments_at, tangents_at, adjoints_at, tangent_adjoints_at, seeds, seeds_at, tables
):
    """Compute G = dD/dM and H = dD/d(dM) of every moment.

    ``seeds`` are the coefficients of the moments in V, those at ``seeds_at`` how they change.
    """
    first = tables.backward_first
    for place in range(len(tables.backward_moment)):
        moment = tables.backward_moment[place]
        of_tangent = splat_narrow(seeds[moment])
        of_value = load_narrow(work, seeds_at + moment * LANES)
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
def propagate_both(
    work,
    values_at,
    changes_at,
    n_radial,
    monomials_at,
    n_monomials,
    adjoints_at,
    tangent_adjoints_at,
    tables,
    here,
):
    """Compute dD/dm of one group (at ``here``); return dD/dr at fixed unit vectors.

    f', as after :func:`expand_radial`, follows f at ``values_at``, and df' follows df.
    """
    for i in range(n_monomials):
        store(work, here + i * WIDE, splat_wide(0.0))
    along = splat_wide(0.0)
    for mu in range(n_radial):
        value = load_wide(work, values_at + mu * WIDE)
        change = load_wide(work, changes_at + mu * WIDE)
        total = splat_wide(0.0)
        total_tangent = splat_wide(0.0)
        for basic in range(tables.first_of_mu[mu], tables.first_of_mu[mu + 1]):
            adjoint = repeat_slots(load_narrow(work, adjoints_at + basic * LANES))
            tangent_adjoint = repeat_slots(load_narrow(work, tangent_adjoints_at + basic * LANES))
            at = tables.monomial[basic] * WIDE
            power = load_wide(work, monomials_at + at)
            total = fma(adjoint, power, total)
            total_tangent = fma(tangent_adjoint, power, total_tangent)
            sum_here = fma(adjoint, value, load_wide(work, here + at))
            store(work, here + at, fma(tangent_adjoint, change, sum_here))
        along = fma(total, load_wide(work, values_at + (n_radial + mu) * WIDE), along)
        along = fma(total_tangent, load_wide(work, changes_at + (n_radial + mu) * WIDE), along)
    return along


@compiled
def evaluate_along(
    blocks,
    first,
    neighbor,
    vectors,
    types,
    coefficients,
    limits,
    moment_coefficients,
    seeds,
    tables,
    directions,
    work,
    places,
    values,
    forces,
    strains,
):
    """Evaluate D_i, minus its gradients, and its strain derivatives for blocks of atoms.

    Parameters
    ----------
    blocks, first, neighbor, vectors, types, coefficients, limits, moment_coefficients, seeds,
    tables, places
        As for :func:`aiida_alpot.mtp.kernels.energy.evaluate_blocks`.
    directions : (n_atoms, n_parameters) float64
        w_i of every atom.
    work : float64
        Work space, see :func:`parameter_tangent_work_size`.
    values : (n_atoms,) float64
        D_i, written for the atoms of the blocks.
    forces : (n_atoms, 3) float64
        Minus the gradient of the sum of D_i is added.
    strains : (n_atoms, 6) float64
        Part of each site in the derivative by the strain, xx yy zz yz xz xy, written.
    """
    n_species = coefficients.shape[0]
    n_radial = coefficients.shape[2]
    n_basis = coefficients.shape[3]
    n_pair = n_radial * n_basis
    n_basic = len(tables.monomial)
    n_moments = tables.n_moments
    degree = tables.degree
    n_monomials = (degree + 1) * (degree + 2) * (degree + 3) // 6
    capacity = (len(places) - LANES) // (2 + WIDE)
    stride = (4 + 2 * n_basis + 4 * n_radial) * WIDE
    radial = capacity * 4 * WIDE
    monomials = radial + capacity * stride
    adjoint_monomials = monomials + n_monomials * WIDE
    moments = adjoint_monomials + n_monomials * WIDE
    tangents = moments + n_moments * LANES
    adjoints = tangents + n_moments * LANES
    tangent_adjoints = adjoints + n_moments * LANES
    seeds_at = tangent_adjoints + n_moments * LANES
    directions_at = seeds_at + n_moments * LANES
    scratch = directions_at + n_species * n_pair * LANES
    basis_offset = 4 * WIDE
    values_offset = basis_offset + 2 * n_basis * WIDE
    changes_offset = values_offset + 2 * n_radial * WIDE
    for block in range(len(blocks)):
        atoms = blocks[block]
        center = types[atoms[0]]
        n_groups = place_neighbors(
            atoms, first, neighbor, vectors, types, n_species, limits[1], work, places
        )
        load_directions(
            atoms,
            directions,
            center,
            n_species,
            n_pair,
            tables.scalar,
            n_moments,
            work,
            directions_at,
            seeds_at,
        )
        for basic in range(n_basic):
            store(work, moments + basic * LANES, splat_narrow(0.0))
            store(work, tangents + basic * LANES, splat_narrow(0.0))
        for group in range(n_groups):
            here = radial + group * stride
            low = places[LANES + 2 * group]
            high = places[LANES + 2 * group + 1]
            expand_radial(work, group * 4 * WIDE, low, high, coefficients, center, limits, here)
            expand_radial_tangents(
                work,
                group * 4 * WIDE,
                here + basis_offset,
                low,
                high,
                n_radial,
                n_basis,
                directions_at,
                here + changes_offset,
            )
            expand_monomials(work, here, degree, monomials)
            accumulate_both(
                work,
                here + values_offset,
                here + changes_offset,
                monomials,
                tables,
                moments,
                tangents,
            )
        contract_moments(work, moments, n_basic, tables)
        contract_tangents(work, moments, tangents, n_basic, tables)

        total = splat_narrow(0.0)
        for i in range(len(tables.scalar)):
            at = tables.scalar[i] * LANES
            factor = splat_narrow(moment_coefficients[i])
            total = fma(factor, load_narrow(work, tangents + at), total)
        store(work, scratch, total)
        first_species = n_species * n_species * n_pair
        for lane in range(LANES):
            atom = atoms[lane]
            if atom >= 0:
                value = work[scratch + lane] + directions[atom, first_species + center]
                for i in range(len(tables.scalar)):
                    moment = work[moments + tables.scalar[i] * LANES + lane]
                    value += directions[atom, first_species + n_species + i] * moment
                values[atom] = value

        differentiate_both(
            work, moments, tangents, adjoints, tangent_adjoints, seeds, seeds_at, tables
        )
        force_x = splat_narrow(0.0)
        force_y = splat_narrow(0.0)
        force_z = splat_narrow(0.0)
        strain_xx = splat_narrow(0.0)
        strain_yy = splat_narrow(0.0)
        strain_zz = splat_narrow(0.0)
        strain_yz = splat_narrow(0.0)
        strain_xz = splat_narrow(0.0)
        strain_xy = splat_narrow(0.0)
        for group in range(n_groups):
            here = radial + group * stride
            expand_monomials(work, here, degree, monomials)
            along = propagate_both(
                work,
                here + values_offset,
                here + changes_offset,
                n_radial,
                monomials,
                n_monomials,
                adjoints,
                tangent_adjoints,
                tables,
                adjoint_monomials,
            )
            unit_x = load_wide(work, here)
            unit_y = load_wide(work, here + WIDE)
            unit_z = load_wide(work, here + 2 * WIDE)
            inverse = load_wide(work, here + 3 * WIDE)
            propagate_monomials(work, here, monomials, adjoint_monomials, degree)
            turn_x = load_wide(work, here) * inverse
            turn_y = load_wide(work, here + WIDE) * inverse
            turn_z = load_wide(work, here + 2 * WIDE) * inverse
            along = along - fma(unit_x, turn_x, fma(unit_y, turn_y, unit_z * turn_z))
            pull_x = fma(along, unit_x, turn_x)
            pull_y = fma(along, unit_y, turn_y)
            pull_z = fma(along, unit_z, turn_z)
            store(work, here, pull_x)
            store(work, here + WIDE, pull_y)
            store(work, here + 2 * WIDE, pull_z)
            force_x = add_slots(pull_x, force_x)
            force_y = add_slots(pull_y, force_y)
            force_z = add_slots(pull_z, force_z)
            x = load_wide(work, group * 4 * WIDE)
            y = load_wide(work, group * 4 * WIDE + WIDE)
            z = load_wide(work, group * 4 * WIDE + 2 * WIDE)
            strain_xx = fma_slots(x, pull_x, strain_xx)
            strain_yy = fma_slots(y, pull_y, strain_yy)
            strain_zz = fma_slots(z, pull_z, strain_zz)
            strain_yz = fma_slots(y, pull_z, strain_yz)
            strain_xz = fma_slots(x, pull_z, strain_xz)
            strain_xy = fma_slots(x, pull_y, strain_xy)
        store(work, scratch, force_x)
        store(work, scratch + LANES, force_y)
        store(work, scratch + 2 * LANES, force_z)
        store(work, scratch + 3 * LANES, strain_xx)
        store(work, scratch + 4 * LANES, strain_yy)
        store(work, scratch + 5 * LANES, strain_zz)
        store(work, scratch + 6 * LANES, strain_yz)
        store(work, scratch + 7 * LANES, strain_xz)
        store(work, scratch + 8 * LANES, strain_xy)
        for lane in range(LANES):
            atom = atoms[lane]
            if atom >= 0:
                for axis in range(3):
                    forces[atom, axis] += work[scratch + axis * LANES + lane]
                for component in range(6):
                    strains[atom, component] = work[scratch + (3 + component) * LANES + lane]
        subtract_pulls(work, radial, stride, places, n_groups, capacity, forces)
