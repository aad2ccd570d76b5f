# SPDX-License-Identifier: MIT
"""What single jobs have cost.

Core-seconds come from the accounting of the scheduler where there is any (``CPUTimeRAW`` of
Slurm's ``sacct``, which AiiDA keeps as ``detailed_job_info``), else from a wall time multiplied by
the cores that the job asked for: that of the job's own result, that of the scheduler's last look
at it, or the time from its submission to its end, which counts the queue too. A job that AiiDA's
cache replayed costs nothing, and one that is at work costs what it has used so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from aiida import orm

from aiida_alpot.workflows.call_tree import Place
from aiida_alpot.workflows.label.throttle import ENDED
from aiida_alpot.workflows.query_parts import in_parts

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
        One of :data:`~aiida_alpot.workflows.call_tree.STAGES`.
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


def read_costs(places: Mapping[int, Place]) -> Iterator[JobCost]:
    """Yield the costs of jobs of which it is known, by PK, where in a campaign they stand."""
    for some in in_parts(places):
        query = orm.QueryBuilder()
        fields = ["id", *_FIELDS.values()]
        query.append(orm.CalcJobNode, filters={"id": {"in": some}}, project=fields, tag="job")
        own = _own_seconds(some)
        for pk, *values in query.iterall():
            yield _cost(pk, places[pk], own.get(pk), dict(zip(_FIELDS, values, strict=True)))


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


def _cost(pk: int, place: Place, own: float | None, found: Mapping[str, Any]) -> JobCost:
    cores = cores_of_resources(found["resources"])
    is_running = found["state"] not in ENDED
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
