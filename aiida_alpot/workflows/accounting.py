# SPDX-License-Identifier: MIT
"""What a campaign has cost, job by job, with those that it goes on from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

from aiida_alpot.workflows.call_tree import Place, walk_calls
from aiida_alpot.workflows.job_costs import JobCost, read_costs
from aiida_alpot.workflows.ports import PREDECESSOR
from aiida_alpot.workflows.query_parts import in_parts


@dataclass
class KnownCosts:
    """Costs that do not change any more, so that a later call reads only the others.

    Parameters
    ----------
    jobs : dict
        Costs of jobs that have ended, by PK.
    branches : dict
        Costs of all jobs below campaigns and turns that have ended, by PK of the process.
    predecessors : dict
        Campaigns that a campaign goes on from, by its PK.
    """

    jobs: dict[int, JobCost] = field(default_factory=dict)
    branches: dict[int, list[JobCost]] = field(default_factory=dict)
    predecessors: dict[int, list[orm.ProcessNode]] = field(default_factory=dict)


def costs_of_jobs(process: orm.ProcessNode, known: KnownCosts | None = None) -> list[JobCost]:
    """Return the cost of every job below a process, or of itself, in the order of submission.

    Parameters
    ----------
    process : ProcessNode
        A campaign, a turn, any process.
    known : KnownCosts, optional
        What was read before; filled here.
    """
    known = KnownCosts() if known is None else known
    if process.pk in known.branches:
        return known.branches[process.pk]
    places, callers = walk_calls(process, known.branches)
    costs = {pk: known.jobs[pk] for pk in places if pk in known.jobs}
    for cost in read_costs({pk: place for pk, place in places.items() if pk not in costs}):
        costs[cost.pk] = cost
        if not cost.is_running:
            known.jobs[cost.pk] = cost
    read_before = {one.pk: one for pk in callers for one in known.branches.get(pk, [])}
    _keep_branches(known, costs, {**callers, **places})
    costs |= read_before
    return [costs[pk] for pk in sorted(costs)]


def _keep_branches(
    known: KnownCosts, costs: Mapping[int, JobCost], places: Mapping[int, Place]
) -> None:
    """Remember the branches that have ended and of which no job is left at work."""
    branches: dict[int, list[JobCost]] = {}
    for pk, place in places.items():
        if place.branch is not None and place.branch not in known.branches:
            below = branches.setdefault(place.branch, [])
            below += [costs[pk]] if pk in costs else known.branches.get(pk, [])
    for branch, below in branches.items():
        if not any(cost.is_running for cost in below):
            known.branches[branch] = sorted(below, key=lambda cost: cost.pk)


def predecessors_of(campaign: orm.ProcessNode) -> list[orm.ProcessNode]:
    """Return the campaigns that a campaign goes on from, the earliest first.

    They are what made its records, ledgers and potentials, as the provenance tells.
    """
    if PREDECESSOR not in campaign.inputs:
        return []
    given = campaign.inputs[PREDECESSOR]
    nodes = [given[name] for name in ("potential", "initial_potential") if name in given]
    for name in ("records", "ledgers"):
        nodes += given[name].values() if name in given else []
    found: dict[int, orm.ProcessNode] = {}
    for node in nodes:
        process = node.creator
        while process is not None and process.caller is not None:
            process = process.caller
        if process is not None and process.process_type == campaign.process_type:
            found[process.pk] = process
    return [found[pk] for pk in sorted(found)]


def costs_of_chain(campaign: orm.ProcessNode, known: KnownCosts | None = None) -> list[JobCost]:
    """Return the cost of every job of a campaign and of those that it goes on from.

    Parameters are those of :func:`costs_of_jobs`.
    """
    known = KnownCosts() if known is None else known
    if campaign.pk not in known.predecessors:
        known.predecessors[campaign.pk] = predecessors_of(campaign)
    chain = [*known.predecessors[campaign.pk], campaign]
    return [cost for one in chain for cost in costs_of_jobs(one, known)]


def ledgers_below(process: orm.ProcessNode) -> list[Mapping[str, Any]]:
    """Return the entries of all ledgers below a process, in the order in which they were written.

    Sets that are labelled right now are not among them.
    """
    _, chains = walk_calls(process)
    labellers = [pk for pk, place in chains.items() if place.stage == "label"]
    found: list[tuple[int, Any]] = []
    for some in in_parts(labellers):
        query = orm.QueryBuilder()
        query.append(orm.WorkChainNode, filters={"id": {"in": some}}, tag="labeller")
        query.append(
            orm.Dict,
            with_incoming="labeller",
            edge_filters={"label": "ledger"},
            project=["id", "attributes.entries"],
        )
        found += query.all()
    return [entry for _, entries in sorted(found, key=lambda one: one[0]) for entry in entries]


def sum_by(costs: Iterable[JobCost], attribute: str) -> dict[Any, float]:
    """Return core-seconds by an attribute of the costs."""
    sums: dict[Any, float] = {}
    for cost in costs:
        key = getattr(cost, attribute)
        sums[key] = sums.get(key, 0.0) + cost.core_seconds
    return sums


def core_hours(costs: Iterable[JobCost]) -> float:
    """Return the core-hours of all jobs together."""
    return sum(cost.core_seconds for cost in costs) / 3600.0
