# SPDX-License-Identifier: MIT
"""How far energies lie above the lowest ones: of the same composition, or of the convex hull.

The hull at a composition x is the lowest energy per atom of any mixture of the configurations,
min sum_j l_j e_j with sum_j l_j x_j = x, sum_j l_j = 1, l_j >= 0: a linear program, which needs no
pure elements among the configurations and copes with a single composition.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, QhullError

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.references import composition

Array = np.ndarray
_FEW = 50
"""Up to so many compositions all of them are mixed."""


def energies_above_lowest(configurations: Configurations, trusted: Array) -> Array:
    """Return energies per atom above the lowest of the same composition.

    Parameters
    ----------
    configurations : Configurations
        Labelled, in part or in full.
    trusted : (n,) bool
        Configurations that may be the lowest.

    Returns
    -------
    (n,) float64
        eV/atom; NaN where there is no energy or nothing to compare with.
    """
    group, lowest = _lowest_by_composition(configurations, trusted)[1:]
    above: Array = configurations.energy / configurations.n_atoms - lowest[group]
    return above


def energies_above_hull(configurations: Configurations, trusted: Array) -> Array:
    """Return energies per atom above the convex hull of the set.

    Parameters and returns are those of :func:`energies_above_lowest`.
    """
    compositions, group, lowest = _lowest_by_composition(configurations, trusted)
    hull = _lower_hull(compositions, lowest)
    above: Array = configurations.energy / configurations.n_atoms - hull[group]
    return above


def compositions_of(configurations: Configurations) -> tuple[Array, Array]:
    """Return the different compositions of a set, and which one each configuration has.

    Returns
    -------
    (m, n_species) float64, (n,) int64
        Shares of the species.
    """
    shares = composition(configurations, configurations.species)
    compositions, group = np.unique(np.round(shares, 9), axis=0, return_inverse=True)
    return compositions, group.ravel()


def _lowest_by_composition(
    configurations: Configurations, trusted: Array
) -> tuple[Array, Array, Array]:
    """Return the compositions, which one each configuration has, and their lowest energies."""
    compositions, group = compositions_of(configurations)
    energies = configurations.energy / configurations.n_atoms
    counted = trusted & np.isfinite(energies)
    lowest = np.full(len(compositions), np.inf)
    np.minimum.at(lowest, group[counted], energies[counted])
    lowest[np.isinf(lowest)] = np.nan
    return compositions, group, lowest


def _lower_hull(compositions: Array, energies: Array) -> Array:
    """Return the hull at each composition; NaN where it is not spanned by known energies."""
    hull = np.full(len(energies), np.nan)
    known = np.flatnonzero(np.isfinite(energies))
    if not len(known):
        return hull
    # energies of free atoms, which change no distance, are taken off for the accuracy of the solver
    atoms = np.linalg.lstsq(compositions[known], energies[known], rcond=None)[0]
    excess = energies[known] - compositions[known] @ atoms
    corners = _corners(compositions[known], excess)
    # one row more: shares of the mixture sum to one, also where compositions are rounded
    mixture = np.vstack([compositions[known[corners]].T, np.ones(len(corners))])
    for index, target in enumerate(compositions):
        right = np.append(target, 1.0)
        found = linprog(excess[corners], A_eq=mixture, b_eq=right, bounds=(0.0, None))
        if found.success:
            hull[index] = found.fun + target @ atoms
    return hull


def _corners(compositions: Array, excess: Array) -> Array:
    """Return the points that can be corners of the hull: few of many, all where they are flat."""
    points = np.column_stack([compositions[:, 1:], excess])
    if len(points) > _FEW:
        with suppress(QhullError):  # points of one composition, in a line or in a plane
            return np.sort(ConvexHull(points).vertices)
    return np.arange(len(points))
