# SPDX-License-Identifier: MIT
"""Label jobs that are at work for somebody else: they are waited for, not submitted again.

Every label job is marked with the hashes of its configurations and their level of theory. Before a
WorkChain submits anything, it takes over the jobs of its configurations that another one, of this
campaign or of any other, has submitted and that have not ended; also those that an earlier turn
left alone at its deadline and that have ended since, so that their failures are read too.

Between looking and marking nobody else may look: the workers of a profile, which run on one
machine, take turns at it with the lock of a file.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from aiida import orm
from aiida.common import timezone
from aiida.manage import get_manager
from aiida.manage.configuration import get_config

MARK = "alpot_label_job"
LEFT_ALONE = "alpot_left_alone"
MOST_SECONDS = 5.0
"""How long a worker waits for another one that submits labels."""
_HELD: list[str] = []
"""The lock, where this worker has it."""
STALE_AFTER = timedelta(days=1)
"""A job that nobody looked at for so long belongs to a process that is gone."""
_ENDED = ("finished", "excepted", "killed")


def mark_job(
    node: orm.ProcessNode, level_of_theory: str, hashes: Sequence[str], entry: Mapping[str, Any]
) -> None:
    """Write on a job what it labels.

    Parameters
    ----------
    node : ProcessNode
        The job.
    level_of_theory : str
        Of its labels.
    hashes : sequence of str
        Of its configurations.
    entry : mapping
        ``attempt`` and ``job``, as the WorkChain plans them.
    """
    job = {key: value for key, value in entry["job"].items() if key != "indices"}
    content = {"level_of_theory": level_of_theory, "hashes": list(hashes)}
    node.base.extras.set(MARK, {**content, "attempt": entry["attempt"], "job": job})


def leave_alone(node: orm.ProcessNode) -> None:
    """Write on a job that the turn that submitted it has closed."""
    node.base.extras.set(LEFT_ALONE, True)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait, for some seconds at most, until no other worker of the profile submits label jobs.

    The lock ends with the worker, also where it is killed. Without it what it excludes may happen:
    that two look in the same moment for the same label, and both pay for it. That is better than a
    worker that stands still: while it waits here, none of its processes gets on. Hence the lock is
    not asked for by a second process of the worker that has it, which would wait for itself.
    """
    if _HELD:
        yield
        return
    name = f"alpot_labels_{get_manager().get_profile().uuid}.lock"
    with Path(get_config().dirpath, name).open("w", encoding="utf-8") as stream:
        _HELD.append(name)
        try:
            _lock_soon(stream)
            yield
        finally:
            _HELD.remove(name)


def _lock_soon(stream: IO[str]) -> None:
    """Lock a file; go on without where others keep it, or its file system knows no locks."""
    give_up = time.monotonic() + MOST_SECONDS
    while time.monotonic() < give_up:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            return
        else:
            return


def find_jobs_at_work(
    hashes: Sequence[str],
    missing: Sequence[int],
    level_of_theory: str,
    *,
    first: int = 0,
    besides: orm.ProcessNode | None = None,
) -> list[dict[str, Any]]:
    """Return the jobs to take over, newest first, as entries of a plan with their ``pk``.

    Parameters
    ----------
    hashes : sequence of str
        Of all configurations that are asked for.
    missing : sequence of int
        Those that have no label.
    level_of_theory : str
        Of the labels.
    first : int
        Number in the name of the first of them.
    besides : ProcessNode, optional
        Whose own jobs are left out, and with them those that have ended: it has looked before.
    """
    place_of = {hashes[index]: index for index in missing}
    adopted: list[dict[str, Any]] = []
    for pk, mark in _marked_jobs(has_ended=besides is None):
        if mark["level_of_theory"] != level_of_theory:
            continue
        shared = [one for one in mark["hashes"] if one in place_of]
        if not shared or (besides is not None and orm.load_node(pk).caller == besides):
            continue
        job = {**mark["job"], "indices": sorted(place_of.pop(one) for one in shared)}
        name = f"adopted_{first + len(adopted):03d}"
        adopted.append({"name": name, "job": job, "attempt": mark["attempt"], "pk": pk})
    return adopted


def _marked_jobs(*, has_ended: bool) -> list[tuple[int, dict[str, Any]]]:
    query = orm.QueryBuilder()
    at_work = {
        "and": [
            {
                "or": [
                    {"attributes.process_state": {"!in": list(_ENDED)}},
                    {"attributes": {"!has_key": "process_state"}},
                ]
            },
            {"mtime": {">": timezone.now() - STALE_AFTER}},
        ]
    }
    left_alone = [{f"extras.{LEFT_ALONE}": True}] if has_ended else []
    query.append(
        orm.ProcessNode,
        filters={"extras": {"has_key": MARK}, "or": [at_work, *left_alone]},
        project=["id", f"extras.{MARK}"],
        tag="job",
    )
    query.order_by({"job": {"id": "desc"}})
    return [(pk, mark) for pk, mark in query.iterall()]
