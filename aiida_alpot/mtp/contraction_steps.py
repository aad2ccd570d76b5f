# SPDX-License-Identifier: MIT
"""One step of a contraction: a tensor as a sum of products of components of two smaller ones.

Components are stored without fractions. A group of rank n fed by a single moment stores T_s itself;
a group fed by several moments ("mixed") stores the coefficient of the monomial xi^s in
T(xi, ..., xi), that is n!/(s_x! s_y! s_z!) T_s, T symmetrised. The first is contracted with the
multinomial weight, the second, always as a whole, without.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.contraction_parts import Part, mixed_groups, split_in_two
from aiida_alpot.mtp.moment_graphs import MomentGraph
from aiida_alpot.mtp.tensor_components import (
    add_indices,
    independent_name,
    monomials,
    positions,
)

Array = np.ndarray


class Bundle(NamedTuple):
    """Indices that run together: contracted, traced, or handed on to a group of the result.

    Parameters
    ----------
    rank : int
        How many indices.
    left, right : tuple of int
        Groups of the left and of the right tensor that they belong to; two of one tensor if traced.
    target : tuple of int
        Group of the result that they become; empty if they are summed over.
    is_weighted : bool
        Whether the sum over components takes multinomial weights.
    """

    rank: int
    left: tuple[int, ...]
    right: tuple[int, ...]
    target: tuple[int, ...]
    is_weighted: bool


class Step(NamedTuple):
    """A way to compute a tensor from two others; ``cost`` is its number of products."""

    cost: int
    left: MomentGraph
    right: MomentGraph
    bundles: tuple[Bundle, ...]


class Terms(NamedTuple):
    """The products target[t] += multiplicity * left[l] * right[r] of a step.

    Numbers are positions in :func:`~aiida_alpot.mtp.tensor_components.components`.
    """

    target: Array
    left: Array
    right: Array
    multiplicity: Array


@cache
def contraction_steps(graph: MomentGraph) -> tuple[Step, ...]:
    """Return the ways to compute a canonical tensor of two or more moments, the cheapest first."""
    cheapest: dict[tuple[MomentGraph, MomentGraph], Step] = {}
    for left, right in split_in_two(graph):
        step = Step(0, left.tensor, right.tensor, _collect_bundles(graph, left, right))
        step = step._replace(cost=len(step_terms(graph, step).target))
        sources = (left.tensor, right.tensor)
        if sources not in cheapest or step.cost < cheapest[sources].cost:
            cheapest[sources] = step
    return tuple(sorted(cheapest.values(), key=lambda step: step[:3]))


def step_terms(graph: MomentGraph, step: Step) -> Terms:
    """Return the products of a step, like products collected, ordered by target component."""
    target = left = right = np.zeros(1, dtype=np.int64)
    weight = np.ones(1, dtype=np.int64)
    for bundle in step.bundles:
        indices, multinomial = monomials(bundle.rank)
        target = add_indices(target, indices, bundle.target)
        left = add_indices(left, indices, bundle.left)
        right = add_indices(right, indices, bundle.right)
        factor = multinomial if bundle.is_weighted else np.ones_like(multinomial)
        weight = np.multiply.outer(weight, factor).ravel()
    needed = independent_name(graph, target) == target
    target = positions(graph, target[needed])
    left, right = positions(step.left, left[needed]), positions(step.right, right[needed])
    if step.left == step.right:
        left, right = np.minimum(left, right), np.maximum(left, right)
    return _collect_like_products(target, left, right, weight[needed])


def _collect_like_products(target: Array, left: Array, right: Array, weight: Array) -> Terms:
    """Add up the weights of equal products."""
    shape = (target.max() + 1, left.max() + 1, right.max() + 1)
    keys = np.ravel_multi_index((target, left, right), shape)
    distinct, inverse = np.unique(keys, return_inverse=True)
    multiplicity = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(multiplicity, inverse.ravel(), weight)
    target, left, right = np.unravel_index(distinct, shape)
    return Terms(target, left, right, multiplicity)


def _collect_bundles(graph: MomentGraph, left: Part, right: Part) -> tuple[Bundle, ...]:
    """Return the bundles of indices of a split."""
    bundles: dict[tuple[object, ...], Bundle] = {}

    def add(name: tuple[object, ...], bundle: Bundle) -> None:
        # the indices of a mixed group come in several links but run as one bundle
        known = bundles.get(name)
        bundles[name] = bundle if known is None else known._replace(rank=known.rank + bundle.rank)

    for (node, other), rank in graph.links().items():
        if other >= graph.n_nodes:
            part = left if node in left.nodes else right
            add(*_hand_on(graph, part, (node, other), rank, is_left=part is left))
        elif node in left.nodes and other in right.nodes:
            add(*_contract(left, right, (node, other), rank))
    if left.n_open:
        add(("left",), Bundle(left.n_open, (0, 1), (), (), is_weighted=True))
    if right.n_open:
        add(("right",), Bundle(right.n_open, (), (0, 1), (), is_weighted=True))
    return tuple(bundles.values())


def _hand_on(
    graph: MomentGraph, part: Part, link: tuple[int, int], rank: int, *, is_left: bool
) -> tuple[tuple[object, ...], Bundle]:
    """Return the name of a bundle and the indices of a part that go to a group of the result."""
    group, target = part.group[link], link[1] - graph.n_nodes
    is_mixed = group in part.mixed
    name = (is_left, "mixed", group) if is_mixed else link
    is_weighted = not is_mixed and target in mixed_groups(graph)
    left, right = ((group,), ()) if is_left else ((), (group,))
    return name, Bundle(rank, left, right, (target,), is_weighted)


def _contract(
    left: Part, right: Part, link: tuple[int, int], rank: int
) -> tuple[tuple[object, ...], Bundle]:
    """Return the name of a bundle and the indices that are contracted between two nodes."""
    left_group, right_group = left.group[link], right.group[link[::-1]]
    name: tuple[object, ...] = link
    if left_group in left.mixed:
        name = ("left", "mixed", left_group)
    elif right_group in right.mixed:
        name = ("right", "mixed", right_group)
    return name, Bundle(rank, (left_group,), (right_group,), (), is_weighted=name == link)
