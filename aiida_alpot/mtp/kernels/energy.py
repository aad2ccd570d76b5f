# SPDX-License-Identifier: MIT
"""Energies, forces, strain derivatives and parameter rows of moment tensor potentials.

One pass over blocks of eight atoms: place neighbours, radial functions and monomials, moments,
products; then backwards dV/dM, dV/dm by monomial, dV/du through the recurrence of the monomials.
No Jacobian is stored. P_mu = sum_m dV/dM_(mu,m) m of a neighbour gives dV/dr (P . f') and, with
phi, the derivative with respect to the radial coefficients, so a row of parameters costs little
more than the forces.
"""

from __future__ import annotations

from aiida_alpot.mtp.kernels.adjoints import add_radial_rows, propagate_adjoints
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    WIDE,
    compiled,
    fma,
    load_narrow,
    load_wide,
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
    accumulate_moments,
    contract_moments,
    differentiate_contractions,
    expand_monomials,
    expand_radial,
    place_neighbors,
)


def energy_work_size(
    n_groups: int, coefficients_shape: tuple[int, ...], degree: int, n_moments: int
) -> int:
    """Return the doubles of work space that :func:`evaluate_blocks` needs for so many groups."""
    n_monomials = (degree + 1) * (degree + 2) * (degree + 3) // 6
    _, n_species, n_radial, n_basis = coefficients_shape
    by_group = 4 + 4 + 2 * n_basis + 2 * n_radial
    return (
        n_groups * by_group * WIDE
        + (2 * n_monomials + n_radial) * WIDE
        + (2 * n_moments + n_species * n_radial * n_basis + PULL_SUMS) * LANES
    )


@compiled
def store_rows(work, rows_at, moments_at, center, n_species, n_pair, scalar, at, rows):
    """Write dV/d(parameters) of a block from place ``at`` on: radial, species, moments."""
    n_radial_parameters = n_species * n_species * n_pair
    if n_species > 1:
        for i in range(n_radial_parameters + n_species):
            store(rows, at + i * LANES, splat_narrow(0.0))
    here = at + center * n_species * n_pair * LANES
    for i in range(n_species * n_pair):
        store(rows, here + i * LANES, load_narrow(work, rows_at + i * LANES))
    store(rows, at + (n_radial_parameters + center) * LANES, splat_narrow(1.0))
    here = at + (n_radial_parameters + n_species) * LANES
    for i in range(len(scalar)):
        store(rows, here + i * LANES, load_narrow(work, moments_at + scalar[i] * LANES))


@compiled
def evaluate_blocks(
    blocks,
    first,
    neighbor,
    vectors,
    types,
    coefficients,
    limits,
    species_coefficients,
    moment_coefficients,
    seeds,
    tables,
    work,
    places,
    energies,
    forces,
    strains,
    rows,
):
    """Evaluate blocks of up to eight atoms of one species each.

    Parameters
    ----------
    blocks : (n_blocks, 8) int64
        Atoms; -1 for none.
    first, neighbor, vectors
        Neighbour list; neighbours beyond the cutoff are left out here.
    types : (n_atoms,) int32
    coefficients : (n_species, n_species, n_radial, n_basis) float64
    limits : (3,) float64
        min_distance, cutoff, scaling.
    species_coefficients, moment_coefficients, seeds : float64
        Seeds are the moment coefficients spread over all moments.
    tables : ContractionTables
    work : float64, places : int64
        Work space, see :func:`energy_work_size` and :func:`place_neighbors`.
    energies : (n_atoms,) float64
        Site energies, written for the atoms of the blocks.
    forces : (n_atoms, 3) float64
        Forces are added; with no row at all neither forces nor strains are computed.
    strains : (n_atoms, 6) float64
        Part of each site in dE/dstrain, xx yy zz yz xz xy, written.
    rows : (n_blocks, n_parameters, 8) float64
        dV/d(parameters) of the atoms of each block, written unless there is no block; numbers
        without a meaning where a block has no atom.
    """
    n_species = coefficients.shape[0]
    n_radial = coefficients.shape[2]
    n_basis = coefficients.shape[3]
    n_pair = n_radial * n_basis
    n_basic = len(tables.monomial)
    degree = tables.degree
    n_monomials = (degree + 1) * (degree + 2) * (degree + 3) // 6
    wants_forces = len(forces) > 0
    wants_rows = len(rows) > 0
    capacity = (len(places) - LANES) // (2 + WIDE)
    stride = (4 + 2 * n_basis + 2 * n_radial) * WIDE
    radial = capacity * 4 * WIDE
    monomials = radial + capacity * stride
    adjoint_monomials = monomials + n_monomials * WIDE
    sums = adjoint_monomials + n_monomials * WIDE
    moments = sums + n_radial * WIDE
    adjoints = moments + tables.n_moments * LANES
    pair_rows = adjoints + tables.n_moments * LANES
    basis_offset = 4 * WIDE
    values_offset = basis_offset + 2 * n_basis * WIDE
    slopes_offset = values_offset + n_radial * WIDE
    scratch = pair_rows + n_species * n_pair * LANES
    for block in range(len(blocks)):
        atoms = blocks[block]
        center = types[atoms[0]]
        n_groups = place_neighbors(
            atoms, first, neighbor, vectors, types, n_species, limits[1], work, places
        )
        for basic in range(n_basic):
            store(work, moments + basic * LANES, splat_narrow(0.0))
        for group in range(n_groups):
            here = radial + group * stride
            low = places[LANES + 2 * group]
            high = places[LANES + 2 * group + 1]
            expand_radial(work, group * 4 * WIDE, low, high, coefficients, center, limits, here)
            expand_monomials(work, here, degree, monomials)
            accumulate_moments(
                work, here + values_offset, monomials, tables.first_of_mu, tables.monomial, moments
            )
        contract_moments(work, moments, n_basic, tables)

        total = splat_narrow(species_coefficients[center])
        for i in range(len(tables.scalar)):
            value = load_narrow(work, moments + tables.scalar[i] * LANES)
            total = fma(splat_narrow(moment_coefficients[i]), value, total)
        store(work, scratch, total)
        for lane in range(LANES):
            if atoms[lane] >= 0:
                energies[atoms[lane]] = work[scratch + lane]
        if not (wants_forces or wants_rows):
            continue

        differentiate_contractions(work, moments, seeds, adjoints, tables)
        if wants_rows:
            for i in range(n_species * n_pair):
                store(work, pair_rows + i * LANES, splat_narrow(0.0))
        for i in range(PULL_SUMS):
            store(work, scratch + i * LANES, splat_narrow(0.0))
        for group in range(n_groups):
            here = radial + group * stride
            expand_monomials(work, here, degree, monomials)
            propagate_adjoints(
                work,
                here + values_offset,
                monomials,
                n_monomials,
                adjoints,
                tables,
                adjoint_monomials,
                sums,
            )
            if wants_rows:
                low = places[LANES + 2 * group]
                high = places[LANES + 2 * group + 1]
                add_radial_rows(
                    work,
                    group * 4 * WIDE,
                    here + basis_offset,
                    sums,
                    low,
                    high,
                    n_radial,
                    n_basis,
                    pair_rows,
                )
            if not wants_forces:
                continue
            along = splat_wide(0.0)
            for mu in range(n_radial):
                slope = load_wide(work, here + slopes_offset + mu * WIDE)
                along = fma(load_wide(work, sums + mu * WIDE), slope, along)
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
        if wants_rows:
            store_rows(
                work,
                pair_rows,
                moments,
                center,
                n_species,
                n_pair,
                tables.scalar,
                block * rows.shape[1] * LANES,
                rows,
            )
        if not wants_forces:
            continue
        scatter_pulls(
            work, atoms, scratch, radial, stride, places, n_groups, capacity, forces, strains
        )
