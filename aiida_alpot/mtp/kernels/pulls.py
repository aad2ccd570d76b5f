# SPDX-License-Identifier: MIT
"""The way from the monomials of neighbours to forces and strains, shared by all kernels.

With dV/dm of a neighbour, s = dV/dr at fixed u and t = dV/du / r, the pull of a neighbour is

    dV/dr_ij = (s - t . u) u + t.

It is added to the force on the atom, subtracted from that on the neighbour, and its product with
r_ij is the part of the pair in the strain derivative. V is whatever the moments make: the energy,
or its change along a direction of the parameters.
"""

from __future__ import annotations

from aiida_alpot.compilation import spliced
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    SLOTS,
    WIDE,
    add_slots,
    compiled,
    fma,
    fma_slots,
    load_narrow,
    load_wide,
    splat_wide,
    store,
)

PULL_SUMS = 9
"""Sums over the pulls on an atom: force x y z, strain xx yy zz yz xz xy."""


@compiled
def propagate_monomials(work, unit_at, monomials_at, here, degree):
    """Replace u of one group by dV/du at fixed f, given dV/dm; dV/dm is used up.

    Runs the recurrence of :func:`expand_monomials` backwards.
    """
    x = load_wide(work, unit_at)
    y = load_wide(work, unit_at + WIDE)
    z = load_wide(work, unit_at + 2 * WIDE)
    along_x = splat_wide(0.0)
    along_y = splat_wide(0.0)
    along_z = splat_wide(0.0)
    upper = (degree * (degree + 1) * (degree + 2) // 6) * WIDE
    for step in range(degree):
        n = degree - step
        n_lower = n * (n + 1) // 2
        lower = upper - n_lower * WIDE
        at = upper + (n_lower + n) * WIDE
        parent = lower + (n_lower - 1) * WIDE
        adjoint = load_wide(work, here + at)
        along_z = fma(adjoint, load_wide(work, monomials_at + parent), along_z)
        store(work, here + parent, fma(adjoint, z, load_wide(work, here + parent)))
        for i in range(n):
            at = upper + (n_lower + i) * WIDE
            parent = lower + (n_lower - n + i) * WIDE
            adjoint = load_wide(work, here + at)
            along_y = fma(adjoint, load_wide(work, monomials_at + parent), along_y)
            store(work, here + parent, fma(adjoint, y, load_wide(work, here + parent)))
        for i in range(n_lower):
            at = upper + i * WIDE
            parent = lower + i * WIDE
            adjoint = load_wide(work, here + at)
            along_x = fma(adjoint, load_wide(work, monomials_at + parent), along_x)
            store(work, here + parent, fma(adjoint, x, load_wide(work, here + parent)))
        upper = lower
    store(work, unit_at, along_x)
    store(work, unit_at + WIDE, along_y)
    store(work, unit_at + 2 * WIDE, along_z)


@spliced
def pull_neighbors(
    work, unit_at, vectors_at, monomials_at, adjoint_monomials_at, degree, along, sums_at
):
    """Replace u of one group by the pulls dV/dr_ij and add them to the sums; dV/dm is used up.

    ``along`` is dV/dr at fixed u.
    """
    unit_x = load_wide(work, unit_at)
    unit_y = load_wide(work, unit_at + WIDE)
    unit_z = load_wide(work, unit_at + 2 * WIDE)
    inverse = load_wide(work, unit_at + 3 * WIDE)
    propagate_monomials(work, unit_at, monomials_at, adjoint_monomials_at, degree)
    turn_x = load_wide(work, unit_at) * inverse
    turn_y = load_wide(work, unit_at + WIDE) * inverse
    turn_z = load_wide(work, unit_at + 2 * WIDE) * inverse
    along = along - fma(unit_x, turn_x, fma(unit_y, turn_y, unit_z * turn_z))
    pull_x = fma(along, unit_x, turn_x)
    pull_y = fma(along, unit_y, turn_y)
    pull_z = fma(along, unit_z, turn_z)
    store(work, unit_at, pull_x)
    store(work, unit_at + WIDE, pull_y)
    store(work, unit_at + 2 * WIDE, pull_z)
    x = load_wide(work, vectors_at)
    y = load_wide(work, vectors_at + WIDE)
    z = load_wide(work, vectors_at + 2 * WIDE)
    at = sums_at
    store(work, at, add_slots(pull_x, load_narrow(work, at)))
    at += LANES
    store(work, at, add_slots(pull_y, load_narrow(work, at)))
    at += LANES
    store(work, at, add_slots(pull_z, load_narrow(work, at)))
    at += LANES
    store(work, at, fma_slots(x, pull_x, load_narrow(work, at)))
    at += LANES
    store(work, at, fma_slots(y, pull_y, load_narrow(work, at)))
    at += LANES
    store(work, at, fma_slots(z, pull_z, load_narrow(work, at)))
    at += LANES
    store(work, at, fma_slots(y, pull_z, load_narrow(work, at)))
    at += LANES
    store(work, at, fma_slots(x, pull_z, load_narrow(work, at)))
    at += LANES
    store(work, at, fma_slots(x, pull_y, load_narrow(work, at)))


@compiled
def scatter_pulls(
    work, atoms, sums_at, radial, stride, places, n_groups, capacity, forces, strains
):
    """Add the pulls of a block to the forces on its atoms and their neighbours; write strains."""
    for lane in range(LANES):
        atom = atoms[lane]
        if atom >= 0:
            for axis in range(3):
                forces[atom, axis] += work[sums_at + axis * LANES + lane]
            for component in range(6):
                strains[atom, component] = work[sums_at + (3 + component) * LANES + lane]
    indices = LANES + 2 * capacity
    for slot in range(n_groups * SLOTS):
        at = radial + (slot // SLOTS) * stride + (slot % SLOTS) * LANES
        for lane in range(LANES):
            other = places[indices + slot * LANES + lane]
            if other >= 0:
                forces[other, 0] -= work[at + lane]
                forces[other, 1] -= work[at + WIDE + lane]
                forces[other, 2] -= work[at + 2 * WIDE + lane]
