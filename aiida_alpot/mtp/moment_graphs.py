# SPDX-License-Identifier: MIT
"""Contractions of moment tensors as graphs: which scalars a level has, and which are the same.

A moment M_{mu,nu} = sum_j f_mu(r_j) rhat_j^(x nu) is a symmetric tensor of rank nu, so a
contraction of several moments is fully described by a multigraph: a node for each moment, labelled
with mu, and alpha_ij edges between nodes i and j, the number of index pairs contracted between them
(Shapeev, Multiscale Model. Simul. 14, 1153 (2016)). A scalar has no index left; a tensor on the way
to one has groups of free indices ("legs"), and only its part that is symmetric in each group
matters. Permuting the nodes or the groups gives the same tensor: :func:`canonical` picks one
representative.

The level of a moment is 2 + 4 mu + nu, that of a contraction the sum over its moments.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, permutations
from typing import NamedTuple

MAX_FACTORS = 4
"""Moments in one contraction, at most."""
MAX_RADIAL = 5
"""Largest mu."""
MAX_RANK = 10
"""Largest nu."""


class MomentGraph(NamedTuple):
    """A (partially) contracted product of moments.

    Parameters
    ----------
    radial : tuple of int
        mu of each node.
    edges : tuple of int
        alpha_ij of the node pairs (0, 1), (0, 2), ..., (1, 2), ...
    legs : tuple of tuple of int
        For each group of free indices, how many of them each node contributes; empty for a scalar.
    """

    radial: tuple[int, ...]
    edges: tuple[int, ...]
    legs: tuple[tuple[int, ...], ...] = ()

    @property
    def n_nodes(self) -> int:
        """Number of moments multiplied."""
        return len(self.radial)

    @property
    def level(self) -> int:
        """Sum of 2 + 4 mu + nu over the moments."""
        n_indices = 2 * sum(self.edges) + sum(map(sum, self.legs))
        return 2 * self.n_nodes + 4 * sum(self.radial) + n_indices

    def links(self) -> dict[tuple[int, int], int]:
        """Return the number of indices between each node and each other node or group.

        Group g of free indices counts as node ``n_nodes + g``. Pairs without an index are left out.
        """
        links = {}
        for (i, j), count in zip(node_pairs(self.n_nodes), self.edges, strict=True):
            if count:
                links[i, j] = links[j, i] = count
        for group, contributions in enumerate(self.legs):
            for node, count in enumerate(contributions):
                if count:
                    links[node, self.n_nodes + group] = count
        return links


class Canonical(NamedTuple):
    """A graph in canonical form, and how its groups of free indices map onto it."""

    graph: MomentGraph
    group: tuple[int, ...]
    """Canonical position of each original group."""
    is_symmetric: bool
    """Whether exchanging the two groups leaves the tensor as it is."""


@cache
def node_pairs(n_nodes: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs (i, j), i < j, in the order of :attr:`MomentGraph.edges`."""
    return tuple(combinations(range(n_nodes), 2))


@cache
def canonical(graph: MomentGraph) -> Canonical:
    """Return the smallest of all graphs that differ by the numbering of nodes and groups."""
    pairs = node_pairs(graph.n_nodes)
    edge = {frozenset(pair): count for pair, count in zip(pairs, graph.edges, strict=True)}
    smallest: MomentGraph | None = None
    orders: list[tuple[int, ...]] = []
    for nodes in permutations(range(graph.n_nodes)):
        radial = tuple(graph.radial[i] for i in nodes)
        if smallest is not None and radial > smallest.radial:
            continue
        edges = tuple(edge[frozenset((nodes[i], nodes[j]))] for i, j in pairs)
        legs = [tuple(group[i] for i in nodes) for group in graph.legs]
        for order in permutations(range(len(legs))):
            candidate = MomentGraph(radial, edges, tuple(legs[g] for g in order))
            if smallest is None or candidate < smallest:
                smallest, orders = candidate, [order]
            elif candidate == smallest and order not in orders:
                orders.append(order)
    assert smallest is not None
    position = tuple(orders[0].index(group) for group in range(len(graph.legs)))
    return Canonical(smallest, position, len(orders) > 1)


@cache
def scalar_graphs(level: int) -> tuple[MomentGraph, ...]:
    """Return every distinct full contraction of at most four moments up to a level.

    They are ordered by level, then number of moments, then graph, so that a higher level only adds
    scalars behind those of a lower one.
    """
    found = {
        canonical(MomentGraph(radial, edges)).graph
        for n_nodes in range(1, MAX_FACTORS + 1)
        for radial in _radial_labels(n_nodes, level)
        for edges in _edge_counts(n_nodes, level - 2 * n_nodes - 4 * sum(radial))
    }
    return tuple(sorted(found, key=lambda graph: (graph.level, graph.n_nodes, graph)))


def _radial_labels(n_nodes: int, level: int, smallest: int = 0) -> Iterator[tuple[int, ...]]:
    """Yield non-decreasing mu of so many nodes that keep within a level."""
    if n_nodes == 0:
        yield ()
        return
    # all later labels are at least as large as this one
    largest = (level - 2 * n_nodes) // (4 * n_nodes)
    for mu in range(smallest, min(largest, MAX_RADIAL) + 1):
        for others in _radial_labels(n_nodes - 1, level - 2 - 4 * mu, mu):
            yield (mu, *others)


def _edge_counts(n_nodes: int, n_indices: int) -> Iterator[tuple[int, ...]]:
    """Yield alpha_ij of all node pairs that use at most so many indices, two for each edge."""
    pairs = node_pairs(n_nodes)

    def extend(edges: tuple[int, ...], n_left: int) -> Iterator[tuple[int, ...]]:
        if len(edges) == len(pairs):
            ranks = [0] * n_nodes
            for (i, j), count in zip(pairs, edges, strict=True):
                ranks[i] += count
                ranks[j] += count
            if max(ranks) <= MAX_RANK:
                yield edges
            return
        for count in range(n_left // 2 + 1):
            yield from extend((*edges, count), n_left - 2 * count)

    yield from extend((), n_indices)
