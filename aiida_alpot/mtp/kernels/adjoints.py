# SPDX-License-Identifier: MIT
"""The way back through the neighbours of a group: from dV/dM to dV/dm, P_mu and dV/dc.

Of :mod:`aiida_alpot.mtp.kernels.energy`, whose symbols these are; dV/dm goes on to the forces in
:mod:`aiida_alpot.mtp.kernels.pulls`.
"""

from __future__ import annotations

from aiida_alpot.mtp.kernels.lanes import (
    LANES,
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
def add_radial_rows(work, vectors_at, basis_at, sums_at, low, high, n_radial, n_basis, rows_at):
    """Add one group to dV/dc = sum phi_k P_mu, for each species of neighbours.

    Where V has a part sum phi'_k Q_mu too, that is added by a second call with phi'_k and Q_mu.
    """
    species = load_wide(work, vectors_at + 3 * WIDE)
    for kind in range(low, high + 1):
        mask = indicator(species, float(kind))
        for mu in range(n_radial):
            factor = mask * load_wide(work, sums_at + mu * WIDE)
            for k in range(n_basis):
                at = rows_at + ((kind * n_radial + mu) * n_basis + k) * LANES
                value = load_wide(work, basis_at + k * WIDE)
                store(work, at, fma_slots(factor, value, load_narrow(work, at)))
