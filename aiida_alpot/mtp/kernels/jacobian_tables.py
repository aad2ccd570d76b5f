# SPDX-License-Identifier: MIT
"""Which products of a moment basis matter to which derivative.

The derivative of one scalar by the basic moments needs the products below it only, and the response
of the gradient to a change of one radial function f_mu those that hold a moment of that mu. Both
are small parts of all products (at level 16 a scalar depends on 8 % of the basic moments), so the
kernels of :mod:`aiida_alpot.mtp.kernels.jacobian` walk lists made here, once for each basis.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.contractions import MomentBasis

Array = np.ndarray
LANES = 8
"""Scalars, or Chebyshev polynomials, that are derived side by side."""


class JacobianTables(NamedTuple):
    """Index arrays of the kernels; lists of lists are joined, with the first entry of each."""

    monomial_parent: Array
    """(n_monomials,) Monomial that gives this one when multiplied with one direction."""
    monomial_axis: Array
    """(n_monomials,) That direction."""
    monomial_powers: Array
    """(n_monomials, 3) Exponents, as float64."""
    monomial_lower: Array
    """(n_monomials, 3) Monomial with one power less, itself where there is none."""
    basic_monomial: Array
    basic_mu: Array
    """(n_basic,)"""
    first_product: Array
    """(n_targets + 1,) First product of each target; targets are n_basic onwards."""
    left: Array
    right: Array
    target: Array
    weight: Array
    """(n_products,) Products ordered by target."""
    scalar: Array
    """(n_scalars,) Moment of each scalar."""
    group_first: Array
    group_products: Array
    """Products below each group of 8 scalars, the last ones first."""
    scalar_first: Array
    scalar_basics: Array
    """Basic moments that each scalar depends on."""
    forward_first: Array
    forward_products: Array
    """Products that hold a moment of each mu."""
    backward_first: Array
    backward_products: Array
    """Products through which a change of f_mu changes the gradient, the last ones first."""
    response_first: Array
    response_basics: Array
    """Basic moments whose gradient depends on f_mu."""


@lru_cache(maxsize=4)
def _build(key: _Identity) -> JacobianTables:
    basis = key.basis
    products = basis.products[np.argsort(basis.products[:, 3], kind="stable")]
    left, right, _, target = products.T
    targets = np.arange(basis.n_basic, basis.n_moments + 1)
    groups, scalar_basics = _below_scalars(basis, products)
    forward, backward, response = _responses(basis, products)
    return JacobianTables(
        **_monomials(basis),
        basic_mu=basis.basic[:, 0].astype(np.int64),
        first_product=np.searchsorted(target, targets).astype(np.int64),
        left=left.astype(np.int64),
        right=right.astype(np.int64),
        target=target.astype(np.int64),
        weight=products[:, 2].astype(np.float64),
        scalar=basis.scalars.astype(np.int64),
        group_first=_starts(groups),
        group_products=_join(groups),
        scalar_first=_starts(scalar_basics),
        scalar_basics=_join(scalar_basics),
        forward_first=_starts(forward),
        forward_products=_join(forward),
        backward_first=_starts(backward),
        backward_products=_join(backward),
        response_first=_starts(response),
        response_basics=_join(response),
    )


class _Identity:
    """A basis as a key of the cache: the same object has the same tables."""

    def __init__(self, basis: MomentBasis) -> None:
        self.basis = basis

    def __hash__(self) -> int:
        return id(self.basis)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.basis is self.basis


def jacobian_tables(basis: MomentBasis) -> JacobianTables:
    """Return the tables of a basis; they are made once while the basis is in use."""
    return _build(_Identity(basis))


def _monomials(basis: MomentBasis) -> dict[str, Array]:
    """Return the tables of the monomials x^a y^b z^c up to the highest degree."""
    degree = int(basis.basic[:, 1:].sum(axis=1).max())
    powers = [
        (a, b, total - a - b)
        for total in range(degree + 1)
        for a in range(total, -1, -1)
        for b in range(total - a, -1, -1)
    ]
    index: dict[tuple[int, ...], int] = {power: place for place, power in enumerate(powers)}
    lower = np.zeros((len(powers), 3), dtype=np.int64)
    for place, power in enumerate(powers):
        for axis in range(3):
            reduced = tuple(p - (a == axis) for a, p in enumerate(power))
            lower[place, axis] = index.get(reduced, place)
    axis = np.argmax(np.array(powers) > 0, axis=1)
    return {
        "monomial_parent": lower[np.arange(len(powers)), axis],
        "monomial_axis": axis.astype(np.int64),
        "monomial_powers": np.array(powers, dtype=np.float64),
        "monomial_lower": lower,
        "basic_monomial": np.array([index[tuple(row)] for row in basis.basic[:, 1:].tolist()]),
    }


def _below_scalars(basis: MomentBasis, products: Array) -> tuple[list[Array], list[Array]]:
    """Return the products below each group of scalars, and the basic moments below each scalar."""
    users = [0] * basis.n_moments  # bit s: scalar s depends on the moment
    for scalar, moment in enumerate(basis.scalars.tolist()):
        users[moment] |= 1 << scalar
    for left, right, _, target in reversed(products.tolist()):
        users[left] |= users[target]
        users[right] |= users[target]
    n_scalars = basis.n_scalars
    n_bytes = (n_scalars + 7) // 8
    packed = np.frombuffer(b"".join(bits.to_bytes(n_bytes, "little") for bits in users), np.uint8)
    # one byte holds the 8 scalars of a group
    by_group = packed.reshape(-1, n_bytes)
    groups = [np.flatnonzero(by_group[products[:, 3], group])[::-1] for group in range(n_bytes)]
    bits = np.unpackbits(by_group[: basis.n_basic], axis=1, bitorder="little")
    return groups, [np.flatnonzero(bits[:, scalar]) for scalar in range(n_scalars)]


def _responses(basis: MomentBasis, products: Array) -> tuple[list[Array], list[Array], list[Array]]:
    """Return for each mu the products forward and backward, and the basic moments that respond."""
    forward, backward, response = [], [], []
    rows = products[:, [0, 1, 3]].tolist()
    for mu in range(basis.n_radial):
        changes = np.zeros(basis.n_moments, dtype=bool)
        changes[: basis.n_basic] = basis.basic[:, 0] == mu
        used = []
        for product, (left, right, target) in enumerate(rows):
            if changes[left] or changes[right]:
                changes[target] = True
                used.append(product)
        responds = np.zeros(basis.n_moments, dtype=bool)
        walked = []
        for product in range(len(rows) - 1, -1, -1):
            left, right, target = rows[product]
            if responds[target] or changes[left] or changes[right]:
                responds[left] |= responds[target] or changes[right]
                responds[right] |= responds[target] or changes[left]
                walked.append(product)
        forward.append(np.array(used, dtype=np.int64))
        backward.append(np.array(walked, dtype=np.int64))
        response.append(np.flatnonzero(responds[: basis.n_basic]))
    return forward, backward, response


def _starts(lists: Sequence[Array]) -> Array:
    return np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)


def _join(lists: Sequence[Array]) -> Array:
    return np.concatenate(lists).astype(np.int64)
