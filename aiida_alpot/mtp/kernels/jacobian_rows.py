# SPDX-License-Identifier: MIT
"""Rows of 8 parameters: derivatives of dV/dr_j of one atom, and what they give to the forces.

The second half of :mod:`aiida_alpot.mtp.kernels.jacobian`, whose symbols these are.
"""

from __future__ import annotations

from aiida_alpot.mtp.kernels.elements import element
from aiida_alpot.mtp.kernels.jacobian_arrays import OF_BASIC, OF_MONOMIAL
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    compiled,
    fma,
    load_narrow,
    splat_narrow,
    store,
)

TILE = 4
"""Neighbours whose three components are multiplied at once."""


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
                at = (vector * n_basic + b) * OF_BASIC + part
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
            m = (vector * n_monomials + element(tables.basic_monomial, b)) * OF_MONOMIAL
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
