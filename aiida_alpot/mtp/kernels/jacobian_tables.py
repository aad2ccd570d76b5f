# SPDX-License-Identifier: MIT
"""Which products of a moment basis matter to which derivative.

The derivatives of the scalars by the basic moments and the response of the energy's gradient to a
change of one radial function f_mu are linear maps, each a short *program*: steps in order, a step
being a sum of terms *weight x number x vector*. Numbers are moments M, energy gradients dV/dM and
one; vectors have 8 lanes, which are 8 scalars or 8 Chebyshev polynomials: adjoints and tangents of
the moments, and the 8 unit vectors. A program holds only the products that matter (at level 16 a
scalar depends on 8 % of the basic moments). Scalars that depend on the same basic moments share a
program: they are grouped greedily. All lists are made once for each basis.
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
    monomial_degree: Array
    monomial_powers: Array
    """(n_monomials,) Sum of the exponents and (3 n_monomials,) exponents, as float64."""
    monomial_lower: Array
    """(3 n_monomials,) Monomial with one power less, itself where there is none."""
    basic_monomial: Array
    basic_mu: Array
    """(n_basic,)"""
    basics_of_mu_first: Array
    basics_of_mu: Array
    """Basic moments of each radial function."""
    first_product: Array
    """(n_targets + 1,) First product of each target; targets are n_basic onwards."""
    left: Array
    right: Array
    weight: Array
    """(n_products,) Products ordered by target."""
    first_use: Array
    """(n_moments + 1,) First use of each moment, the last moment first."""
    use_other: Array
    use_target: Array
    use_weight: Array
    """(n_uses,) d target / d moment = sum of weight x other."""
    scalar: Array
    """(n_scalars,) Moment of each scalar."""
    lane_scalar: Array
    """(8 n_groups,) Scalar in each lane of each group, -1 for none."""
    program_first: Array
    """(n_programs + 1,) First step; one program for each group of scalars, one for each mu."""
    step_target: Array
    """(n_steps,) Where the vector is written, in doubles."""
    step_first: Array
    """(n_steps + 1,) First term of each step."""
    term_number: Array
    term_vector: Array
    """Index of a number, and where a vector begins in doubles."""
    term_weight: Array
    group_first: Array
    group_basics: Array
    """Basic moments that a scalar of each group depends on."""
    response_first: Array
    response_basics: Array
    """Basic moments whose gradient depends on f_mu."""


@lru_cache(maxsize=4)
def _build(key: _Identity) -> JacobianTables:
    basis = key.basis
    products = basis.products[np.argsort(basis.products[:, 3], kind="stable")]
    left, right, weight, target = products.T
    targets = np.arange(basis.n_basic, basis.n_moments + 1)
    uses = _Uses.of_products(products)
    groups, lane_scalar, group_basics = _differentiate_scalars(basis, products, uses)
    responses, response_basics = _respond_to_radial(basis, products, uses)
    of_mu = [np.flatnonzero(basis.basic[:, 0] == mu) for mu in range(basis.n_radial)]
    return JacobianTables(
        **_monomials(basis),
        basic_mu=basis.basic[:, 0].astype(np.int64),
        basics_of_mu_first=_starts(of_mu),
        basics_of_mu=_join(of_mu),
        first_product=np.searchsorted(target, targets).astype(np.int64),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        weight=weight.astype(np.float64),
        first_use=np.searchsorted(-uses.moment, -np.arange(basis.n_moments - 1, -2, -1)),
        use_other=uses.other.astype(np.int32),
        use_target=uses.target.astype(np.int32),
        use_weight=uses.weight.astype(np.float64),
        scalar=basis.scalars.astype(np.int64),
        lane_scalar=lane_scalar,
        **_join_programs([*groups, *responses]),
        group_first=_starts(group_basics),
        group_basics=_join(group_basics),
        response_first=_starts(response_basics),
        response_basics=_join(response_basics),
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
        "monomial_degree": np.array(powers, dtype=np.float64).sum(axis=1),
        "monomial_powers": np.array(powers, dtype=np.float64).ravel(),
        "monomial_lower": lower.ravel(),
        "basic_monomial": np.array([index[tuple(row)] for row in basis.basic[:, 1:].tolist()]),
    }


class _Uses(NamedTuple):
    """Each way in which a moment enters a product, the last moments first."""

    moment: Array
    other: Array
    target: Array
    weight: Array

    @classmethod
    def of_products(cls, products: Array) -> _Uses:
        left, right, weight, target = products.T
        is_square = left == right
        both = ~is_square
        moment = np.concatenate([left, right[both]])
        other = np.concatenate([right, left[both]])
        weights = np.concatenate([np.where(is_square, 2, 1) * weight, weight[both]])
        targets = np.concatenate([target, target[both]])
        order = np.lexsort((targets, -moment))
        return cls(moment[order], other[order], targets[order], weights[order])


class _Program(NamedTuple):
    """Terms of the steps, those of one target one after another."""

    target: Array
    number: Array
    vector: Array
    weight: Array


def _differentiate_scalars(
    basis: MomentBasis, products: Array, uses: _Uses
) -> tuple[list[_Program], Array, list[Array]]:
    """Return a program for each group of scalars, the scalars in its lanes, and its basics."""
    depends = _dependence(basis, products)
    groups = _group_scalars(depends[: basis.n_basic])
    one, first_unit = 2 * basis.n_moments, 2 * basis.n_moments
    programs, basics = [], []
    lane_scalar = np.full((len(groups), LANES), -1, dtype=np.int64)
    for index, group in enumerate(groups):
        lane_scalar[index, : len(group)] = group
        matters: Array = np.logical_or.reduce(depends[:, group], axis=1)
        kept = matters[uses.target]
        scalars = basis.scalars[group]
        n = len(group)
        target = np.concatenate([uses.moment[kept], scalars])
        order = np.argsort(-target, kind="stable")
        programs.append(
            _Program(
                target[order],
                np.concatenate([uses.other[kept], np.full(n, one)])[order],
                np.concatenate([uses.target[kept], first_unit + np.arange(n)])[order],
                np.concatenate([uses.weight[kept], np.ones(n)])[order],
            )
        )
        basics.append(np.flatnonzero(matters[: basis.n_basic]))
    return programs, lane_scalar.ravel(), basics


def _dependence(basis: MomentBasis, products: Array) -> Array:
    """Return (n_moments, n_scalars): whether a scalar depends on a moment."""
    depends: Array = np.zeros((basis.n_moments, basis.n_scalars), dtype=bool)
    depends[basis.scalars, np.arange(basis.n_scalars)] = True
    for left, right, _, target in reversed(products.tolist()):
        depends[left] |= depends[target]
        depends[right] |= depends[target]
    return depends


def _group_scalars(depends: Array) -> list[Array]:
    """Group scalars by 8 such that few basic moments matter to each group.

    Greedily: a group begins with the scalar left that depends on most, and takes in turn the one
    that adds fewest basic moments, of those the one that shares most.
    """
    sizes = depends.sum(axis=0)
    left = np.ones(depends.shape[1], dtype=bool)
    as_numbers = depends.astype(np.float32)
    groups = []
    while left.any():
        group = [int(np.argmax(np.where(left, sizes, -1)))]
        left[group[0]] = False
        known: Array = depends[:, group[0]].copy()
        while len(group) < LANES and left.any():
            shared = known.astype(np.float32) @ as_numbers
            added = sizes - shared
            candidates = np.flatnonzero(left)
            best = candidates[np.lexsort((-shared[candidates], added[candidates]))[0]]
            group.append(int(best))
            left[best] = False
            known |= depends[:, best]
        groups.append(np.array(group))
    return groups


def _respond_to_radial(
    basis: MomentBasis, products: Array, uses: _Uses
) -> tuple[list[_Program], list[Array]]:
    """Return for each mu the program of tangents and adjoints, and the basics that respond.

    With T the tangent of M and H that of dV/dM: T = sum weight M_other T over the factors, then
    H = sum weight (M_other H_target + dV/dM_target T_other) over the uses.
    """
    n_moments = basis.n_moments
    programs, responses = [], []
    rows = products[:, [0, 1, 3]].tolist()
    for mu in range(basis.n_radial):
        changes = np.zeros(n_moments, dtype=bool)
        changes[: basis.n_basic] = basis.basic[:, 0] == mu
        for left, right, target in rows:
            changes[target] |= changes[left] or changes[right]
        responds = np.zeros(n_moments, dtype=bool)
        for left, right, target in reversed(rows):
            responds[left] |= responds[target] or changes[right]
            responds[right] |= responds[target] or changes[left]
        forward = np.flatnonzero(changes[uses.moment])
        forward = forward[np.argsort(uses.target[forward], kind="stable")]
        above, beside = np.flatnonzero(responds[uses.target]), np.flatnonzero(changes[uses.other])
        moment = np.concatenate([uses.moment[above], uses.moment[beside]])
        order = np.argsort(-moment, kind="stable")
        number = np.concatenate([uses.other[above], n_moments + uses.target[beside]])
        vector = np.concatenate([uses.target[above], n_moments + uses.other[beside]])
        weight = np.concatenate([uses.weight[above], uses.weight[beside]])
        # a square has one use, of weight 2: its tangent 2 M T and its gradient alike
        programs.append(
            _Program(
                np.concatenate([n_moments + uses.target[forward], moment[order]]),
                np.concatenate([uses.other[forward], number[order]]),
                np.concatenate([n_moments + uses.moment[forward], vector[order]]),
                np.concatenate([uses.weight[forward], weight[order]]),
            )
        )
        responses.append(np.flatnonzero(responds[: basis.n_basic]))
    return programs, responses


def _join_programs(programs: Sequence[_Program]) -> dict[str, Array]:
    """Cut programs into steps, where the target changes, and join them."""
    targets, firsts, counts, n_terms = [], [], [0], 0
    for program in programs:
        starts = np.flatnonzero(np.diff(program.target, prepend=-1))
        targets.append(program.target[starts])
        firsts.append(n_terms + starts)
        n_terms += len(program.target)
        counts.append(counts[-1] + len(starts))
    return {
        "program_first": np.array(counts, dtype=np.int64),
        "step_target": _join(targets) * LANES,
        "step_first": np.append(_join(firsts), n_terms),
        "term_number": _join([program.number for program in programs]).astype(np.int32),
        "term_vector": (_join([program.vector for program in programs]) * LANES).astype(np.int32),
        "term_weight": np.concatenate([program.weight for program in programs]).astype(float),
    }


def _starts(lists: Sequence[Array]) -> Array:
    return np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)


def _join(lists: Sequence[Array]) -> Array:
    return np.concatenate(lists).astype(np.int64)
