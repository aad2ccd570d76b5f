# SPDX-License-Identifier: MIT
"""Splits of a contraction in two smaller tensors.

The nodes of a graph are split in two parts. Each part is a tensor of its own, whose legs are the
edges that were cut and the legs of the whole. A part of two moments can keep its legs grouped in
two ways:

- by its *own* nodes: symmetric as the moments are, whatever the rest of the graph, hence shared by
  many contractions. Some pairs of indices between the two moments may be left open as well, to be
  traced later: the tensor then stands in for several that are contracted further;
- by their *destination*: the indices that go to one node of the other part (or to one group of
  legs) are symmetrised together, since the other part is symmetric in them; cheaper to use, but of
  use in fewer contractions.

At most one of the two parts may group by destination.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import NamedTuple

from aiida_alpot.mtp.moment_graphs import MomentGraph, canonical, node_pairs

Link = tuple[int, int]
"""Node of a part and where its indices go: a node of the other part or a group of legs."""


class Part(NamedTuple):
    """Some nodes of a graph as a canonical tensor.

    Parameters
    ----------
    nodes : tuple of int
        Numbers of its moments in the graph.
    tensor : MomentGraph
        In canonical form.
    group : mapping of Link to int
        Group of the tensor that the indices of a link belong to.
    mixed : frozenset of int
        Groups that several moments contribute to.
    n_open : int
        Pairs of indices between its two moments that are still to be traced.
    """

    nodes: tuple[int, ...]
    tensor: MomentGraph
    group: Mapping[Link, int]
    mixed: frozenset[int]
    n_open: int


def split_in_two(graph: MomentGraph) -> Iterator[tuple[Part, Part]]:
    """Yield the pairs of parts that a tensor of two or more moments can be contracted from."""
    for left, right in _split_nodes(graph):
        for left_mixes, right_mixes in ((False, False), (True, False), (False, True)):
            yield from product(
                _make_parts(graph, left, by_destination=left_mixes),
                _make_parts(graph, right, by_destination=right_mixes),
            )


def mixed_groups(graph: MomentGraph) -> frozenset[int]:
    """Return the groups of legs that several moments contribute to."""
    return frozenset(g for g, legs in enumerate(graph.legs) if sum(map(bool, legs)) > 1)


def _split_nodes(graph: MomentGraph) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the splits of the nodes in two; a scalar that factorises is split in its factors."""
    nodes = range(graph.n_nodes)
    splits = []
    for size in range(1, graph.n_nodes // 2 + 1):
        for right in combinations(nodes, size):
            left = tuple(node for node in nodes if node not in right)
            if 2 * size < graph.n_nodes or 0 in left:
                splits.append((left, right))
    if graph.legs:
        return splits
    links = graph.links()
    factors = [
        (left, right)
        for left, right in splits
        if not any(pair in links for pair in product(left, right))
    ]
    return factors or splits


def _make_parts(
    graph: MomentGraph, nodes: tuple[int, ...], *, by_destination: bool
) -> Iterator[Part]:
    """Yield some nodes of a graph as a tensor, with each possible number of open pairs."""
    if len(nodes) != 2 and by_destination != (len(nodes) > 2):
        return  # one moment is one group anyway; three moments as three groups are too dear
    links = {
        (node, other): count
        for (node, other), count in graph.links().items()
        if node in nodes and other not in nodes
    }
    edge = dict(zip(node_pairs(graph.n_nodes), graph.edges, strict=True))
    edges = tuple(edge[pair] for pair in combinations(nodes, 2))
    radial = tuple(graph.radial[node] for node in nodes)
    group_name = {link: link[1] if by_destination else link[0] for link in links}
    can_stay_open = len(nodes) == 2 and bool(links) and not by_destination
    for n_open in range(edges[0] + 1 if can_stay_open else 1):
        names = sorted({*group_name.values(), *(nodes if n_open else ())})
        legs = {name: [0] * len(nodes) for name in names}
        for link, count in links.items():
            legs[group_name[link]][nodes.index(link[0])] += count
        if n_open:
            for position, node in enumerate(nodes):
                legs[node][position] += n_open
        contracted = (edges[0] - n_open,) if n_open else edges
        form = canonical(MomentGraph(radial, contracted, tuple(map(tuple, legs.values()))))
        group = {link: form.group[names.index(name)] for link, name in group_name.items()}
        yield Part(nodes, form.graph, group, mixed_groups(form.graph), n_open)
