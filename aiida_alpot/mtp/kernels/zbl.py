# SPDX-License-Identifier: MIT
"""The repulsion of close pairs, and the factor that takes them out of the moments.

Formulas and symbols are those of :mod:`aiida_alpot.mtp.zbl`.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.mtp.kernels.lanes import (
    compiled,
    fma,
    indicator,
    positive_part,
    splat_narrow,
    splat_wide,
)
from aiida_alpot.mtp.zbl import SCREENING_RATES, SCREENING_WEIGHTS

_WEIGHT_0, _WEIGHT_1, _WEIGHT_2, _WEIGHT_3 = SCREENING_WEIGHTS
_RATE_0, _RATE_1, _RATE_2, _RATE_3 = SCREENING_RATES


@compiled
def screened_coulomb(charges, inverse_length, distance):
    """Return V and dV/dr of two bare nuclei; ``charges`` is in eV A."""
    x = distance * inverse_length
    part_0 = _WEIGHT_0 * np.exp(-_RATE_0 * x)
    part_1 = _WEIGHT_1 * np.exp(-_RATE_1 * x)
    part_2 = _WEIGHT_2 * np.exp(-_RATE_2 * x)
    part_3 = _WEIGHT_3 * np.exp(-_RATE_3 * x)
    screening = part_0 + part_1 + part_2 + part_3
    falling = _RATE_0 * part_0 + _RATE_1 * part_1 + _RATE_2 * part_2 + _RATE_3 * part_3
    bare = charges / distance
    return bare * screening, -bare * (screening / distance + inverse_length * falling)


@compiled
def add_repulsion(
    start, end, first, neighbor, vectors, types, table, reach, energies, forces, strains
):
    """Add the repulsion to the sites ``start:end``.

    Every ordered pair of the list adds half its energy to its first atom and the whole force that
    acts on that one, so that ranges of atoms can be done side by side.

    Parameters
    ----------
    first, neighbor, vectors
        Neighbour list.
    types : (n_atoms,) int32
    table : (n_species, n_species, 4) float64
        Of :func:`aiida_alpot.mtp.zbl.repulsion_table`.
    reach : float
        Largest outer radius, Angstrom.
    energies : (n_atoms,), forces : (n_atoms, 3), strains : (n_atoms, 6) float64
        Are added to; forces and strains only where they have rows.
    """
    reach_squared = reach * reach
    wants_forces = len(forces) > 0
    for atom in range(start, end):
        for pair in range(first[atom], first[atom + 1]):
            x = vectors[pair, 0]
            y = vectors[pair, 1]
            z = vectors[pair, 2]
            square = x * x + y * y + z * z
            if square >= reach_squared:
                continue
            form = table[types[atom], types[neighbor[pair]]]
            distance = np.sqrt(square)
            t = (distance - form[2]) * form[3]
            if t >= 1.0:
                continue
            value, slope = screened_coulomb(form[0], form[1], distance)
            if t > 0.0:
                rest = 1.0 - t
                kept = 1.0 - t * t * t * (10.0 + t * (6.0 * t - 15.0))
                slope = slope * kept - value * (30.0 * t * t * rest * rest * form[3])
                value *= kept
            energies[atom] += 0.5 * value
            if not wants_forces:
                continue
            pull = slope / distance
            forces[atom, 0] += pull * x
            forces[atom, 1] += pull * y
            forces[atom, 2] += pull * z
            strains[atom, 0] += 0.5 * pull * x * x
            strains[atom, 1] += 0.5 * pull * y * y
            strains[atom, 2] += 0.5 * pull * z * z
            strains[atom, 3] += 0.5 * pull * y * z
            strains[atom, 4] += 0.5 * pull * x * z
            strains[atom, 5] += 0.5 * pull * x * y


@compiled
def fade_of_pairs(distance, species, low, high, center, n_species, limits, at):
    """Return s and ds/dr of one group of neighbours, wide vectors.

    ``limits`` holds inner radius and 1/(outer - inner) of each pair of species from ``at`` on.
    Beyond the outer radius the results are exactly one and zero, below the inner exactly zero.
    """
    row = at + 2 * n_species * center
    if low == high:
        inner = splat_wide(limits[row + 2 * low])
        steepness = splat_wide(limits[row + 2 * low + 1])
    else:
        inner = splat_wide(0.0)
        steepness = splat_wide(0.0)
        for kind in range(low, high + 1):
            mask = indicator(species, float(kind))
            inner = fma(mask, splat_wide(limits[row + 2 * kind]), inner)
            steepness = fma(mask, splat_wide(limits[row + 2 * kind + 1]), steepness)
    one = splat_wide(1.0)
    rest = positive_part(one - positive_part((distance - inner) * steepness))
    t = one - rest
    square = t * t
    bend = fma(t, fma(splat_wide(6.0), t, splat_wide(-15.0)), splat_wide(10.0))
    return square * t * bend, splat_wide(30.0) * square * rest * rest * steepness


@compiled
def fade_of_pair(distance, inner, steepness):
    """Return s and ds/dr of neighbours of one species, narrow vectors; as :func:`fade_of_pairs`."""
    one = splat_narrow(1.0)
    reduced = (distance - splat_narrow(inner)) * splat_narrow(steepness)
    rest = positive_part(one - positive_part(reduced))
    t = one - rest
    square = t * t
    bend = fma(t, fma(splat_narrow(6.0), t, splat_narrow(-15.0)), splat_narrow(10.0))
    return square * t * bend, splat_narrow(30.0 * steepness) * square * rest * rest
