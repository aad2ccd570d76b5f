# SPDX-License-Identifier: MIT
"""Derivatives of site energies along directions of the parameters, and their forces, in two sweeps.

With w_i a direction of the parameters for each atom,

    D_i = w_i . dV_i/dtheta = d/de V_i(theta + e w_i) at e = 0,

a function of the positions alone. The forward sweep carries moments M and their tangents dM: the
radial functions of atom i change by df_mu = sum_k w_i,mu,k phi_k. The backward sweep carries
G = dD/dM and H = dD/d(dM) = dV/dM, and with a monomial m of a neighbour

    dD/dm = G f + H df,   dD/dr = sum_mu f'_mu sum_m G m + df'_mu sum_m H m.

The rest of the way to the neighbours is that of the energy, :mod:`aiida_alpot.mtp.kernels.pulls`;
symbols and layout are those of :mod:`aiida_alpot.mtp.kernels.energy`. The cost is that of two to
three evaluations, whatever the number of parameters.
"""

from __future__ import annotations

from aiida_alpot.compilation import spliced
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    WIDE,
    compiled,
    fma,
    fma_slots,
    load_narrow,
    load_wide,
    repeat_slots,
    splat_narrow,
    splat_wide,
    store,
)
from aiida_alpot.mtp.kernels.pulls import (
    PULL_SUMS,
    pull_neighbors,
    scatter_pulls,
)
from aiida_alpot.mtp.kernels.sites import (
    contract_moments,
    expand_monomials,
    expand_radial,
    place_neighbors,
    sum_basis,
)
from aiida_alpot.mtp.kernels.tangents import contract_tangents, differentiate_tangents


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
        + (4 * n_moments + n_species * n_radial * n_basis + PULL_SUMS) * LANES
    )


@compiled
def load_directions(
    atoms, directions, center, n_species, n_pair, scalar, n_moments, work, radial_at, adjoints_at
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
            work[adjoints_at + moment * LANES + lane] = 0.0
        if atom >= 0:
            for i in range(len(scalar)):
                work[adjoints_at + scalar[i] * LANES + lane] += directions[atom, first_moment + i]


@spliced
def one_for_each_atom(work, at):
    """Return a coefficient of each of eight atoms, for all its neighbours."""
    return repeat_slots(load_narrow(work, at * LANES))


@compiled
def expand_radial_tangents(
    work, vectors_at, basis_at, low, high, n_radial, n_basis, directions_at, tangents_at
):
    """Compute df_mu and behind them df'_mu of one group."""
    species = load_wide(work, vectors_at + 3 * WIDE)
    sum_basis(
        one_for_each_atom, work, directions_at // LANES, work, species, basis_at, low, high,
        n_radial, n_basis, tangents_at,
    )  # fmt: skip


@compiled
def accumulate_both(work, values_at, changes_at, monomials_at, tables, moments_at, tangents_at):
    """Add the neighbours of one group to the basic moments, M += f m and dM += df m."""
    # not accumulate_moments twice: loading the monomials again costs 2-4 % of an evaluation
    for mu in range(len(tables.first_of_mu) - 1):
        value = load_wide(work, values_at + mu * WIDE)
        change = load_wide(work, changes_at + mu * WIDE)
        for basic in range(tables.first_of_mu[mu], tables.first_of_mu[mu + 1]):
            power = load_wide(work, monomials_at + tables.monomial[basic] * WIDE)
            at = moments_at + basic * LANES
            store(work, at, fma_slots(value, power, load_narrow(work, at)))
            at = tangents_at + basic * LANES
            store(work, at, fma_slots(change, power, load_narrow(work, at)))


@spliced
def own_direction(work, directions_at, moment, seed):
    """Return how D depends on a moment directly: by the direction of its coefficient."""
    return load_narrow(work, directions_at + moment * LANES)


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
    directions_at = tangent_adjoints + n_moments * LANES
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
            adjoints,
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

        differentiate_tangents(
            own_direction,
            adjoints,
            work,
            moments,
            tangents,
            adjoints,
            tangent_adjoints,
            seeds,
            tables,
        )
        for i in range(PULL_SUMS):
            store(work, scratch + i * LANES, splat_narrow(0.0))
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
            pull_neighbors(
                work,
                here,
                group * 4 * WIDE,
                monomials,
                adjoint_monomials,
                degree,
                along,
                scratch,
            )
        scatter_pulls(
            work, atoms, scratch, radial, stride, places, n_groups, capacity, forces, strains
        )
