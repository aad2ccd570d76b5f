# SPDX-License-Identifier: MIT
"""Derivatives of energies, forces and strain derivatives by every parameter, atom by atom.

Symbols: V site energy, B_s scalars, M_b basic moments, phi_k radial basis, f_mu radial functions, u
unit vector to a neighbour j, r_j the vector, Y_m monomials of u. For one atom, with c the
coefficients of its pairs (t type of the neighbour) and xi those of the scalars::

    d(dV/dr_j)/dxi_s     = sum_b (dB_s/dM_b) dM_b/dr_j
    d(dV/dr_j)/dc_t,mu,k = sum_b H_b dM_b/dr_j + [j of type t] d(phi_k h_mu)/dr_j
    H_b  = sum_b' (d2V/dM_b dM_b') A_b',  A_b' = sum_(j of type t) phi_k Y_m(b'), b' with this mu
    h_mu = sum_(b with mu) (dV/dM_b) Y_m(b)

dB_s/dM_b and H_b come from the programs of :mod:`aiida_alpot.mtp.kernels.jacobian_tables`, for 8
scalars or 8 polynomials k side by side; their products with dM_b/dr_j are small matrix products,
which take most of the time. The Jacobian is kept in *planes* of 8 parameters, so that what a pair
gives to forces and strains is added 8 parameters at once. Neighbours are stored 8 to a vector, all
of one type; places that are not taken hold a dummy beyond the cutoff. Sums over neighbours and
products run in a fixed order, so that the same inputs give the same bits.
"""

from __future__ import annotations

from aiida_alpot.mtp.kernels.elements import element
from aiida_alpot.mtp.kernels.jacobian_moments import (
    contract_moments,
    differentiate_basics,
    differentiate_energy,
    expand_functions,
    expand_monomials,
    expand_radially,
    place_neighbors,
    project_on_radial_basis,
)
from aiida_alpot.mtp.kernels.jacobian_rows import (
    add_direct_terms,
    multiply_basics,
    run_program,
    scatter_rows,
)
from aiida_alpot.mtp.kernels.lanes import LANES, compiled, fma, load_narrow, splat_narrow, store


@compiled
def add_linear_energies(tables, centre, configuration, work, target):
    """Add the scalars, and one for the species, to the energy of the configuration."""
    n_groups = len(tables.group_first) - 1
    for index in range(len(tables.lane_scalar)):
        s = element(tables.lane_scalar, index)
        if s >= 0:
            column = (target.first_scalar + index // LANES) * target.n_columns + configuration
            value = work.numbers[element(tables.scalar, s)]
            target.jacobian[column * LANES + index % LANES] += value
    plane = target.first_scalar + n_groups + centre // LANES
    column = plane * target.n_columns + configuration
    target.jacobian[column * LANES + centre % LANES] += 1.0


@compiled
def add_radial_energies(tables, plane, kind, mu, block, lanes, configuration, work, target):
    """Add dV/dc_t,mu,k = sum_b (dV/dM_b) A_t,m(b),k to the energy of the configuration."""
    n_monomials = len(tables.monomial_parent)
    gradient = len(tables.first_use) - 1
    to = (plane * target.n_columns + configuration) * LANES
    total = load_narrow(target.jacobian, to)
    for index in range(
        element(tables.basics_of_mu_first, mu), element(tables.basics_of_mu_first, mu + 1)
    ):
        b = element(tables.basics_of_mu, index)
        at = (kind * n_monomials + element(tables.basic_monomial, b)) * lanes + block
        g = splat_narrow(element(work.numbers, gradient + b))
        total = fma(g, load_narrow(work.projected, at), total)
    store(target.jacobian, to, total)


@compiled
def add_radial_rows(
    tables, plane, kind, mu, block, lanes, atom, strain, n_vectors, surroundings, work, target
):
    """Add what an atom gives to the forces and strains of the c_t,mu,k, k from ``block`` on."""
    n_basic = len(tables.basic_mu)
    n_monomials = len(tables.monomial_parent)
    tangent = len(tables.first_use) - 1
    for index in range(
        element(tables.basics_of_mu_first, mu), element(tables.basics_of_mu_first, mu + 1)
    ):
        b = element(tables.basics_of_mu, index)
        at = (kind * n_monomials + element(tables.basic_monomial, b)) * lanes + block
        store(work.vectors, (tangent + b) * LANES, load_narrow(work.projected, at))
    run_program(tables, len(tables.group_first) - 1 + mu, work.numbers, work.vectors)
    first = element(tables.response_first, mu)
    end = element(tables.response_first, mu + 1)
    multiply_basics(tables.response_basics, first, end, n_vectors, n_basic, work)
    add_direct_terms(tables, kind, mu, block, lanes, work)
    scatter_rows(plane, atom, strain, n_vectors, surroundings, work, target)


@compiled
def add_scalar_rows(tables, atom, strain, n_vectors, surroundings, work, target):
    """Add what an atom gives to the forces and strains of the coefficients of the scalars."""
    n_basic = len(tables.basic_mu)
    for group in range(len(tables.group_first) - 1):
        run_program(tables, group, work.numbers, work.vectors)
        first = element(tables.group_first, group)
        end = element(tables.group_first, group + 1)
        multiply_basics(tables.group_basics, first, end, n_vectors, n_basic, work)
        plane = target.first_scalar + group
        scatter_rows(plane, atom, strain, n_vectors, surroundings, work, target)


@compiled
def accumulate_configuration(
    tables,
    configuration,
    first,
    end,
    with_radial,
    with_forces,
    surroundings,
    form,
    xi,
    work,
    target,
):
    """Add the atoms ``first`` to ``end`` of one configuration to a Jacobian.

    Its columns are the energies, then ``with_forces`` six strain derivatives of each configuration
    and the x, y and z components of the force on each atom.
    """
    n_species, _, n_radial, size = form.coefficients.shape
    lanes = (size + LANES - 1) // LANES * LANES
    strain = target.first_strain + 6 * configuration
    for atom in range(first, end):
        centre = surroundings.types[atom]
        n_vectors = place_neighbors(atom, surroundings, n_species, form.cutoff, work)
        expand_radially(n_vectors, centre, size, form, work)
        expand_functions(n_vectors, centre, form, work)
        expand_monomials(tables, n_vectors, work)
        project_on_radial_basis(tables, n_species, size, work)
        contract_moments(tables, form.coefficients[centre], work)
        add_linear_energies(tables, centre, configuration, work, target)
        if with_forces:
            differentiate_basics(tables, n_vectors, work)
            add_scalar_rows(tables, atom, strain, n_vectors, surroundings, work, target)
        if with_radial:
            differentiate_energy(tables, xi, work)
            plane = centre * n_species * n_radial * (lanes // LANES)
            for kind in range(n_species):
                for mu in range(n_radial):
                    for block in range(0, lanes, LANES):
                        add_radial_energies(
                            tables, plane, kind, mu, block, lanes, configuration, work, target
                        )
                        if with_forces:
                            add_radial_rows(
                                tables, plane, kind, mu, block, lanes, atom, strain, n_vectors,
                                surroundings, work, target,
                            )  # fmt: skip
                        plane += 1


@compiled
def accumulate_block(
    tables, configurations, with_radial, with_forces, surroundings, form, xi, work, target
):
    """Add the configurations of a block, counted from ``configurations[0]``, to a Jacobian."""
    start, end = configurations
    for configuration in range(start, end):
        accumulate_configuration(
            tables,
            configuration - start,
            surroundings.offsets[configuration],
            surroundings.offsets[configuration + 1],
            with_radial,
            with_forces,
            surroundings,
            form,
            xi,
            work,
            target,
        )
