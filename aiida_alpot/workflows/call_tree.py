# SPDX-License-Identifier: MIT
"""The processes below a campaign: the stage and the turn to which each of them belongs."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiida import orm

from aiida_alpot.workflows.label.throttle import ENDED, MARK
from aiida_alpot.workflows.query_parts import in_parts

STAGES = ("sample", "select", "label", "fit", "measure")
_STAGE_OF_JOB = {
    "alpot.sample": "sample",
    "alpot.select": "select",
    "alpot.label": "label",
    "alpot.fit": "fit",
}
_CALLS = ("call_calc", "call_work")
_CALLED = ("node_type", "process_type", "label", f"extras.{MARK}", "attributes.process_state")
"""What is read of a process that was called."""


@dataclass(frozen=True)
class Place:
    """Where in a campaign a process stands.

    ``branch`` is the PK of the turn that it belongs to, or of the whole, if that has ended.
    """

    stage: str
    turn: int
    name: str
    branch: int | None = None


def walk_calls(
    process: orm.ProcessNode, besides: Container[int] = ()
) -> tuple[dict[int, Place], dict[int, Place]]:
    """Return the places of the CalcJobs at or below a process, and those of all that called them.

    One query for each level of calls; what is below the processes ``besides`` is left out.
    """
    branch = int(process.pk) if process.is_terminated else None
    top = Place(_stage_by_type(process.process_type, process.base.extras.all), -1, "", branch)
    if isinstance(process, orm.CalcJobNode):
        return {int(process.pk): top}, {}
    level: dict[int, Place] = {int(process.pk): top}
    jobs: dict[int, Place] = {}
    callers = dict(level)
    while level:
        below: dict[int, Place] = {}
        parents = [pk for pk in level if pk not in besides]
        for some in in_parts(parents):
            query = orm.QueryBuilder()
            query.append(
                orm.ProcessNode,
                filters={"id": {"in": some}},
                project="id",
                tag="caller",
            )
            query.append(
                orm.ProcessNode,
                with_incoming="caller",
                edge_filters={"type": {"in": list(_CALLS)}},
                edge_project="label",
                project=["id", *_CALLED],
                tag="called",
            )
            for parent, pk, node_type, process_type, label, mark, state, link in query.iterall():
                place = _place_of(level[parent], process_type, label, link, {MARK: mark})
                if place.branch is None and state in ENDED and _is_turn(process_type):
                    place = replace(place, branch=pk)
                if "calcjob" in node_type.lower():
                    jobs[pk] = place
                elif "workchain" in node_type.lower() or "workfunction" in node_type.lower():
                    below[pk] = place
        level = below
        callers |= below
    return jobs, callers


def _place_of(
    above: Place, process_type: str | None, label: str, link: str, extras: Mapping[str, Any]
) -> Place:
    turn = above.turn
    for prefix, word in (("turn_", link), ("turn ", label or "")):
        number = word.removeprefix(prefix).split("/")[0].strip() if word.startswith(prefix) else ""
        if turn < 0 and number.isdigit():
            turn = int(number)
    if turn < 0 and link.startswith(("label_", "fit_000")):
        turn = 0  # what is labelled and fitted before the loop
    stage = above.stage or _stage_by_type(process_type, extras)
    return Place(stage, turn, link, above.branch)


def _is_turn(process_type: str | None) -> bool:
    return (process_type or "").endswith(":alpot.turn")


def _stage_by_type(process_type: str | None, extras: Mapping[str, Any]) -> str:
    """Return the stage that a process begins, empty where its children tell."""
    group, _, entry_point = (process_type or "").rpartition(":")
    if extras.get(MARK) or entry_point.startswith("alpot.label"):
        return "label"
    if "calculations" in group:
        return _STAGE_OF_JOB.get(entry_point, "measure")
    return ""
