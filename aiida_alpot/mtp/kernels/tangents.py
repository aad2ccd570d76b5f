# SPDX-License-Identifier: MIT
"""Tangents: how unit vectors, monomials and moments change along a displacement of the atoms.

The forward sweep of :mod:`aiida_alpot.mtp.kernels.gradient`, whose symbols these are, and its way
back through the products. What concerns products serves as well where not the atoms move but the
radial functions change, in :mod:`aiida_alpot.mtp.kernels.parameter_tangents`.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.compilation import spliced
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    SLOTS,
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

TANGENT = 4 * WIDE
"""Doubles of one group: du_x, du_y, du_z and the change of r along v."""


@compiled
def place_tangents(
    atoms, n_groups, capacity, places, displacements, strains_at, work, radial, stride, tangents
):
    """Compute the tangents of unit vectors and distances from displacements and strains.

    v_ij = d_i - d_j + S r_ij, S symmetric; its components xx yy zz yz xz xy by atom stand at
    ``strains_at``.
    """
    indices = LANES + 2 * capacity
    for slot in range(n_groups * SLOTS):
        at = tangents + (slot // SLOTS) * TANGENT + (slot % SLOTS) * LANES
        for lane in range(LANES):
            other = places[indices + slot * LANES + lane]
            for axis in range(3):
                component = 0.0
                if other >= 0:
                    component = displacements[atoms[lane], axis] - displacements[other, axis]
                work[at + axis * WIDE + lane] = component
    xx = repeat_slots(load_narrow(work, strains_at))
    yy = repeat_slots(load_narrow(work, strains_at + LANES))
    zz = repeat_slots(load_narrow(work, strains_at + 2 * LANES))
    yz = repeat_slots(load_narrow(work, strains_at + 3 * LANES))
    xz = repeat_slots(load_narrow(work, strains_at + 4 * LANES))
    xy = repeat_slots(load_narrow(work, strains_at + 5 * LANES))
    for group in range(n_groups):
        vectors_at = group * 4 * WIDE
        x = load_wide(work, vectors_at)
        y = load_wide(work, vectors_at + WIDE)
        z = load_wide(work, vectors_at + 2 * WIDE)
        at = tangents + group * TANGENT
        v_x = fma(xx, x, fma(xy, y, fma(xz, z, load_wide(work, at))))
        v_y = fma(xy, x, fma(yy, y, fma(yz, z, load_wide(work, at + WIDE))))
        v_z = fma(xz, x, fma(yz, y, fma(zz, z, load_wide(work, at + 2 * WIDE))))
        here = radial + group * stride
        u_x = load_wide(work, here)
        u_y = load_wide(work, here + WIDE)
        u_z = load_wide(work, here + 2 * WIDE)
        inverse = load_wide(work, here + 3 * WIDE)
        along = fma(u_x, v_x, fma(u_y, v_y, u_z * v_z))
        store(work, at, (v_x - u_x * along) * inverse)
        store(work, at + WIDE, (v_y - u_y * along) * inverse)
        store(work, at + 2 * WIDE, (v_z - u_z * along) * inverse)
        store(work, at + 3 * WIDE, along)


@compiled
def _multiply_monomial(work, parent, child, offset, unit, turn):
    """Compute the monomial at ``child`` and its tangent from the parent: m u, dm u + m du."""
    value = load_wide(work, parent)
    tangent = load_wide(work, parent + offset)
    store(work, child, value * unit)
    store(work, child + offset, fma(tangent, unit, value * turn))


@compiled
def expand_monomials_tangents(work, unit_at, tangent_at, degree, monomials_at, offset):
    """Compute the monomials of one group and, ``offset`` behind them, their tangents."""
    u_x = load_wide(work, unit_at)
    u_y = load_wide(work, unit_at + WIDE)
    u_z = load_wide(work, unit_at + 2 * WIDE)
    turn_x = load_wide(work, tangent_at)
    turn_y = load_wide(work, tangent_at + WIDE)
    turn_z = load_wide(work, tangent_at + 2 * WIDE)
    store(work, monomials_at, splat_wide(1.0))
    store(work, monomials_at + offset, splat_wide(0.0))
    lower = monomials_at
    here = monomials_at + WIDE
    for n in range(1, degree + 1):
        n_lower = n * (n + 1) // 2
        for i in range(n_lower):
            _multiply_monomial(work, lower + i * WIDE, here + i * WIDE, offset, u_x, turn_x)
        here += n_lower * WIDE
        last = lower + (n_lower - n) * WIDE
        for i in range(n):
            _multiply_monomial(work, last + i * WIDE, here + i * WIDE, offset, u_y, turn_y)
        here += n * WIDE
        _multiply_monomial(work, lower + (n_lower - 1) * WIDE, here, offset, u_z, turn_z)
        lower += n_lower * WIDE
        here += WIDE


@compiled
def accumulate_tangents(
    work, values_at, slopes_at, along_at, monomials_at, offset, tables, moments_at, tangents_at
):
    """Add the neighbours of one group to the basic moments and their tangents."""
    along = load_wide(work, along_at)
    for mu in range(len(tables.first_of_mu) - 1):
        value = load_wide(work, values_at + mu * WIDE)
        change = load_wide(work, slopes_at + mu * WIDE) * along
        for basic in range(tables.first_of_mu[mu], tables.first_of_mu[mu + 1]):
            at = monomials_at + tables.monomial[basic] * WIDE
            power = load_wide(work, at)
            turn = load_wide(work, at + offset)
            moment = moments_at + basic * LANES
            store(work, moment, fma_slots(value, power, load_narrow(work, moment)))
            moment = tangents_at + basic * LANES
            total = fma_slots(change, power, load_narrow(work, moment))
            store(work, moment, fma_slots(value, turn, total))


@compiled
def contract_tangents(work, moments_at, tangents_at, n_basic, tables):
    """Compute the tangents of the products, D = sum weight (D_left M_right + M_left D_right)."""
    first = tables.forward_first
    for target in range(len(first) - 1):
        total = splat_narrow(0.0)
        for term in range(first[target], first[target + 1]):
            left = np.int64(tables.forward_left[term]) * LANES
            right = np.int64(tables.forward_right[term]) * LANES
            weight = splat_narrow(tables.forward_weight[term])
            one = weight * load_narrow(work, tangents_at + left)
            two = weight * load_narrow(work, moments_at + left)
            total = fma(one, load_narrow(work, moments_at + right), total)
            total = fma(two, load_narrow(work, tangents_at + right), total)
        store(work, tangents_at + (n_basic + target) * LANES, total)


@spliced
def differentiate_tangents(
    direct, at, work, moments_at, tangents_at, adjoints_at, tangent_adjoints_at, seeds, tables
):
    """Compute G = dL/dM and H = dL/dD of every moment, the last first.

    L is linear in the scalars and their tangents: by its tangent a moment changes it directly by
    its seed, by itself as ``direct(work, at, moment, seed)`` says.
    """
    first = tables.backward_first
    for place in range(len(tables.backward_moment)):
        moment = tables.backward_moment[place]
        of_tangent = splat_narrow(seeds[moment])
        of_value = direct(work, at, moment, of_tangent)
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
