# SPDX-License-Identifier: MIT
"""How many label jobs there are on a computer, of all campaigns of the profile together.

AiiDA submits whatever it is given. Each WorkChain that labels marks itself, so that its children
can be counted by one query; where there is no room left, it waits for one of them to end, be it
its own or that of another campaign.
"""

from __future__ import annotations

from aiida import orm

MARK = "alpot_labels"
ENDED = ("finished", "excepted", "killed")


def running_labels(computer: orm.Computer) -> list[int]:
    """Return the PKs of the label processes on a computer that have not ended, oldest first."""
    query = orm.QueryBuilder()
    query.append(orm.Computer, filters={"id": computer.pk}, tag="computer")
    query.append(orm.AbstractCode, with_computer="computer", tag="code")
    query.append(
        orm.ProcessNode,
        with_incoming="code",
        filters={
            "or": [
                {"attributes.process_state": {"!in": list(ENDED)}},
                {"attributes": {"!has_key": "process_state"}},
            ]
        },
        project=["id"],
        tag="job",
    )
    query.append(orm.WorkChainNode, with_outgoing="job", filters={f"extras.{MARK}": True})
    query.order_by({"job": {"id": "asc"}})
    return sorted({pk for (pk,) in query.iterall()})


def room_for(
    n_wanted: int, computer: orm.Computer | None, most: int | None
) -> tuple[int, int | None]:
    """Return how many of the wanted jobs may be submitted now, and a PK to wait for if none.

    Parameters
    ----------
    n_wanted : int
        Jobs to be submitted.
    computer : Computer or None
        Where they run.
    most : int or None
        Most label jobs on that computer; None is no limit.
    """
    if most is None or computer is None:
        return n_wanted, None
    running = running_labels(computer)
    room = max(0, min(n_wanted, most - len(running)))
    return room, running[0] if room == 0 and running else None
