# SPDX-License-Identifier: MIT
"""The way back through the neighbours of a group: from dV/dM to dV/dm, P_mu, dV/du and dV/dc.

Second half of :mod:`aiida_alpot.mtp.kernels.energy`, whose symbols these are.
"""

from __future__ import annotations

from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    SLOTS,
    WIDE,
    compiled,
    fma,
    fma_slots,
    indicator,
    load_narrow,
    load_wide,
    repeat_slots,
    splat_wide,
    store,
)


@compiled
def propagate_adjoints(
    work, values_at, monomials_at, n_monomials, adjoints_at, tables, here, sums_at
):
    """Compute dV/dm (at ``here``) and P_mu (at ``sums_at``) of one group from dV/dM."""
    first_of_mu = tables.first_of_mu
    first_added = 0
    if tables.mu_zero_is_complete:
        # the first term of every sum is written, not added to zeros
        first_added = 1
        value = load_wide(work, values_at)
        total = splat_wide(0.0)
        for i in range(n_monomials):
            adjoint = repeat_slots(load_narrow(work, adjoints_at + i * LANES))
            total = fma(adjoint, load_wide(work, monomials_at + i * WIDE), total)
            store(work, here + i * WIDE, adjoint * value)
        store(work, sums_at, total)
    else:
        for i in range(n_monomials):
            store(work, here + i * WIDE, splat_wide(0.0))
    for mu in range(first_added, len(first_of_mu) - 1):
        value = load_wide(work, values_at + mu * WIDE)
        total = splat_wide(0.0)
        for basic in range(first_of_mu[mu], first_of_mu[mu + 1]):
            adjoint = repeat_slots(load_narrow(work, adjoints_at + basic * LANES))
            at = tables.monomial[basic] * WIDE
            total = fma(adjoint, load_wide(work, monomials_at + at), total)
            store(work, here + at, fma(adjoint, value, load_wide(work, here + at)))
        store(work, sums_at + mu * WIDE, total)


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


@compiled
def add_radial_rows(work, vectors_at, basis_at, sums_at, low, high, n_radial, n_basis, rows_at):
    """Add one group to dV/dc = sum phi_k P_mu, for each species of neighbours."""
    species = load_wide(work, vectors_at + 3 * WIDE)
    for kind in range(low, high + 1):
        mask = indicator(species, float(kind))
        for mu in range(n_radial):
            factor = mask * load_wide(work, sums_at + mu * WIDE)
            for k in range(n_basis):
                at = rows_at + ((kind * n_radial + mu) * n_basis + k) * LANES
                value = load_wide(work, basis_at + k * WIDE)
                store(work, at, fma_slots(factor, value, load_narrow(work, at)))


@compiled
def subtract_pulls(work, radial, stride, places, n_groups, capacity, forces):
    """Subtract dV/dr of every pair from the force on the neighbour."""
    indices = LANES + 2 * capacity
    for slot in range(n_groups * SLOTS):
        at = radial + (slot // SLOTS) * stride + (slot % SLOTS) * LANES
        for lane in range(LANES):
            other = places[indices + slot * LANES + lane]
            if other >= 0:
                forces[other, 0] -= work[at + lane]
                forces[other, 1] -= work[at + WIDE + lane]
                forces[other, 2] -= work[at + 2 * WIDE + lane]
