# SPDX-License-Identifier: MIT
"""Derivatives of energies, forces and strain derivatives by every parameter, atom by atom.

Symbols: V site energy, B_s scalars, M_b basic moments, phi_k radial basis, f_mu radial functions, u
unit vector to a neighbour j, r_j the vector, Y_m monomials of u. For one atom, with c the
coefficients of its pairs (t type of the neighbour) and xi those of the scalars::

    d(dV/dr_j)/dxi_s     = sum_b (dB_s/dM_b) dM_b/dr_j
    d(dV/dr_j)/dc_t,mu,k = sum_b H_b dM_b/dr_j + [j of type t] d(phi_k h_mu)/dr_j
    H_b  = sum_b' (d2V/dM_b dM_b') A_b',  A_b' = sum_(j of type t) phi_k Y_m(b'), b' with this mu
    h_mu = sum_(b with mu) (dV/dM_b) Y_m(b)

dB_s/dM_b comes from a reverse pass through the products for 8 scalars side by side, H_b from a
tangent and a reverse pass for 8 polynomials k side by side. Neighbours are stored 8 to a vector,
all of one type; places that are not taken hold a dummy beyond the cutoff. Sums over neighbours and
products run in a fixed order, so that the same inputs give the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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

Array = np.ndarray


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


class WorkSpace(NamedTuple):
    """Arrays for one atom; a *row* holds x, then y, then z for all places, padded to vectors."""

    places: Array
    """Pair in each place, -1 for a dummy."""
    kinds: Array
    """Type of the neighbours of each vector of places."""
    xyz: Array
    unit: Array
    """u and 1/r."""
    radial: Array
    slopes: Array
    """phi_k and dphi_k/dr."""
    values: Array
    """f_mu and its slope, in turn."""
    monomials: Array
    """Y_m and its gradient, in turn."""
    basics: Array
    """Rows of dM_b/dr_j."""
    projected: Array
    """A_t,m,k, k padded to whole vectors."""
    moments: Array
    gradient: Array
    """M and dV/dM."""
    tangent: Array
    adjoint: Array
    """Eight lanes for each moment."""
    rows: Array
    """Eight rows of d(dV/dr_j)/dparameter."""
    scratch: Array
    """Numbers on their way between vectors and scalars."""


class Target(NamedTuple):
    """The Jacobian of a block: a row for each parameter."""

    jacobian: Array
    first_atom: int
    n_atoms: int
    first_strain: int
    first_force: int
    """First column of the strain derivatives and of the forces."""


def make_work_space(tables, n_neighbors: int, n_species: int, size: int) -> WorkSpace:
    """Return arrays for atoms of at most so many neighbours, and ``size`` polynomials."""
    # the neighbours of each type begin a vector
    capacity = (n_neighbors + LANES - 1) // LANES * LANES + n_species * LANES
    width = _round_up(3 * capacity, WIDE)
    n_basic, n_monomials = len(tables.basic_mu), len(tables.monomial_parent)
    n_moments = n_basic + len(tables.first_product) - 1
    n_radial = int(tables.basic_mu.max()) + 1
    return WorkSpace(
        places=np.zeros(capacity, np.int64),
        kinds=np.zeros(capacity // LANES, np.int64),
        xyz=np.zeros(3 * capacity),
        unit=np.zeros(4 * capacity),
        radial=np.zeros(size * capacity),
        slopes=np.zeros(size * capacity),
        values=np.zeros(2 * n_radial * capacity),
        monomials=np.zeros(4 * n_monomials * capacity),
        basics=np.zeros(n_basic * width),
        projected=np.zeros(n_species * n_monomials * _round_up(size, LANES)),
        moments=np.zeros(n_moments),
        gradient=np.zeros(n_moments),
        tangent=np.zeros(n_moments * LANES),
        adjoint=np.zeros(n_moments * LANES),
        rows=np.zeros(LANES * width),
        scratch=np.zeros(_round_up(size, LANES)),
    )


def _round_up(count: int, step: int) -> int:
    return (count + step - 1) // step * step


@compiled
def place_neighbors(atom, surroundings, n_species, cutoff, work):
    """Distribute the neighbours of an atom over places, by type; return the number of places."""
    capacity = len(work.places)
    n_vectors = 0
    for kind in range(n_species):
        at = n_vectors * LANES
        for pair in range(surroundings.first[atom], surroundings.first[atom + 1]):
            if surroundings.types[surroundings.neighbor[pair]] == kind:
                work.places[at] = pair
                for axis in range(3):
                    work.xyz[axis * capacity + at] = surroundings.vectors[pair, axis]
                at += 1
        end = (at + LANES - 1) // LANES
        for place in range(at, end * LANES):
            work.places[place] = -1
            work.xyz[place] = cutoff + 1.0
            work.xyz[capacity + place] = 0.0
            work.xyz[2 * capacity + place] = 0.0
        for vector in range(n_vectors, end):
            work.kinds[vector] = kind
        n_vectors = end
    return n_vectors * LANES


@compiled
def expand_radially(n_places, centre, form, work):
    """Evaluate u, 1/r, phi_k, f_mu and the slopes."""
    capacity = len(work.places)
    n_radial, size = form.coefficients.shape[2:]
    lower, cutoff = form.min_distance, form.cutoff
    stretch = 2.0 / (cutoff - lower)
    for place in range(n_places):
        x = work.xyz[place]
        y = work.xyz[capacity + place]
        z = work.xyz[2 * capacity + place]
        r = np.sqrt(x * x + y * y + z * z)
        work.unit[place] = x / r
        work.unit[capacity + place] = y / r
        work.unit[2 * capacity + place] = z / r
        work.unit[3 * capacity + place] = 1.0 / r
        argument = (2.0 * r - (lower + cutoff)) / (cutoff - lower)
        q = cutoff - r if r < cutoff else 0.0
        # T_(-1) = T_1 starts the recurrence
        before, now = argument, 1.0
        before_slope, now_slope = stretch, 0.0
        for k in range(size):
            work.radial[k * capacity + place] = form.scaling * now * q * q
            work.slopes[k * capacity + place] = form.scaling * (now_slope * q - 2.0 * now) * q
            after = 2.0 * argument * now - before
            after_slope = 2.0 * (stretch * now + argument * now_slope) - before_slope
            before, now = now, after
            before_slope, now_slope = now_slope, after_slope
    for at in range(0, n_places, LANES):
        kind = work.kinds[at // LANES]
        for mu in range(n_radial):
            value = splat_narrow(0.0)
            slope = splat_narrow(0.0)
            for k in range(size):
                c = splat_narrow(form.coefficients[centre, kind, mu, k])
                value = fma(c, load_narrow(work.radial, k * capacity + at), value)
                slope = fma(c, load_narrow(work.slopes, k * capacity + at), slope)
            store(work.values, 2 * mu * capacity + at, value)
            store(work.values, (2 * mu + 1) * capacity + at, slope)


@compiled
def differentiate_basics(tables, n_places, width, work):
    """Evaluate Y_m with its gradient, and dM_b/dr_j."""
    capacity = len(work.places)
    for at in range(0, n_places, LANES):
        inverse = load_narrow(work.unit, 3 * capacity + at)
        for m in range(len(tables.monomial_parent)):
            row = 4 * m * capacity + at
            if m == 0:
                value = splat_narrow(1.0)
            else:
                parent = load_narrow(work.monomials, 4 * tables.monomial_parent[m] * capacity + at)
                value = parent * load_narrow(work.unit, tables.monomial_axis[m] * capacity + at)
            store(work.monomials, row, value)
            powers = tables.monomial_powers[m]
            degree = splat_narrow(-(powers[0] + powers[1] + powers[2]))
            for axis in range(3):
                u = load_narrow(work.unit, axis * capacity + at)
                lower = 4 * tables.monomial_lower[m, axis] * capacity + at
                inner = degree * value * u
                inner = fma(splat_narrow(powers[axis]), load_narrow(work.monomials, lower), inner)
                store(work.monomials, row + (axis + 1) * capacity, inner * inverse)
        for b in range(len(tables.basic_mu)):
            row = 4 * tables.basic_monomial[b] * capacity + at
            f = load_narrow(work.values, 2 * tables.basic_mu[b] * capacity + at)
            slope = load_narrow(work.values, (2 * tables.basic_mu[b] + 1) * capacity + at)
            outward = slope * load_narrow(work.monomials, row)
            for axis in range(3):
                gradient = load_narrow(work.monomials, row + (axis + 1) * capacity)
                u = load_narrow(work.unit, axis * capacity + at)
                store(work.basics, b * width + axis * n_places + at, fma(f, gradient, outward * u))


@compiled
def project_on_radial_basis(tables, n_species, size, n_places, work):
    """Evaluate A_t,m,k, the sum over neighbours of type t of phi_k Y_m."""
    capacity = len(work.places)
    lanes = (size + LANES - 1) // LANES * LANES
    n_monomials = len(tables.monomial_parent)
    work.scratch[:] = 0.0
    work.projected[: n_species * n_monomials * lanes] = 0.0
    for place in range(n_places):
        for k in range(size):
            work.scratch[k] = work.radial[k * capacity + place]
        of_kind = work.kinds[place // LANES] * n_monomials
        for block in range(0, lanes, LANES):
            vector = load_narrow(work.scratch, block)
            for m in range(n_monomials):
                at = (of_kind + m) * lanes + block
                y = splat_narrow(work.monomials[4 * m * capacity + place])
                store(work.projected, at, fma(y, vector, load_narrow(work.projected, at)))


@compiled
def contract_moments(tables, coefficients, work):
    """Evaluate all moments of an atom from the projections; ``coefficients`` are of its pairs."""
    n_species, _, size = coefficients.shape
    lanes = (size + LANES - 1) // LANES * LANES
    n_monomials = len(tables.monomial_parent)
    n_basic = len(tables.basic_mu)
    for b in range(n_basic):
        total = 0.0
        for kind in range(n_species):
            at = (kind * n_monomials + tables.basic_monomial[b]) * lanes
            for k in range(size):
                total += coefficients[kind, tables.basic_mu[b], k] * work.projected[at + k]
        work.moments[b] = total
    for group in range(len(tables.first_product) - 1):
        total = 0.0
        for q in range(tables.first_product[group], tables.first_product[group + 1]):
            product = work.moments[tables.left[q]] * work.moments[tables.right[q]]
            total += tables.weight[q] * product
        work.moments[n_basic + group] = total


@compiled
def differentiate_energy(tables, xi, work):
    """Evaluate dV/dM for every moment of an atom."""
    work.gradient[:] = 0.0
    for s in range(len(xi)):
        work.gradient[tables.scalar[s]] += xi[s]
    for q in range(len(tables.target) - 1, -1, -1):
        g = tables.weight[q] * work.gradient[tables.target[q]]
        work.gradient[tables.left[q]] += g * work.moments[tables.right[q]]
        work.gradient[tables.right[q]] += g * work.moments[tables.left[q]]


@compiled
def differentiate_scalars(tables, group, work):
    """Evaluate dB_s/dM for a group of 8 scalars s."""
    for at in range(0, len(work.adjoint), LANES):
        store(work.adjoint, at, splat_narrow(0.0))
    start = group * LANES
    for s in range(start, min(start + LANES, len(tables.scalar))):
        work.adjoint[tables.scalar[s] * LANES + s - start] += 1.0
    for index in range(tables.group_first[group], tables.group_first[group + 1]):
        q = tables.group_products[index]
        left = tables.left[q]
        right = tables.right[q]
        g = splat_narrow(tables.weight[q]) * load_narrow(work.adjoint, tables.target[q] * LANES)
        at = left * LANES
        total = load_narrow(work.adjoint, at)
        store(work.adjoint, at, fma(splat_narrow(work.moments[right]), g, total))
        # read after the other was written: both may be the same moment
        at = right * LANES
        total = load_narrow(work.adjoint, at)
        store(work.adjoint, at, fma(splat_narrow(work.moments[left]), g, total))


@compiled
def respond_to_radial(tables, kind, mu, block, lanes, work):
    """Evaluate H_b for 8 polynomials k, from ``block`` on, of one radial function f_mu."""
    for at in range(0, len(work.tangent), LANES):
        store(work.tangent, at, splat_narrow(0.0))
        store(work.adjoint, at, splat_narrow(0.0))
    n_monomials = len(tables.monomial_parent)
    for b in range(len(tables.basic_mu)):
        if tables.basic_mu[b] == mu:
            at = (kind * n_monomials + tables.basic_monomial[b]) * lanes + block
            store(work.tangent, b * LANES, load_narrow(work.projected, at))
    for index in range(tables.forward_first[mu], tables.forward_first[mu + 1]):
        q = tables.forward_products[index]
        left = tables.left[q]
        right = tables.right[q]
        at = tables.target[q] * LANES
        total = load_narrow(work.tangent, at)
        factor = splat_narrow(tables.weight[q] * work.moments[left])
        total = fma(factor, load_narrow(work.tangent, right * LANES), total)
        factor = splat_narrow(tables.weight[q] * work.moments[right])
        store(work.tangent, at, fma(factor, load_narrow(work.tangent, left * LANES), total))
    for index in range(tables.backward_first[mu], tables.backward_first[mu + 1]):
        q = tables.backward_products[index]
        left = tables.left[q]
        right = tables.right[q]
        weight = tables.weight[q]
        g = splat_narrow(weight * work.gradient[tables.target[q]])
        h = splat_narrow(weight) * load_narrow(work.adjoint, tables.target[q] * LANES)
        at = left * LANES
        total = fma(g, load_narrow(work.tangent, right * LANES), load_narrow(work.adjoint, at))
        store(work.adjoint, at, fma(splat_narrow(work.moments[right]), h, total))
        at = right * LANES
        total = fma(g, load_narrow(work.tangent, left * LANES), load_narrow(work.adjoint, at))
        store(work.adjoint, at, fma(splat_narrow(work.moments[left]), h, total))


@compiled
def sum_scalar_rows(tables, group, width, work):
    """Write sum_b (dB_s/dM_b) dM_b/dr_j to a row for each scalar s of a group; count them."""
    n_lanes = min(LANES, len(tables.scalar) - group * LANES)
    for lane in range(n_lanes):
        start = tables.scalar_first[group * LANES + lane]
        end = tables.scalar_first[group * LANES + lane + 1]
        for at in range(0, width, WIDE):
            total = splat_wide(0.0)
            for index in range(start, end):
                b = tables.scalar_basics[index]
                weight = splat_wide(work.adjoint[b * LANES + lane])
                total = fma(weight, load_wide(work.basics, b * width + at), total)
            store(work.rows, lane * width + at, total)
    return n_lanes


@compiled
def sum_response_rows(tables, mu, width, work):
    """Write sum_b H_b dM_b/dr_j to eight rows, four at once to share the loads."""
    for lane in range(0, LANES, 4):
        for at in range(0, width, WIDE):
            total0 = splat_wide(0.0)
            total1 = splat_wide(0.0)
            total2 = splat_wide(0.0)
            total3 = splat_wide(0.0)
            for index in range(tables.response_first[mu], tables.response_first[mu + 1]):
                b = tables.response_basics[index]
                value = load_wide(work.basics, b * width + at)
                first = b * LANES + lane
                total0 = fma(splat_wide(work.adjoint[first]), value, total0)
                total1 = fma(splat_wide(work.adjoint[first + 1]), value, total1)
                total2 = fma(splat_wide(work.adjoint[first + 2]), value, total2)
                total3 = fma(splat_wide(work.adjoint[first + 3]), value, total3)
            store(work.rows, lane * width + at, total0)
            store(work.rows, (lane + 1) * width + at, total1)
            store(work.rows, (lane + 2) * width + at, total2)
            store(work.rows, (lane + 3) * width + at, total3)


@compiled
def add_direct_terms(tables, kind, mu, block, n_polynomials, n_places, width, work):
    """Add d(phi_k h_mu)/dr_j of the neighbours of one type to the rows, k from ``block`` on."""
    capacity = len(work.places)
    for at in range(0, n_places, LANES):
        if work.kinds[at // LANES] != kind:
            continue
        h = splat_narrow(0.0)
        hx = splat_narrow(0.0)
        hy = splat_narrow(0.0)
        hz = splat_narrow(0.0)
        for b in range(len(tables.basic_mu)):
            if tables.basic_mu[b] == mu:
                g = splat_narrow(work.gradient[b])
                m = 4 * tables.basic_monomial[b] * capacity + at
                h = fma(g, load_narrow(work.monomials, m), h)
                hx = fma(g, load_narrow(work.monomials, m + capacity), hx)
                hy = fma(g, load_narrow(work.monomials, m + 2 * capacity), hy)
                hz = fma(g, load_narrow(work.monomials, m + 3 * capacity), hz)
        for lane in range(n_polynomials):
            phi = load_narrow(work.radial, (block + lane) * capacity + at)
            outward = load_narrow(work.slopes, (block + lane) * capacity + at) * h
            to = lane * width + at
            x = fma(outward, load_narrow(work.unit, at), load_narrow(work.rows, to))
            store(work.rows, to, fma(phi, hx, x))
            to += n_places
            y = fma(outward, load_narrow(work.unit, capacity + at), load_narrow(work.rows, to))
            store(work.rows, to, fma(phi, hy, y))
            to += n_places
            z = fma(outward, load_narrow(work.unit, 2 * capacity + at), load_narrow(work.rows, to))
            store(work.rows, to, fma(phi, hz, z))


@compiled
def scatter_rows(n_lanes, first_row, atom, strain, n_places, width, surroundings, work, target):
    """Add rows to the forces on the atom and its neighbours, and to the strain derivatives.

    F_j = -dV/dr_j, F_i = sum_j dV/dr_j; dE/dstrain = sum_j r_j (dV/dr_j), which is symmetric. The
    rows belong to the parameters from ``first_row`` on.
    """
    capacity = len(work.places)
    for lane in range(n_lanes):
        parameter = first_row + lane
        for axis in range(3):
            at = lane * width + axis * n_places
            to = target.first_force + axis * target.n_atoms - target.first_atom
            force = 0.0
            for place in range(n_places):
                pair = work.places[place]
                if pair >= 0:
                    g = work.rows[at + place]
                    force += g
                    target.jacobian[parameter, to + surroundings.neighbor[pair]] -= g
            target.jacobian[parameter, to + atom] += force
        for voigt in range(6):
            if voigt < 3:
                left, right = voigt, voigt
            else:  # yz, xz, xy
                left, right = (1 if voigt == 3 else 0), (1 if voigt == 5 else 2)
            sums = splat_narrow(0.0)
            for at in range(0, n_places, LANES):
                g = load_narrow(work.rows, lane * width + right * n_places + at)
                sums = fma(load_narrow(work.xyz, left * capacity + at), g, sums)
            store(work.scratch, 0, sums)
            total = 0.0
            for index in range(LANES):
                total += work.scratch[index]
            target.jacobian[parameter, strain + voigt] += total


@compiled
def add_scalar_rows(tables, first_row, atom, strain, n_places, width, surroundings, work, target):
    """Add what an atom gives to the forces and strains of the coefficients of the scalars."""
    for group in range(len(tables.group_first) - 1):
        differentiate_scalars(tables, group, work)
        n_lanes = sum_scalar_rows(tables, group, width, work)
        row = first_row + group * LANES
        scatter_rows(n_lanes, row, atom, strain, n_places, width, surroundings, work, target)


@compiled
def add_radial_energies(tables, first_row, kind, mu, size, configuration, work, target):
    """Add dV/dc_t,mu,k = sum_b (dV/dM_b) A_t,m(b),k to the energy of the configuration."""
    lanes = (size + LANES - 1) // LANES * LANES
    n_monomials = len(tables.monomial_parent)
    for b in range(len(tables.basic_mu)):
        if tables.basic_mu[b] == mu:
            at = (kind * n_monomials + tables.basic_monomial[b]) * lanes
            for k in range(size):
                product = work.gradient[b] * work.projected[at + k]
                target.jacobian[first_row + k, configuration] += product


@compiled
def add_radial_rows(
    tables, first_row, kind, mu, size, atom, strain, n_places, width, surroundings, work, target
):
    """Add what an atom gives to the forces and strains of the c_t,mu,k of all k."""
    lanes = (size + LANES - 1) // LANES * LANES
    for block in range(0, lanes, LANES):
        respond_to_radial(tables, kind, mu, block, lanes, work)
        sum_response_rows(tables, mu, width, work)
        n_polynomials = min(LANES, size - block)
        add_direct_terms(tables, kind, mu, block, n_polynomials, n_places, width, work)
        row = first_row + block
        scatter_rows(n_polynomials, row, atom, strain, n_places, width, surroundings, work, target)


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

    Its rows are the radial coefficients [centre][neighbour][mu][k] if ``with_radial``, species,
    scalars; its columns the energies, then ``with_forces`` six strain derivatives of each
    configuration and the x, y and z components of the forces on all atoms.
    """
    n_species, _, n_radial, size = form.coefficients.shape
    first_species = n_species * n_species * n_radial * size if with_radial else 0
    first_scalar = first_species + n_species
    strain = target.first_strain + 6 * configuration
    for atom in range(first, end):
        centre = surroundings.types[atom]
        n_places = place_neighbors(atom, surroundings, n_species, form.cutoff, work)
        width = (3 * n_places + WIDE - 1) // WIDE * WIDE
        expand_radially(n_places, centre, form, work)
        differentiate_basics(tables, n_places, width, work)
        project_on_radial_basis(tables, n_species, size, n_places, work)
        contract_moments(tables, form.coefficients[centre], work)
        target.jacobian[first_species + centre, configuration] += 1.0
        for s in range(len(xi)):
            moment = work.moments[tables.scalar[s]]
            target.jacobian[first_scalar + s, configuration] += moment
        if with_forces:
            add_scalar_rows(
                tables, first_scalar, atom, strain, n_places, width, surroundings, work, target
            )
        if with_radial:
            differentiate_energy(tables, xi, work)
            for kind in range(n_species):
                for mu in range(n_radial):
                    row = ((centre * n_species + kind) * n_radial + mu) * size
                    add_radial_energies(tables, row, kind, mu, size, configuration, work, target)
                    if with_forces:
                        add_radial_rows(
                            tables, row, kind, mu, size, atom, strain, n_places, width,
                            surroundings, work, target,
                        )  # fmt: skip


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
