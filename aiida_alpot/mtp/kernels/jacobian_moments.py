# SPDX-License-Identifier: MIT
"""What one atom sees: places of its neighbours, radial functions, monomials, moments.

The first half of :mod:`aiida_alpot.mtp.kernels.jacobian`, whose symbols these are.
"""

from __future__ import annotations

from aiida_alpot.mtp.kernels.elements import element
from aiida_alpot.mtp.kernels.jacobian_arrays import OF_BASIC, OF_MONOMIAL
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
        start = vector * n_monomials * OF_MONOMIAL
        for m in range(n_monomials):
            value = splat_narrow(1.0)
            if m > 0:
                parent = start + element(tables.monomial_parent, m) * OF_MONOMIAL
                direction = element(tables.monomial_axis, m) * capacity + at
                value = load_narrow(work.monomials, parent) * load_narrow(work.unit, direction)
            row = start + m * OF_MONOMIAL
            store(work.monomials, row, value)
            degree = splat_narrow(-element(tables.monomial_degree, m)) * value
            lower = start + element(tables.monomial_lower, 3 * m) * OF_MONOMIAL
            power = splat_narrow(element(tables.monomial_powers, 3 * m))
            inner = fma(power, load_narrow(work.monomials, lower), degree * x)
            store(work.monomials, row + LANES, inner * inverse)
            lower = start + element(tables.monomial_lower, 3 * m + 1) * OF_MONOMIAL
            power = splat_narrow(element(tables.monomial_powers, 3 * m + 1))
            inner = fma(power, load_narrow(work.monomials, lower), degree * y)
            store(work.monomials, row + 2 * LANES, inner * inverse)
            lower = start + element(tables.monomial_lower, 3 * m + 2) * OF_MONOMIAL
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
            row = (vector * n_monomials + element(tables.basic_monomial, b)) * OF_MONOMIAL
            function = 2 * element(tables.basic_mu, b) * capacity + at
            f = load_narrow(work.values, function)
            outward = load_narrow(work.values, function + capacity)
            outward = outward * load_narrow(work.monomials, row)
            to = (vector * n_basic + b) * OF_BASIC
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
                    row = (vector * n_monomials + m) * OF_MONOMIAL
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
