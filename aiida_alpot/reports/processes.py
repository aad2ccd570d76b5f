# SPDX-License-Identifier: MIT
"""The way through the processes of a campaign: what called what, and which turns there are."""

from __future__ import annotations

from typing import Any


def children(node: Any, entry_point: str | None = None) -> list[Any]:
    """Return the processes that a process called, in the order in which they were made."""
    called = sorted(node.called, key=lambda child: child.pk)
    return [child for child in called if entry_point in (None, entry_point_of(child))]


def entry_point_of(node: Any) -> str:
    """Return the name of the entry point of a process, such as ``alpot.turn``."""
    return str(node.process_type or "").rpartition(":")[2]


def turn_processes(node: Any, own: list[Any] | None = None) -> list[Any]:
    """Return the processes of the turns of a campaign in their order.

    ``own`` are the children of the campaign where they have been read already.
    """
    own = children(node) if own is None else own
    turns = [child for child in own if entry_point_of(child) == "alpot.turn"]
    for child in own:
        if entry_point_of(child) == "alpot.learn":
            turns += children(child, "alpot.turn")
    return turns


def predecessor_dicts(node: Any, name: str) -> dict[str, dict[str, Any]]:
    """Return the ``records`` or ``ledgers`` that a campaign took over, in the order of names."""
    if "predecessor" not in node.inputs or name not in node.inputs.predecessor:
        return {}
    given = node.inputs.predecessor[name]
    return {key: given[key].get_dict() for key in sorted(given)}
