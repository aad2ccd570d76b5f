# SPDX-License-Identifier: MIT
"""What the jobs of a process have cost, by stage and turn.

Core-seconds come from the accounting of the scheduler where there is any (``CPUTimeRAW`` of
Slurm's ``sacct``, which AiiDA keeps as ``detailed_job_info``), else from a wall time multiplied by
the cores that the job asked for: that of the job's own result, that of the scheduler's last look
at it, or the time from its submission to its end, which counts the queue too. A job that AiiDA's
cache replayed costs nothing, and one that is at work costs what it has used so far.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from aiida import orm

from aiida_alpot.workflows.label.throttle import MARK
from aiida_alpot.workflows.ports import PREDECESSOR

STAGES = ("sample", "select", "label", "fit", "measure")
_STAGE_OF_JOB = {
    "alpot.sample": "sample",
    "alpot.select": "select",
    "alpot.label": "label",
    "alpot.fit": "fit",
}
_CALLS = ("call_calc", "call_work")
_AT_A_TIME = 5000
_ENDED = ("finished", "excepted", "killed")
_CALLED = ("node_type", "process_type", "label", f"extras.{MARK}", "attributes.process_state")
"""What is read of a process that was called."""


@dataclass(frozen=True)
class JobCost:
    """What one job has cost.

    Parameters
    ----------
    pk : int
        Of the job.
    uuid : str
        Of the job.
    stage : str
        One of :data:`STAGES`.
    turn : int
        Zero is the start; what belongs to no turn, such as a validation, has -1.
    name : str
        Link from the process that called it, such as ``nvt_000``.
    cores : int
        That it asked for.
    core_seconds : float
        s.
    source : str
        "scheduler", "job", "clock", or "cache" for one that was not run.
    is_running : bool
        Whether it may cost more yet.
    """

    pk: int
    uuid: str
    stage: str
    turn: int
    name: str
    cores: int
    core_seconds: float
    source: str
    is_running: bool


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


@dataclass(frozen=True)
class _Place:
    """Where in a campaign a process stands.

    ``branch`` is the PK of the turn that it belongs to, or of the whole, if that has ended.
    """

    stage: str
    turn: int
    name: str
    branch: int | None = None


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
    places, callers = _walk(process, known.branches)
    costs = {pk: known.jobs[pk] for pk in places if pk in known.jobs}
    missing = [pk for pk in places if pk not in known.jobs]
    for first in range(0, len(missing), _AT_A_TIME):
        for cost in _read_costs(missing[first : first + _AT_A_TIME], places):
            costs[cost.pk] = cost
            if not cost.is_running:
                known.jobs[cost.pk] = cost
    read_before = {one.pk: one for pk in callers for one in known.branches.get(pk, [])}
    _keep_branches(known, costs, {**callers, **places})
    costs |= read_before
    return [costs[pk] for pk in sorted(costs)]


def _keep_branches(
    known: KnownCosts, costs: Mapping[int, JobCost], places: Mapping[int, _Place]
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
    _, chains = _walk(process)
    labellers = [pk for pk, place in chains.items() if place.stage == "label"]
    found: list[tuple[int, Any]] = []
    for first in range(0, len(labellers), _AT_A_TIME):
        query = orm.QueryBuilder()
        some = labellers[first : first + _AT_A_TIME]
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


def cores_of_resources(resources: Mapping[str, Any] | None) -> int:
    """Return the cores that the resources of a job ask for."""
    given = dict(resources or {})
    machines = int(given.get("num_machines") or 1)
    per_machine = int(given.get("num_mpiprocs_per_machine") or 1)
    processes = int(
        given.get("tot_num_mpiprocs") or given.get("num_cpus") or machines * per_machine
    )
    by_process = processes * int(given.get("num_cores_per_mpiproc") or 1)
    return max(by_process, machines * int(given.get("num_cores_per_machine") or 0))


def cores_of_node(node: orm.Node) -> int:
    """Return the cores that a job asked for, of another process those of its largest, else one."""
    if isinstance(node, orm.CalcJobNode):
        return cores_of_resources(node.get_option("resources"))
    if not isinstance(node, orm.ProcessNode):  # labels that were given from outside
        return 1
    below = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
    return max((cores_of_node(job) for job in below), default=1)


def parse_sacct(text: str, job_id: str) -> float | None:
    """Return the core-seconds of a job in what ``sacct --parsable`` printed, None without them.

    Parameters
    ----------
    text : str
        A head with the names of the fields and a line for the job and each of its steps, with
        ``|`` between the fields.
    job_id : str
        That of the scheduler. A job that was requeued may stand there more than once.
    """
    lines = [line.split("|") for line in text.splitlines() if "|" in line]
    if len(lines) < 2 or "JobID" not in lines[0] or "CPUTimeRAW" not in lines[0]:
        return None
    id_place, time_place = lines[0].index("JobID"), lines[0].index("CPUTimeRAW")
    times = [
        line[time_place]
        for line in lines[1:]
        if len(line) > max(id_place, time_place) and line[id_place] == str(job_id)
    ]
    if not times or not all(time.isdigit() for time in times):
        return None
    return float(sum(int(time) for time in times))


def _walk(
    process: orm.ProcessNode, besides: Container[int] = ()
) -> tuple[dict[int, _Place], dict[int, _Place]]:
    """Return the places of the CalcJobs at or below a process, and those of all that called them.

    One query for each level of calls; what is below the processes ``besides`` is left out.
    """
    branch = int(process.pk) if process.is_terminated else None
    top = _Place(_stage_by_type(process.process_type, process.base.extras.all), -1, "", branch)
    if isinstance(process, orm.CalcJobNode):
        return {int(process.pk): top}, {}
    level: dict[int, _Place] = {int(process.pk): top}
    jobs: dict[int, _Place] = {}
    callers = dict(level)
    while level:
        below: dict[int, _Place] = {}
        parents = [pk for pk in level if pk not in besides]
        for first in range(0, len(parents), _AT_A_TIME):
            query = orm.QueryBuilder()
            query.append(
                orm.ProcessNode,
                filters={"id": {"in": parents[first : first + _AT_A_TIME]}},
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
                if place.branch is None and state in _ENDED and _is_turn(process_type):
                    place = replace(place, branch=pk)
                if "calcjob" in node_type.lower():
                    jobs[pk] = place
                elif "workchain" in node_type.lower() or "workfunction" in node_type.lower():
                    below[pk] = place
        level = below
        callers |= below
    return jobs, callers


def _place_of(
    above: _Place, process_type: str | None, label: str, link: str, extras: Mapping[str, Any]
) -> _Place:
    turn = above.turn
    for prefix, word in (("turn_", link), ("turn ", label or "")):
        number = word.removeprefix(prefix).split("/")[0].strip() if word.startswith(prefix) else ""
        if turn < 0 and number.isdigit():
            turn = int(number)
    if turn < 0 and link.startswith(("label_", "fit_000")):
        turn = 0  # what is labelled and fitted before the loop
    stage = above.stage or _stage_by_type(process_type, extras)
    return _Place(stage, turn, link, above.branch)


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


_FIELDS = {
    "uuid": "uuid",
    "ctime": "ctime",
    "mtime": "mtime",
    "state": "attributes.process_state",
    "job_id": "attributes.job_id",
    "resources": "attributes.resources",
    "detailed": "attributes.detailed_job_info",
    "last": "attributes.last_job_info",
    "cached_from": "extras._aiida_cached_from",
}
"""What is read of a job."""


def _read_costs(pks: list[int], places: Mapping[int, _Place]) -> list[JobCost]:
    query = orm.QueryBuilder()
    fields = ["id", *_FIELDS.values()]
    query.append(orm.CalcJobNode, filters={"id": {"in": pks}}, project=fields, tag="job")
    own = _own_seconds(pks)
    return [
        _cost(pk, places[pk], own.get(pk), dict(zip(_FIELDS, values, strict=True)))
        for pk, *values in query.iterall()
    ]


def _own_seconds(pks: list[int]) -> dict[int, float]:
    """Return the wall times that the jobs of this package tell in their results."""
    query = orm.QueryBuilder()
    query.append(orm.CalcJobNode, filters={"id": {"in": pks}}, project="id", tag="job")
    query.append(
        orm.Dict,
        with_incoming="job",
        edge_filters={"label": "result"},
        project="attributes.seconds",
        tag="result",
    )
    return {pk: float(seconds) for pk, seconds in query.iterall() if seconds is not None}


def _cost(pk: int, place: _Place, own: float | None, found: Mapping[str, Any]) -> JobCost:
    cores = cores_of_resources(found["resources"])
    is_running = found["state"] not in _ENDED
    seconds, source = _core_seconds(own, cores, found, is_running=is_running)
    return JobCost(
        pk=pk,
        uuid=found["uuid"],
        stage=place.stage,
        turn=place.turn,
        name=place.name,
        cores=cores,
        core_seconds=seconds,
        source=source,
        is_running=is_running,
    )


def _core_seconds(
    own: float | None, cores: int, found: Mapping[str, Any], *, is_running: bool
) -> tuple[float, str]:
    """Return what a job has cost, and who says so."""
    if found["cached_from"]:
        return 0.0, "cache"
    detailed, last = found["detailed"], found["last"]
    if isinstance(detailed, Mapping):
        accounted = parse_sacct(str(detailed.get("stdout") or ""), str(found["job_id"]))
        if accounted is not None:
            return accounted, "scheduler"
    if own is not None:
        return own * cores, "job"
    wallclock = last.get("wallclock_time_seconds") if isinstance(last, Mapping) else None
    if wallclock is not None:
        return float(wallclock) * cores, "scheduler"
    if found["job_id"] is None:  # it never reached the scheduler
        return 0.0, "clock"
    ended = datetime.now(timezone.utc) if is_running else found["mtime"]
    return (ended - found["ctime"]).total_seconds() * cores, "clock"
