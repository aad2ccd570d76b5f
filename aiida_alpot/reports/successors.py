# SPDX-License-Identifier: MIT
"""Chains of campaigns, each of which goes on from the one before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PREDECESSOR_EXTRA = "alpot_predecessor"
"""Extra of a campaign: the UUID of the one that it goes on from."""


def chains_of(campaigns: Iterable[Any]) -> list[list[Any]]:
    """Return campaigns with those that they go on from, the latest chain first.

    Parameters
    ----------
    campaigns : iterable of WorkChainNode
        In any order.

    Returns
    -------
    list of list
        Each from the first campaign to the last. Where two go on from one, both chains hold it.
    """
    nodes = {node.uuid: node for node in campaigns}
    before = {uuid: node.base.extras.get(PREDECESSOR_EXTRA, None) for uuid, node in nodes.items()}
    ends = set(nodes) - set(before.values())
    chains = []
    for uuid in ends:
        chain: list[Any] = []
        place: str | None = uuid
        while place in nodes and nodes[place] not in chain:
            chain.insert(0, nodes[place])
            place = before[place]
        chains.append(chain)
    return sorted(chains, key=lambda chain: -chain[-1].pk)


def successor_of(campaign: Any) -> Any | None:
    """Return the campaign that goes on from this one, the latest of several, or None."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode, filters={f"extras.{PREDECESSOR_EXTRA}": campaign.uuid}, tag="node"
    )
    query.order_by({"node": {"id": "desc"}})
    found = query.first(flat=True)
    return found
