# SPDX-License-Identifier: MIT
"""Steps of a site energy for eight atoms at once, shared by all kernels.

Symbols: f_mu radial functions, phi_k radial basis, u unit vector to a neighbour, M moments,
m = u_x^a u_y^b u_z^c monomials. Everything lies in one work array of doubles, in vectors of
:mod:`aiida_alpot.mtp.kernels.lanes`: a *group* is 4 neighbours of each of the 8 atoms; what belongs
to neighbours is stored by group, what belongs to atoms as narrow vectors.

Places of the neighbours of an atom that are not taken hold a dummy beyond the cutoff, whose radial
functions are exactly zero; it adds exactly nothing to any sum.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.compilation import spliced
from aiida_alpot.mtp.kernels.elements import element
from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    SLOTS,
    WIDE,
    any_less,
    compiled,
    fma,
    fma_slots,
    indicator,
    load_narrow,
    load_wide,
    positive_part,
    splat_narrow,
    splat_wide,
    square_root,
    store,
)
from aiida_alpot.mtp.kernels.zbl import fade_of_pairs


@compiled
def place_neighbors(atoms, first, neighbor, vectors, types, n_species, cutoff, work, places):
    """Distribute the neighbours of eight atoms over slots, by species and then in order.

    Returns the number of groups; pairs beyond the cutoff are left out. ``work`` begins with x, y, z
    and species for each group; ``places`` (int64) holds 8 counts, then lowest and
    highest species of each group, then the index of the neighbour in each place (-1 for a dummy),
    all written here.
    """
    capacity = (len(places) - LANES) // (2 + WIDE)
    ranges = LANES
    indices = LANES + 2 * capacity
    cutoff_squared = cutoff * cutoff
    start = np.zeros(n_species, np.int64)
    most = 0
    for group in range(capacity):
        places[ranges + 2 * group] = n_species if n_species > 1 else 0
        places[ranges + 2 * group + 1] = -1 if n_species > 1 else 0
    near = np.empty(capacity * SLOTS, np.int64)
    for lane in range(LANES):
        atom = atoms[lane]
        count = 0
        if atom >= 0:
            for pair in range(first[atom], first[atom + 1]):
                x = vectors[pair, 0]
                y = vectors[pair, 1]
                z = vectors[pair, 2]
                # kept by counting: which pair lies in the skin no processor can predict
                near[count] = pair
                count += x * x + y * y + z * z < cutoff_squared
            if n_species > 1:
                start[:] = 0
                for k in range(count):
                    start[types[neighbor[near[k]]]] += 1
                n_before = 0
                for species in range(n_species):
                    n_placed = start[species]
                    start[species] = n_before
                    n_before += n_placed
            for k in range(count):
                pair = near[k]
                other = neighbor[pair]
                slot = k
                species = 0
                if n_species > 1:
                    species = types[other]
                    slot = start[species]
                    start[species] += 1
                    span = ranges + 2 * (slot // SLOTS)
                    places[span] = min(places[span], species)
                    places[span + 1] = max(places[span + 1], species)
                place = (slot // SLOTS) * (4 * WIDE) + (slot % SLOTS) * LANES + lane
                work[place] = vectors[pair, 0]
                work[place + WIDE] = vectors[pair, 1]
                work[place + 2 * WIDE] = vectors[pair, 2]
                work[place + 3 * WIDE] = species
                places[indices + slot * LANES + lane] = other
        places[lane] = count
        most = max(most, count)
    n_groups = (most + SLOTS - 1) // SLOTS
    for lane in range(LANES):
        for slot in range(places[lane], n_groups * SLOTS):
            place = (slot // SLOTS) * (4 * WIDE) + (slot % SLOTS) * LANES + lane
            work[place] = 2.0 * cutoff
            work[place + WIDE] = 0.0
            work[place + 2 * WIDE] = 0.0
            work[place + 3 * WIDE] = -1.0
            places[indices + slot * LANES + lane] = -1
    return n_groups


@compiled
def expand_radial(work, vectors_at, low, high, coefficients, center, limits, radial_at):
    """Compute unit vectors, 1/r, phi_k, phi'_k, f_mu and f'_mu of one group.

    ``coefficients`` is (n_species, n_species, n_radial, n_basis), contiguous, ``limits`` that of
    :func:`~aiida_alpot.mtp.kernel_arguments.radial_limits`. Written from ``radial_at``: u_x, u_y,
    u_z, 1/r, then phi_k, phi'_k, f_mu, f'_mu.
    """
    n_radial = coefficients.shape[2]
    n_basis = coefficients.shape[3]
    x = load_wide(work, vectors_at)
    y = load_wide(work, vectors_at + WIDE)
    z = load_wide(work, vectors_at + 2 * WIDE)
    species = load_wide(work, vectors_at + 3 * WIDE)
    distance = square_root(fma(x, x, fma(y, y, z * z)))
    inverse = splat_wide(1.0) / distance
    store(work, radial_at, x * inverse)
    store(work, radial_at + WIDE, y * inverse)
    store(work, radial_at + 2 * WIDE, z * inverse)
    store(work, radial_at + 3 * WIDE, inverse)

    min_distance = limits[0]
    cutoff = limits[1]
    slope = splat_wide(2.0 / (cutoff - min_distance))
    argument = fma(slope, distance, splat_wide(-(min_distance + cutoff) / (cutoff - min_distance)))
    margin = positive_part(splat_wide(cutoff) - distance)
    older = splat_wide(limits[2]) * margin * margin
    older_slope = splat_wide(-2.0 * limits[2]) * margin
    if len(limits) > 3 and any_less(distance, limits[3]):
        # all phi_k follow from the first two, so a factor on those is one on all
        share, share_slope = fade_of_pairs(
            distance, species, low, high, center, coefficients.shape[1], limits, 4
        )
        older_slope = fma(older, share_slope, older_slope * share)
        older = older * share
    basis_at = radial_at + 4 * WIDE
    slopes_at = basis_at + n_basis * WIDE
    store(work, basis_at, older)
    store(work, slopes_at, older_slope)
    newer = argument * older
    newer_slope = fma(slope, older, argument * older_slope)
    twice = argument + argument
    twice_slope = slope + slope
    for k in range(1, n_basis):
        store(work, basis_at + k * WIDE, newer)
        store(work, slopes_at + k * WIDE, newer_slope)
        next_value = fma(twice, newer, splat_wide(0.0) - older)
        next_slope = fma(twice, newer_slope, fma(twice_slope, newer, splat_wide(0.0) - older_slope))
        older = newer
        older_slope = newer_slope
        newer = next_value
        newer_slope = next_slope

    first = center * coefficients.shape[1] * n_radial * n_basis
    values_at = slopes_at + n_basis * WIDE
    sum_basis(
        same_for_atoms, coefficients, first, work, species, basis_at, low, high, n_radial, n_basis,
        values_at,
    )  # fmt: skip


@spliced
def same_for_atoms(coefficients, at):
    """Return a coefficient that eight atoms have in common, for all their neighbours."""
    return splat_wide(element(coefficients, at))


@spliced
def sum_basis(
    factor_at, factors, first, work, species, basis_at, low, high, n_radial, n_basis, values_at
):
    """Compute f_mu = sum_k c_mu,k phi_k of one group and behind them f'_mu.

    ``factor_at(factors, i)`` gives the c of all neighbours as a wide vector, those of the species,
    radial functions and basis functions in this order from i = ``first`` on.
    """
    for mu in range(n_radial):
        total = splat_wide(0.0)
        total_slope = splat_wide(0.0)
        for kind in range(low, high + 1):
            value = splat_wide(0.0)
            slope = splat_wide(0.0)
            at = first + (kind * n_radial + mu) * n_basis
            for k in range(n_basis):
                factor = factor_at(factors, at + k)
                value = fma(factor, load_wide(work, basis_at + k * WIDE), value)
                slope = fma(factor, load_wide(work, basis_at + (n_basis + k) * WIDE), slope)
            if low == high:
                total = value
                total_slope = slope
            else:
                mask = indicator(species, float(kind))
                total = fma(mask, value, total)
                total_slope = fma(mask, slope, total_slope)
        store(work, values_at + mu * WIDE, total)
        store(work, values_at + (n_radial + mu) * WIDE, total_slope)


@compiled
def expand_monomials(work, unit_at, degree, monomials_at):
    """Compute the monomials of the unit vectors of one group, each from one of lower degree."""
    x = load_wide(work, unit_at)
    y = load_wide(work, unit_at + WIDE)
    z = load_wide(work, unit_at + 2 * WIDE)
    store(work, monomials_at, splat_wide(1.0))
    lower = monomials_at
    here = monomials_at + WIDE
    for n in range(1, degree + 1):
        n_lower = n * (n + 1) // 2
        for i in range(n_lower):
            store(work, here + i * WIDE, load_wide(work, lower + i * WIDE) * x)
        here += n_lower * WIDE
        last = lower + (n_lower - n) * WIDE
        for i in range(n):
            store(work, here + i * WIDE, load_wide(work, last + i * WIDE) * y)
        here += n * WIDE
        store(work, here, load_wide(work, lower + (n_lower - 1) * WIDE) * z)
        lower += n_lower * WIDE
        here += WIDE


@compiled
def accumulate_moments(work, values_at, monomials_at, first_of_mu, monomial, moments_at):
    """Add the neighbours of one group to the basic moments, M += sum f_mu m."""
    for mu in range(len(first_of_mu) - 1):
        value = load_wide(work, values_at + mu * WIDE)
        for basic in range(first_of_mu[mu], first_of_mu[mu + 1]):
            at = moments_at + basic * LANES
            power = load_wide(work, monomials_at + monomial[basic] * WIDE)
            store(work, at, fma_slots(value, power, load_narrow(work, at)))


@compiled
def contract_moments(work, moments_at, n_basic, tables):
    """Compute the products from the basic moments."""
    first = tables.forward_first
    left = tables.forward_left
    right = tables.forward_right
    weight = tables.forward_weight
    for target in range(len(first) - 1):
        total = splat_narrow(0.0)
        for term in range(first[target], first[target + 1]):
            factor = splat_narrow(weight[term]) * load_narrow(
                work, moments_at + np.int64(left[term]) * LANES
            )
            total = fma(
                factor, load_narrow(work, moments_at + np.int64(right[term]) * LANES), total
            )
        store(work, moments_at + (n_basic + target) * LANES, total)


@compiled
def differentiate_contractions(work, moments_at, seeds, adjoints_at, tables):
    """Compute dV/dM of every moment; ``seeds`` is the coefficient of each moment in V."""
    first = tables.backward_first
    target = tables.backward_target
    other = tables.backward_other
    weight = tables.backward_weight
    for place in range(len(tables.backward_moment)):
        moment = tables.backward_moment[place]
        total = splat_narrow(seeds[moment])
        for use in range(first[place], first[place + 1]):
            factor = splat_narrow(weight[use]) * load_narrow(
                work, moments_at + np.int64(other[use]) * LANES
            )
            total = fma(
                factor, load_narrow(work, adjoints_at + np.int64(target[use]) * LANES), total
            )
        store(work, adjoints_at + moment * LANES, total)
