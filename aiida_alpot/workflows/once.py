# SPDX-License-Identifier: MIT
"""A WorkChain that submits each of its children once, also when its worker was killed.

A step of a WorkChain that was killed is done once more from the last checkpoint, which was
written before the step; AiiDA would submit the children of it again, while the first ones lie in
the queue of the broker or are at work already. Each child has a name of its own, that of the link
to it, by which a repeated step finds it.

AiiDA stores a child first and hands it to the broker then, so that a child in the state "created"
may be in the queue or lost. :data:`SENT` is written on it after the broker has confirmed it. A
created child without it, at most the one that was being submitted at that very moment, is marked
as killed, and no worker takes up a process that has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida import orm
from aiida.engine import ProcessState, WorkChain

SENT = "alpot_sent"
"""Extra of a child that the broker has."""
_BEGUN = ("running", "waiting", "finished", "excepted")
_UNNAMED = "CALL"
"""Link of children that were given no name of their own."""


class OnceWorkChain(WorkChain):
    """A WorkChain whose repeated steps submit nothing again."""

    def submit(self, process: Any, inputs: Any = None, **keywords: Any) -> orm.ProcessNode:
        """Submit a process, or return the one that an interrupted step submitted under its name.

        See :meth:`aiida.engine.WorkChain.submit`.
        """
        link = process.metadata.get("call_link_label", _UNNAMED)
        if link != _UNNAMED:
            sent = find_sent(self.node, [link])
            if sent:
                return orm.load_node(sent[link])
            give_up_lost(self.node, link)
        node: orm.ProcessNode = super().submit(process, inputs, **keywords)
        node.base.extras.set(SENT, True)
        return node


def find_sent(parent: orm.ProcessNode, links: Sequence[str]) -> dict[str, int]:
    """Return the PKs of those children that are in the queue, at work or done, by their names.

    Parameters
    ----------
    parent : ProcessNode
        Which calls them.
    links : sequence of str
        Names of the calls.
    """
    if not links:
        return {}
    is_sent = {
        "or": [
            {f"extras.{SENT}": True},
            {"attributes.process_state": {"in": list(_BEGUN)}},
        ]
    }
    return {link: pk for pk, link in _children(parent, links, is_sent)}


def give_up_lost(parent: orm.ProcessNode, link: str) -> None:
    """Mark children as killed that were stored but, for all that is known, never sent.

    Parameters
    ----------
    parent : ProcessNode
        Which called them.
    link : str
        Name of the call; see :func:`find_sent` for those that were sent.
    """
    children = [orm.load_node(pk) for pk, _ in _children(parent, [link], {})]
    for node in children:
        if node.is_terminated:
            continue
        node.set_process_status("its caller was killed while it submitted this process")
        node.set_process_state(ProcessState.KILLED)
        node.delete_checkpoint()
        node.seal()


def _children(
    parent: orm.ProcessNode, links: Sequence[str], filters: dict[str, Any]
) -> list[tuple[int, str]]:
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={"id": parent.pk}, tag="parent")
    query.append(
        orm.ProcessNode,
        with_incoming="parent",
        edge_filters={"label": {"in": list(links)}},
        filters=filters,
        edge_project=["label"],
        project=["id"],
        tag="child",
    )
    query.order_by({"child": {"id": "asc"}})
    return [(pk, label) for pk, label in query.all()]
