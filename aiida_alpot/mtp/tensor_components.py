# SPDX-License-Identifier: MIT
"""Names and symmetry of the components of contracted moment tensors.

A component of a group of rank n is named by how many of its n indices are x, y and z, since groups
are symmetric. The three exponents are packed in an integer, those of a second group above those of
the first, so that names add like exponents.
"""

from __future__ import annotations

from functools import cache
from math import factorial

import numpy as np

from aiida_alpot.mtp.moment_graphs import MomentGraph, canonical

Array = np.ndarray

_BASE = 16  # exponents stay below: ranks are at most 10
_GROUP = _BASE**3


def exponents_of_rank(rank: int) -> list[tuple[int, int, int]]:
    """Return the exponents a, b, c of the monomials x^a y^b z^c with a + b + c = rank."""
    return [(a, b, rank - a - b) for a in range(rank, -1, -1) for b in range(rank - a, -1, -1)]


def pack_exponents(a: int, b: int, c: int) -> int:
    """Return the name of the component x^a y^b z^c of a group."""
    return a + _BASE * b + _BASE**2 * c


@cache
def monomials(rank: int) -> tuple[Array, Array]:
    """Return the names of the components of a rank and the weight rank!/(a! b! c!) of each."""
    exponents = exponents_of_rank(rank)
    names = [pack_exponents(a, b, c) for a, b, c in exponents]
    weights = [
        factorial(rank) // (factorial(a) * factorial(b) * factorial(c)) for a, b, c in exponents
    ]
    return np.array(names, dtype=np.int64), np.array(weights, dtype=np.int64)


def add_indices(names: Array, indices: Array, groups: tuple[int, ...]) -> Array:
    """Add each of the indices to each of the names, in all of the groups; flat, names first.

    Without a group the names are only repeated.
    """
    shift = sum(_GROUP**group for group in groups)
    sums: Array = np.add.outer(names, indices * shift)
    return sums.ravel()


@cache
def components(graph: MomentGraph) -> Array:
    """Return the names of the independent components of a canonical tensor, sorted."""
    names = np.zeros(1, dtype=np.int64)
    for group, contributions in enumerate(graph.legs):
        names = add_indices(names, monomials(sum(contributions))[0], (group,))
    return np.unique(independent_name(graph, names))


def independent_name(graph: MomentGraph, names: Array) -> Array:
    """Return the same name for components that are equal by exchange of the two groups."""
    if not canonical(graph).is_symmetric:
        return names
    exchanged = names % _GROUP * _GROUP + names // _GROUP
    smaller: Array = np.minimum(names, exchanged)
    return smaller


def positions(graph: MomentGraph, names: Array) -> Array:
    """Return where the components of some names stand in :func:`components`."""
    return np.searchsorted(components(graph), independent_name(graph, names))
