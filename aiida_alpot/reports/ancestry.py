# SPDX-License-Identifier: MIT
"""What a node was made of, and all that was made of before, in time that grows with their number.

``with_descendants`` of AiiDA's QueryBuilder walks every path between two nodes. Each turn hands
several data on to the next by ways of their own, so that the number of paths multiplies by turns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

Parents = Mapping[int, list[int]]
"""PKs of what each node was made of or by, by its PK."""


def trace_parents(nodes: Iterable[int]) -> Parents:
    """Return the parents of nodes and of all their ancestors.

    Parameters
    ----------
    nodes : iterable of int
        PKs of data or of calculations; links of data into calculations and of calculations to
        what they created are followed backwards.
    """
    from aiida.common.links import LinkType
    from aiida.tools.graph.graph_traversers import traverse_graph

    backward = (LinkType.CREATE, LinkType.INPUT_CALC)
    found = traverse_graph(list(nodes), get_links=True, links_backward=backward)
    parents: dict[int, list[int]] = defaultdict(list)
    for link in found["links"] or ():
        parents[link.target_id].append(link.source_id)
    return parents


def ancestors(node: int, parents: Parents) -> set[int]:
    """Return the PKs of all that a node was made of, without itself."""
    known: set[int] = set()
    left = [node]
    while left:
        fresh = set(parents.get(left.pop(), ())) - known
        known |= fresh
        left.extend(fresh)
    return known
