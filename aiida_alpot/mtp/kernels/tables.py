# SPDX-License-Identifier: MIT
"""A moment basis rearranged for the kernels: which sums to do in which order.

The kernels number the moments anew: basic moments first, by (mu, monomial), then the products by
depth, a depth being computed from lower ones alone, and within a depth by the number of terms.
Sums of equal length then follow one another, which processors predict well. Monomials x^a y^b z^c
are complete up to the highest degree, ordered by (degree, decreasing a, decreasing b).
"""

from __future__ import annotations

import weakref
from typing import NamedTuple

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.contractions import MomentBasis

Array = np.ndarray


class ContractionTables(NamedTuple):
    """Index arrays of the kernels; moments are numbered as the module says.

    A named tuple of arrays, so that numba takes it as one argument.
    """

    degree: int
    """Highest degree of a monomial."""
    n_moments: int
    first_of_mu: Array
    """(n_radial + 1,) First basic moment of each radial function."""
    monomial: Array
    """(n_basic,) Monomial of each basic moment."""
    mu_zero_is_complete: bool
    """Whether mu = 0 has one basic moment for each monomial, as in all generated bases."""
    forward_first: Array
    """(n_targets + 1,) First term of each moment that is a sum of products, n_basic onwards."""
    forward_left: Array
    forward_right: Array
    forward_weight: Array
    """(n_products,) Factors and multiplicity of each term."""
    backward_moment: Array
    """(n_moments,) Moments such that the users of each stand before it."""
    backward_first: Array
    """(n_moments + 1,) First use of each moment in that order."""
    backward_target: Array
    backward_other: Array
    backward_weight: Array
    """(n_uses,) d target / d moment = sum of weight * other."""
    scalar: Array
    """(n_scalars,) Moment of each scalar."""


_CACHE: dict[int, tuple[weakref.ref[MomentBasis], ContractionTables]] = {}


def contraction_tables(basis: MomentBasis) -> ContractionTables:
    """Return the tables of a basis; they are made once for each basis object.

    Raises
    ------
    SettingError
        If a product uses a moment before it is complete.
    """
    known = _CACHE.get(id(basis))
    if known is not None and known[0]() is basis:
        return known[1]
    tables = _build(basis)
    identity = id(basis)
    _CACHE[identity] = (weakref.ref(basis, lambda _: _forget(identity)), tables)
    return tables


def _forget(identity: int) -> None:
    _CACHE.pop(identity, None)


def n_monomials(degree: int) -> int:
    """Return the number of monomials up to a degree."""
    return (degree + 1) * (degree + 2) * (degree + 3) // 6


def _build(basis: MomentBasis) -> ContractionTables:
    left, right, multiplicity, target = basis.products.reshape(-1, 4).T
    _check_order(basis, left, right, target)
    rank, monomial, first_of_mu, degree = _number_basics(basis)
    depth = _depths(basis, left, right, target)
    n_terms = np.bincount(target, minlength=basis.n_moments)
    numbers = np.lexsort((rank, n_terms, depth))  # new number -> old
    renamed = np.empty(basis.n_moments, dtype=np.int64)
    renamed[numbers] = np.arange(basis.n_moments)

    left, right, target = renamed[left], renamed[right], renamed[target]
    order = np.lexsort((right, left, target))
    n_targets = basis.n_moments - basis.n_basic
    forward_first = np.searchsorted(target[order], basis.n_basic + np.arange(n_targets + 1))
    backward = _transpose(left, right, multiplicity, target, depth[numbers])
    return ContractionTables(
        degree=degree,
        n_moments=basis.n_moments,
        first_of_mu=first_of_mu,
        monomial=monomial,
        mu_zero_is_complete=np.array_equal(
            monomial[: first_of_mu[1]], np.arange(n_monomials(degree))
        ),
        forward_first=forward_first.astype(np.int64),
        forward_left=left[order].astype(np.uint32),
        forward_right=right[order].astype(np.uint32),
        forward_weight=multiplicity[order].astype(np.float64),
        backward_moment=backward[0],
        backward_first=backward[1],
        backward_target=backward[2],
        backward_other=backward[3],
        backward_weight=backward[4],
        scalar=renamed[basis.scalars],
    )


def _check_order(basis: MomentBasis, left: Array, right: Array, target: Array) -> None:
    """Raise unless every source is complete when it is used and no basic moment is a target."""
    last_write = np.full(basis.n_moments, -1)
    last_write[target] = np.arange(len(target))  # the last of repeated indices stays
    is_written = np.zeros(basis.n_moments, dtype=bool)
    is_written[: basis.n_basic] = True
    is_written[target] = True
    position = np.arange(len(target))
    late = (last_write[left] >= position) | (last_write[right] >= position)
    missing = ~(is_written[left] & is_written[right])
    if late.any() or missing.any() or (target < basis.n_basic).any():
        wrong = int(np.argmax(late | missing | (target < basis.n_basic)))
        raise SettingError(
            f"Product {wrong} of the moment basis uses a moment before it is complete. "
            "The potential file is damaged: copy or write it again."
        )


def _number_basics(basis: MomentBasis) -> tuple[Array, Array, Array, int]:
    """Return rank of each moment (products last), monomials, first moments of mu, degree."""
    mu, a, b, c = basis.basic.T
    total = a + b + c
    index = total * (total + 1) * (total + 2) // 6 + (b + c) * (b + c + 1) // 2 + c
    order = np.lexsort((index, mu))
    rank = np.full(basis.n_moments, basis.n_basic)
    rank[order] = np.arange(basis.n_basic)
    first_of_mu = np.searchsorted(mu[order], np.arange(basis.n_radial + 1)).astype(np.int64)
    return rank, index[order].astype(np.int64), first_of_mu, int(total.max())


def _depths(basis: MomentBasis, left: Array, right: Array, target: Array) -> Array:
    """Return 0 for basic moments, else one more than the deepest source; unused moments last."""
    depth = np.zeros(basis.n_moments, dtype=np.int64)
    depth[basis.n_basic :] = 1
    while True:
        deeper = depth.copy()
        np.maximum.at(deeper, target, 1 + np.maximum(depth[left], depth[right]))
        if (deeper == depth).all():
            return depth
        depth = deeper


def _transpose(
    left: Array, right: Array, multiplicity: Array, target: Array, depth: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """List for each moment the products that use it; a square counts double."""
    is_square = left == right
    moment = np.concatenate([left, right[~is_square]])
    other = np.concatenate([right, left[~is_square]])
    used_by = np.concatenate([target, target[~is_square]])
    weight = np.concatenate([multiplicity * (1 + is_square), multiplicity[~is_square]])
    n_uses = np.bincount(moment, minlength=len(depth))
    moments = np.lexsort((n_uses, -depth))
    place = np.empty(len(depth), dtype=np.int64)
    place[moments] = np.arange(len(depth))
    order = np.lexsort((other, used_by, place[moment]))
    first = np.searchsorted(place[moment][order], np.arange(len(depth) + 1))
    return (
        moments.astype(np.int64),
        first.astype(np.int64),
        used_by[order].astype(np.uint32),
        other[order].astype(np.uint32),
        weight[order].astype(np.float64),
    )
