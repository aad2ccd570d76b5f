# SPDX-License-Identifier: MIT
"""One step of a contraction: a tensor as a sum of products of the components of two smaller ones.

The nodes of a graph are split in two parts. Each part is a tensor of its own, whose legs are the
edges that were cut and the legs of the whole. A part of two moments can keep its legs grouped in
two ways:

- by its *own* nodes: symmetric as the moments are, whatever the rest of the graph, hence shared by
  many contractions;
- by their *destination*: the indices that go to one node of the other part (or to one group of
  legs) are symmetrised together, since the other part is symmetric in them; cheaper to use, but of
  use in fewer contractions.

At most one of the two parts may group by destination. A part of two moments grouped by node may
also leave some of the pairs of indices between them open, to be traced in the step: it then stands
in for several tensors that are contracted further.

Components are stored without fractions. A group of rank n fed by a single node stores T_s itself; a
group fed by several nodes stores the coefficient of the monomial xi^s in T(xi, ..., xi), that is
n!/(s_x! s_y! s_z!) T_s, T symmetrised. The first is contracted with the multinomial weight, the
second without. A component is named by the exponents of x, y, z of each group packed in an integer,
see :func:`monomials`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, product
from math import factorial
from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.moment_graphs import MomentGraph, canonical, node_pairs

Array = np.ndarray

_BASE = 16  # exponents stay below: ranks are at most 10
_GROUP = _BASE**3


class Bundle(NamedTuple):
    """Indices that run together: contracted between the parts, or from one to a group of legs."""

    rank: int
    left: tuple[int, ...]
    """Groups of the left tensor that they belong to: none, one, or two that are traced."""
    right: tuple[int, ...]
    target: tuple[int, ...]
    """Group of the result that they become, if they are not contracted."""
    is_weighted: bool


class Step(NamedTuple):
    """A way to compute a tensor from two others; ``cost`` is its number of products."""

    cost: int
    left: MomentGraph
    right: MomentGraph
    bundles: tuple[Bundle, ...]


class Terms(NamedTuple):
    """The products target[t] += multiplicity * left[l] * right[r] of a step, by component."""

    target: Array
    left: Array
    right: Array
    multiplicity: Array


class _Part(NamedTuple):
    """One part of a split graph as a canonical tensor."""

    nodes: tuple[int, ...]
    tensor: MomentGraph
    group: dict[tuple[int, int], int]
    """Group of the tensor that the indices of (node, destination) belong to."""
    n_open: int
    """Pairs of indices of its two moments that it leaves to be traced."""
    mixed: frozenset[int]
    """Groups fed by several nodes."""


def exponents_of_rank(rank: int) -> list[tuple[int, int, int]]:
    """Return the exponents a, b, c of the monomials x^a y^b z^c with a + b + c = rank."""
    return [(a, b, rank - a - b) for a in range(rank, -1, -1) for b in range(rank - a, -1, -1)]


def pack_exponents(a: int, b: int, c: int) -> int:
    """Return a + 16 b + 256 c: packed exponents add like the exponents themselves."""
    return a + _BASE * b + _BASE**2 * c


@cache
def monomials(rank: int) -> tuple[Array, Array]:
    """Return the packed exponents of the monomials of a rank and rank!/(a! b! c!) of each."""
    exponents = exponents_of_rank(rank)
    packed = [pack_exponents(a, b, c) for a, b, c in exponents]
    weights = [
        factorial(rank) // (factorial(a) * factorial(b) * factorial(c)) for a, b, c in exponents
    ]
    return np.array(packed, dtype=np.int64), np.array(weights, dtype=np.int64)


@cache
def components(graph: MomentGraph) -> Array:
    """Return the packed names of the independent components of a canonical tensor, sorted."""
    packed = np.zeros(1, dtype=np.int64)
    for group, contributions in enumerate(graph.legs):
        exponents, _ = monomials(sum(contributions))
        packed = np.add.outer(packed, exponents * _GROUP**group).ravel()
    return np.unique(_fold(graph, packed))


def _fold(graph: MomentGraph, packed: Array) -> Array:
    """Name components that are equal by exchange of the two groups alike."""
    if not canonical(graph).is_symmetric:
        return packed
    exchanged = packed % _GROUP * _GROUP + packed // _GROUP
    smaller: Array = np.minimum(packed, exchanged)
    return smaller


def step_terms(graph: MomentGraph, step: Step) -> Terms:
    """Return the products of a step, like products collected, ordered by target component."""
    target = left = right = np.zeros(1, dtype=np.int64)
    weight = np.ones(1, dtype=np.int64)
    for bundle in step.bundles:
        packed, multinomial = monomials(bundle.rank)
        target = _add_exponents(target, packed, bundle.target)
        left = _add_exponents(left, packed, bundle.left)
        right = _add_exponents(right, packed, bundle.right)
        factor = multinomial if bundle.is_weighted else np.ones_like(multinomial)
        weight = np.multiply.outer(weight, factor).ravel()
    independent = _fold(graph, target) == target
    target = np.searchsorted(components(graph), target[independent])
    left = _positions(step.left, left[independent])
    right = _positions(step.right, right[independent])
    if step.left == step.right:
        left, right = np.minimum(left, right), np.maximum(left, right)
    shape = (len(components(graph)), len(components(step.left)), len(components(step.right)))
    merged, inverse = np.unique(
        np.ravel_multi_index((target, left, right), shape), return_inverse=True
    )
    multiplicity = np.zeros(len(merged), dtype=np.int64)
    np.add.at(multiplicity, inverse.ravel(), weight[independent])
    target, left, right = np.unravel_index(merged, shape)
    return Terms(target, left, right, multiplicity)


def _add_exponents(packed: Array, exponents: Array, groups: tuple[int, ...]) -> Array:
    """Append an axis of exponents to some groups (to none: only repeat) and flatten."""
    shift = sum(_GROUP**group for group in groups)
    sums: Array = np.add.outer(packed, exponents * shift)
    return sums.ravel()


def _positions(graph: MomentGraph, packed: Array) -> Array:
    return np.searchsorted(components(graph), _fold(graph, packed))


@cache
def contraction_steps(graph: MomentGraph) -> tuple[Step, ...]:
    """Return the ways to compute a canonical tensor of two or more moments, the cheapest first."""
    cheapest: dict[tuple[MomentGraph, MomentGraph], Step] = {}
    for left, right in _splits(graph):
        bundles = _collect_bundles(graph, left, right)
        step = Step(0, left.tensor, right.tensor, bundles)
        step = step._replace(cost=len(step_terms(graph, step).target))
        pair = (left.tensor, right.tensor)
        if pair not in cheapest or step.cost < cheapest[pair].cost:
            cheapest[pair] = step
    return tuple(sorted(cheapest.values(), key=lambda step: step[:3]))


def _splits(graph: MomentGraph) -> Iterator[tuple[_Part, _Part]]:
    """Yield the pairs of parts that a tensor can be contracted from."""
    for left, right in _node_splits(graph):
        for left_mixes, right_mixes in ((False, False), (True, False), (False, True)):
            if _may_group(left, left_mixes) and _may_group(right, right_mixes):
                yield from product(
                    _make_parts(graph, left, by_destination=left_mixes),
                    _make_parts(graph, right, by_destination=right_mixes),
                )


def _may_group(nodes: tuple[int, ...], by_destination: bool) -> bool:
    """Tell whether a part may group so: one moment is one group, three groups are too dear."""
    return len(nodes) == 2 or by_destination == (len(nodes) == 3)


def _node_splits(graph: MomentGraph) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the splits of the nodes in two; a scalar that factorises is split in its factors."""
    nodes = range(graph.n_nodes)
    splits = []
    for size in range(1, graph.n_nodes // 2 + 1):
        for right in combinations(nodes, size):
            left = tuple(node for node in nodes if node not in right)
            if 2 * size < graph.n_nodes or 0 in left:
                splits.append((left, right))
    links = graph.links()
    factors = [
        (left, right)
        for left, right in splits
        if not graph.legs and not any((i, j) in links for i in left for j in right)
    ]
    return factors or splits


def _make_parts(graph: MomentGraph, nodes: tuple[int, ...], *, by_destination: bool) -> list[_Part]:
    """Return some nodes of a graph as tensors, their legs grouped by node or by destination.

    Of two moments grouped by node, some of the indices between them may be left open.
    """
    links = {
        (node, other): count
        for (node, other), count in graph.links().items()
        if node in nodes and other not in nodes
    }
    edge = dict(zip(node_pairs(graph.n_nodes), graph.edges, strict=True))
    edges = tuple(edge[pair] for pair in combinations(nodes, 2))
    may_stay_open = len(nodes) == 2 and links and not by_destination
    parts = []
    for n_open in range(edges[0] + 1 if may_stay_open else 1):
        group_name = {link: link[1] if by_destination else link[0] for link in links}
        names = sorted({*group_name.values(), *(nodes if n_open else ())})
        legs = [[0] * len(nodes) for _ in names]
        for link, count in links.items():
            legs[names.index(group_name[link])][nodes.index(link[0])] += count
        if n_open:
            legs[0][0] += n_open
            legs[1][1] += n_open
        form = canonical(
            MomentGraph(
                tuple(graph.radial[node] for node in nodes),
                (edges[0] - n_open,) if n_open else edges,
                tuple(map(tuple, legs)),
            )
        )
        group = {link: form.group[names.index(name)] for link, name in group_name.items()}
        parts.append(_Part(nodes, form.graph, group, n_open, _mixed_groups(form.graph)))
    return parts


def _mixed_groups(graph: MomentGraph) -> frozenset[int]:
    return frozenset(g for g, legs in enumerate(graph.legs) if sum(map(bool, legs)) > 1)


def _collect_bundles(graph: MomentGraph, left: _Part, right: _Part) -> tuple[Bundle, ...]:
    """Return the bundles of indices that the sum over components runs over."""
    mixed_targets = _mixed_groups(graph)
    found: dict[tuple[object, ...], Bundle] = {}

    def add(name: tuple[object, ...], bundle: Bundle) -> None:
        known = found.get(name)
        found[name] = bundle if known is None else known._replace(rank=known.rank + bundle.rank)

    for (node, other), rank in graph.links().items():
        name: tuple[object, ...]
        if other >= graph.n_nodes:
            target = other - graph.n_nodes
            part = left if node in left.nodes else right
            group = part.group[node, other]
            is_mixed = group in part.mixed
            # a mixed group goes to its destination as a whole
            name = ("left" if part is left else "right", group) if is_mixed else (node, other)
            from_left, from_right = ((group,), ()) if part is left else ((), (group,))
            is_weighted = not is_mixed and target in mixed_targets
            add(name, Bundle(rank, from_left, from_right, (target,), is_weighted))
        elif node in left.nodes and other in right.nodes:
            left_group, right_group = left.group[node, other], right.group[other, node]
            is_mixed = left_group in left.mixed or right_group in right.mixed
            name = (node, other)
            if left_group in left.mixed:
                name = ("left", left_group)
            elif right_group in right.mixed:
                name = ("right", right_group)
            add(name, Bundle(rank, (left_group,), (right_group,), (), not is_mixed))
    if left.n_open:
        add(("left", "trace"), Bundle(left.n_open, (0, 1), (), (), True))
    if right.n_open:
        add(("right", "trace"), Bundle(right.n_open, (), (0, 1), (), True))
    return tuple(found.values())
