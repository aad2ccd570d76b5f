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

from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.kernels.elements import element
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    any_less,
    compiled,
    fma,
    load_narrow,
    positive_part,
    splat_narrow,
    square_root,
    store,
)
from aiida_alpot.mtp.kernels.zbl import fade_of_pair

Array = np.ndarray
TILE = 4
"""Neighbours whose three components are multiplied at once."""
_OF_MONOMIAL = 4 * LANES  # Y_m and its gradient for the neighbours of one vector
_OF_BASIC = 3 * LANES  # dM_b/dr_j for them


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


@compiled
def place_neighbors(atom, surroundings, n_species, cutoff, work):
    """Distribute the neighbours of an atom over places, by type; return the number of vectors."""
    capacity = len(work.places)
    n_vectors = 0
    for kind in range(n_species):
        work.first_vector[kind] = n_vectors
        at = n_vectors * LANES
        for pair in range(surroundings.first[atom], surroundings.first[atom + 1]):
            if surroundings.types[surroundings.neighbor[pair]] == kind:
                work.places[at] = pair
                for axis in range(3):
                    work.xyz[axis * capacity + at] = surroundings.vectors[pair, axis]
                at += 1
        n_vectors = (at + LANES - 1) // LANES
        for place in range(at, n_vectors * LANES):
            work.places[place] = -1
            work.xyz[place] = cutoff + 1.0
            work.xyz[capacity + place] = 0.0
            work.xyz[2 * capacity + place] = 0.0
    work.first_vector[n_species] = n_vectors
    return n_vectors


@compiled
def expand_radially(n_vectors, centre, size, form, work):
    """Evaluate u, 1/r, phi_k and its slopes."""
    capacity = len(work.places)
    lower = form.min_distance
    cutoff = form.cutoff
    stretch = splat_narrow(2.0 / (cutoff - lower))
    shift = splat_narrow(-(lower + cutoff) / (cutoff - lower))
    zero = splat_narrow(0.0)
    kind = 0
    for vector in range(n_vectors):
        at = vector * LANES
        x = load_narrow(work.xyz, at)
        y = load_narrow(work.xyz, capacity + at)
        z = load_narrow(work.xyz, 2 * capacity + at)
        r = square_root(fma(x, x, fma(y, y, z * z)))
        inverse = splat_narrow(1.0) / r
        store(work.unit, at, x * inverse)
        store(work.unit, capacity + at, y * inverse)
        store(work.unit, 2 * capacity + at, z * inverse)
        store(work.unit, 3 * capacity + at, inverse)
        argument = fma(stretch, r, shift)
        margin = positive_part(splat_narrow(cutoff) - r)
        now = splat_narrow(form.scaling) * margin * margin
        now_slope = splat_narrow(-2.0 * form.scaling) * margin
        if len(form.fade) > 0 and any_less(r, form.fade[0]):
            while vector >= work.first_vector[kind + 1]:
                kind += 1
            pair = 1 + 2 * (centre * form.coefficients.shape[1] + kind)
            share, share_slope = fade_of_pair(r, form.fade[pair], form.fade[pair + 1])
            now_slope = fma(now, share_slope, now_slope * share)
            now = now * share
        # T_(-1) = T_1 starts the recurrence
        before = argument * now
        before_slope = fma(stretch, now, argument * now_slope)
        twice = argument + argument
        twice_slope = stretch + stretch
        for k in range(size):
            store(work.radial, k * capacity + at, now)
            store(work.slopes, k * capacity + at, now_slope)
            after = fma(twice, now, zero - before)
            after_slope = fma(twice, now_slope, fma(twice_slope, now, zero - before_slope))
            before = now
            before_slope = now_slope
            now = after
            now_slope = after_slope


@compiled
def expand_functions(n_vectors, centre, form, work):
    """Evaluate f_mu and its slope, and turn phi_k to k side by side."""
    capacity = len(work.places)
    n_species, _, n_radial, size = form.coefficients.shape
    lanes = (size + LANES - 1) // LANES * LANES
    for kind in range(n_species):
        for vector in range(work.first_vector[kind], work.first_vector[kind + 1]):
            at = vector * LANES
            for mu in range(n_radial):
                value = splat_narrow(0.0)
                slope = splat_narrow(0.0)
                for k in range(size):
                    c = splat_narrow(form.coefficients[centre, kind, mu, k])
                    value = fma(c, load_narrow(work.radial, k * capacity + at), value)
                    slope = fma(c, load_narrow(work.slopes, k * capacity + at), slope)
                store(work.values, 2 * mu * capacity + at, value)
                store(work.values, (2 * mu + 1) * capacity + at, slope)
    for place in range(n_vectors * LANES):
        for k in range(size):
            work.basis[place * lanes + k] = work.radial[k * capacity + place]
            work.basis_slopes[place * lanes + k] = work.slopes[k * capacity + place]


@compiled
def expand_monomials(tables, n_vectors, work):
    """Evaluate Y_m with its gradient."""
    capacity = len(work.places)
    n_monomials = len(tables.monomial_parent)
    for vector in range(n_vectors):
        at = vector * LANES
        x = load_narrow(work.unit, at)
        y = load_narrow(work.unit, capacity + at)
        z = load_narrow(work.unit, 2 * capacity + at)
        inverse = load_narrow(work.unit, 3 * capacity + at)
        start = vector * n_monomials * _OF_MONOMIAL
        for m in range(n_monomials):
            value = splat_narrow(1.0)
            if m > 0:
                parent = start + element(tables.monomial_parent, m) * _OF_MONOMIAL
                direction = element(tables.monomial_axis, m) * capacity + at
                value = load_narrow(work.monomials, parent) * load_narrow(work.unit, direction)
            row = start + m * _OF_MONOMIAL
            store(work.monomials, row, value)
            degree = splat_narrow(-element(tables.monomial_degree, m)) * value
            lower = start + element(tables.monomial_lower, 3 * m) * _OF_MONOMIAL
            power = splat_narrow(element(tables.monomial_powers, 3 * m))
            inner = fma(power, load_narrow(work.monomials, lower), degree * x)
            store(work.monomials, row + LANES, inner * inverse)
            lower = start + element(tables.monomial_lower, 3 * m + 1) * _OF_MONOMIAL
            power = splat_narrow(element(tables.monomial_powers, 3 * m + 1))
            inner = fma(power, load_narrow(work.monomials, lower), degree * y)
            store(work.monomials, row + 2 * LANES, inner * inverse)
            lower = start + element(tables.monomial_lower, 3 * m + 2) * _OF_MONOMIAL
            power = splat_narrow(element(tables.monomial_powers, 3 * m + 2))
            inner = fma(power, load_narrow(work.monomials, lower), degree * z)
            store(work.monomials, row + 3 * LANES, inner * inverse)


@compiled
def differentiate_basics(tables, n_vectors, work):
    """Evaluate dM_b/dr_j."""
    capacity = len(work.places)
    n_monomials = len(tables.monomial_parent)
    n_basic = len(tables.basic_mu)
    for vector in range(n_vectors):
        at = vector * LANES
        x = load_narrow(work.unit, at)
        y = load_narrow(work.unit, capacity + at)
        z = load_narrow(work.unit, 2 * capacity + at)
        for b in range(n_basic):
            row = (vector * n_monomials + element(tables.basic_monomial, b)) * _OF_MONOMIAL
            function = 2 * element(tables.basic_mu, b) * capacity + at
            f = load_narrow(work.values, function)
            outward = load_narrow(work.values, function + capacity)
            outward = outward * load_narrow(work.monomials, row)
            to = (vector * n_basic + b) * _OF_BASIC
            gradient = load_narrow(work.monomials, row + LANES)
            store(work.basics, to, fma(f, gradient, outward * x))
            gradient = load_narrow(work.monomials, row + 2 * LANES)
            store(work.basics, to + LANES, fma(f, gradient, outward * y))
            gradient = load_narrow(work.monomials, row + 3 * LANES)
            store(work.basics, to + 2 * LANES, fma(f, gradient, outward * z))


@compiled
def project_on_radial_basis(tables, n_species, size, work):
    """Evaluate A_t,m,k, the sum over neighbours of type t of phi_k Y_m."""
    lanes = (size + LANES - 1) // LANES * LANES
    n_monomials = len(tables.monomial_parent)
    for kind in range(n_species):
        for m in range(n_monomials):
            for block in range(0, lanes, LANES):
                total = splat_narrow(0.0)
                for vector in range(work.first_vector[kind], work.first_vector[kind + 1]):
                    row = (vector * n_monomials + m) * _OF_MONOMIAL
                    for lane in range(LANES):
                        y = splat_narrow(element(work.monomials, row + lane))
                        at = (vector * LANES + lane) * lanes + block
                        total = fma(y, load_narrow(work.basis, at), total)
                store(work.projected, (kind * n_monomials + m) * lanes + block, total)


@compiled
def contract_moments(tables, coefficients, work):
    """Evaluate all moments of an atom from the projections; ``coefficients`` are of its pairs."""
    n_species, _, size = coefficients.shape
    lanes = (size + LANES - 1) // LANES * LANES
    n_monomials = len(tables.monomial_parent)
    n_basic = len(tables.basic_mu)
    for b in range(n_basic):
        total = 0.0
        mu = element(tables.basic_mu, b)
        for kind in range(n_species):
            at = (kind * n_monomials + element(tables.basic_monomial, b)) * lanes
            for k in range(size):
                total += coefficients[kind, mu, k] * element(work.projected, at + k)
        work.numbers[b] = total
    for group in range(len(tables.first_product) - 1):
        total = 0.0
        for q in range(
            element(tables.first_product, group), element(tables.first_product, group + 1)
        ):
            product = element(work.numbers, element(tables.left, q)) * element(
                work.numbers, element(tables.right, q)
            )
            total += element(tables.weight, q) * product
        work.numbers[n_basic + group] = total


@compiled
def differentiate_energy(tables, xi, work):
    """Evaluate dV/dM for every moment of an atom."""
    n_moments = len(tables.first_use) - 1
    gradient = work.numbers[n_moments : 2 * n_moments]
    gradient[:] = 0.0
    for s in range(len(xi)):
        gradient[element(tables.scalar, s)] += xi[s]
    for index in range(n_moments):
        moment = n_moments - 1 - index
        total = gradient[moment]
        for use in range(element(tables.first_use, index), element(tables.first_use, index + 1)):
            g = element(tables.use_weight, use) * element(gradient, element(tables.use_target, use))
            total += g * element(work.numbers, element(tables.use_other, use))
        gradient[moment] = total


@compiled
def run_program(tables, program, numbers, vectors):
    """Write one vector after another, each the sum of its terms."""
    term = element(tables.step_first, element(tables.program_first, program))
    for step in range(
        element(tables.program_first, program), element(tables.program_first, program + 1)
    ):
        total = splat_narrow(0.0)
        end = element(tables.step_first, step + 1)
        while term < end:
            number = element(numbers, element(tables.term_number, term))
            factor = splat_narrow(element(tables.term_weight, term) * number)
            total = fma(factor, load_narrow(vectors, element(tables.term_vector, term)), total)
            term += 1
        store(vectors, element(tables.step_target, step), total)


@compiled
def multiply_basics(basic, first, end, n_vectors, n_basic, work):
    """Write to the rows the sum of adjoint x dM_b/dr_j over the moments ``basic[first:end]``."""
    for vector in range(n_vectors):
        for part in range(0, LANES, TILE):
            place = vector * LANES + part
            if work.places[place] < 0:
                continue
            x0 = x1 = x2 = x3 = splat_narrow(0.0)
            y0 = y1 = y2 = y3 = splat_narrow(0.0)
            z0 = z1 = z2 = z3 = splat_narrow(0.0)
            for index in range(first, end):
                b = element(basic, index)
                adjoint = load_narrow(work.vectors, b * LANES)
                at = (vector * n_basic + b) * _OF_BASIC + part
                x0 = fma(splat_narrow(element(work.basics, at)), adjoint, x0)
                x1 = fma(splat_narrow(element(work.basics, at + 1)), adjoint, x1)
                x2 = fma(splat_narrow(element(work.basics, at + 2)), adjoint, x2)
                x3 = fma(splat_narrow(element(work.basics, at + 3)), adjoint, x3)
                at += LANES
                y0 = fma(splat_narrow(element(work.basics, at)), adjoint, y0)
                y1 = fma(splat_narrow(element(work.basics, at + 1)), adjoint, y1)
                y2 = fma(splat_narrow(element(work.basics, at + 2)), adjoint, y2)
                y3 = fma(splat_narrow(element(work.basics, at + 3)), adjoint, y3)
                at += LANES
                z0 = fma(splat_narrow(element(work.basics, at)), adjoint, z0)
                z1 = fma(splat_narrow(element(work.basics, at + 1)), adjoint, z1)
                z2 = fma(splat_narrow(element(work.basics, at + 2)), adjoint, z2)
                z3 = fma(splat_narrow(element(work.basics, at + 3)), adjoint, z3)
            to = 3 * LANES * place
            store(work.rows, to, x0)
            store(work.rows, to + LANES, y0)
            store(work.rows, to + 2 * LANES, z0)
            store(work.rows, to + 3 * LANES, x1)
            store(work.rows, to + 4 * LANES, y1)
            store(work.rows, to + 5 * LANES, z1)
            store(work.rows, to + 6 * LANES, x2)
            store(work.rows, to + 7 * LANES, y2)
            store(work.rows, to + 8 * LANES, z2)
            store(work.rows, to + 9 * LANES, x3)
            store(work.rows, to + 10 * LANES, y3)
            store(work.rows, to + 11 * LANES, z3)


@compiled
def add_direct_terms(tables, kind, mu, block, lanes, work):
    """Add d(phi_k h_mu)/dr_j of the neighbours of one type to the rows, k from ``block`` on."""
    capacity = len(work.places)
    n_monomials = len(tables.monomial_parent)
    gradient = len(tables.first_use) - 1
    first = element(tables.basics_of_mu_first, mu)
    end = element(tables.basics_of_mu_first, mu + 1)
    for vector in range(work.first_vector[kind], work.first_vector[kind + 1]):
        at = vector * LANES
        h = splat_narrow(0.0)
        hx = splat_narrow(0.0)
        hy = splat_narrow(0.0)
        hz = splat_narrow(0.0)
        for index in range(first, end):
            b = element(tables.basics_of_mu, index)
            g = splat_narrow(element(work.numbers, gradient + b))
            m = (vector * n_monomials + element(tables.basic_monomial, b)) * _OF_MONOMIAL
            h = fma(g, load_narrow(work.monomials, m), h)
            hx = fma(g, load_narrow(work.monomials, m + LANES), hx)
            hy = fma(g, load_narrow(work.monomials, m + 2 * LANES), hy)
            hz = fma(g, load_narrow(work.monomials, m + 3 * LANES), hz)
        store(work.scratch, 0, h)
        store(work.scratch, LANES, hx)
        store(work.scratch, 2 * LANES, hy)
        store(work.scratch, 3 * LANES, hz)
        for lane in range(LANES):
            place = at + lane
            phi = load_narrow(work.basis, place * lanes + block)
            outward = load_narrow(work.basis_slopes, place * lanes + block)
            outward = outward * splat_narrow(element(work.scratch, lane))
            for axis in range(3):
                to = (3 * place + axis) * LANES
                total = fma(
                    outward,
                    splat_narrow(element(work.unit, axis * capacity + place)),
                    load_narrow(work.rows, to),
                )
                turn = splat_narrow(element(work.scratch, (axis + 1) * LANES + lane))
                store(work.rows, to, fma(phi, turn, total))


@compiled
def scatter_rows(plane, atom, strain, n_vectors, surroundings, work, target):
    """Add the rows to the forces on the atom and its neighbours, and to the strain derivatives.

    F_j = -dV/dr_j, F_i = sum_j dV/dr_j; dE/dstrain = sum_j r_j (dV/dr_j), which is symmetric.
    """
    capacity = len(work.places)
    jacobian = target.jacobian
    start = plane * target.n_columns
    force_at = start + target.first_force - 3 * target.first_atom
    x = y = z = splat_narrow(0.0)
    xx = yy = zz = splat_narrow(0.0)
    yz = xz = xy = splat_narrow(0.0)
    for place in range(n_vectors * LANES):
        pair = work.places[place]
        if pair < 0:
            continue
        to = (force_at + 3 * surroundings.neighbor[pair]) * LANES
        at = 3 * LANES * place
        pull_x = load_narrow(work.rows, at)
        pull_y = load_narrow(work.rows, at + LANES)
        pull_z = load_narrow(work.rows, at + 2 * LANES)
        store(jacobian, to, load_narrow(jacobian, to) - pull_x)
        store(jacobian, to + LANES, load_narrow(jacobian, to + LANES) - pull_y)
        store(jacobian, to + 2 * LANES, load_narrow(jacobian, to + 2 * LANES) - pull_z)
        x = x + pull_x
        y = y + pull_y
        z = z + pull_z
        r_x = splat_narrow(element(work.xyz, place))
        r_y = splat_narrow(element(work.xyz, capacity + place))
        xx = fma(r_x, pull_x, xx)
        yy = fma(r_y, pull_y, yy)
        zz = fma(splat_narrow(element(work.xyz, 2 * capacity + place)), pull_z, zz)
        yz = fma(r_y, pull_z, yz)
        xz = fma(r_x, pull_z, xz)
        xy = fma(r_x, pull_y, xy)
    to = (force_at + 3 * atom) * LANES
    store(jacobian, to, load_narrow(jacobian, to) + x)
    store(jacobian, to + LANES, load_narrow(jacobian, to + LANES) + y)
    store(jacobian, to + 2 * LANES, load_narrow(jacobian, to + 2 * LANES) + z)
    to = (start + strain) * LANES
    store(jacobian, to, load_narrow(jacobian, to) + xx)
    store(jacobian, to + LANES, load_narrow(jacobian, to + LANES) + yy)
    store(jacobian, to + 2 * LANES, load_narrow(jacobian, to + 2 * LANES) + zz)
    store(jacobian, to + 3 * LANES, load_narrow(jacobian, to + 3 * LANES) + yz)
    store(jacobian, to + 4 * LANES, load_narrow(jacobian, to + 4 * LANES) + xz)
    store(jacobian, to + 5 * LANES, load_narrow(jacobian, to + 5 * LANES) + xy)


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
