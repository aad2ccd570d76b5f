# SPDX-License-Identifier: MIT
"""Which resources a label job gets by the size of its cells, and how cells share jobs.

The size of a cell is atoms x k-points. Classes of sizes come with resources, options and a number
of configurations that share a job; cells of different classes never do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_alpot.errors import SettingError


def check_sizes(sizes: Sequence[Mapping[str, Any]]) -> None:
    """Raise unless the classes grow and none but the last is without a limit.

    Raises
    ------
    SettingError
        If they do not.
    """
    limits = [one.get("up_to") for one in sizes]
    bounded = [limit for limit in limits if limit is not None]
    if bounded != sorted(set(bounded)) or None in limits[:-1]:
        raise SettingError(
            f"The classes of sizes go up to {limits}; give growing numbers, and at most the last "
            "class without up_to."
        )


def class_of(work: int, sizes: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the place of the smallest class that holds a cell, None where there is none."""
    for place, one in enumerate(sizes):
        if one.get("up_to") is None or work <= one["up_to"]:
            return place
    return None


def plan_batches(
    works: Mapping[int, int], sizes: Sequence[Mapping[str, Any]], batch_size: int
) -> list[list[int]]:
    """Return which configurations share a job: those of one class, in order, so many at most.

    Parameters
    ----------
    works : mapping
        Atoms x k-points by configuration.
    sizes : sequence of mapping
        The classes; their ``batch_size`` goes before the general one.
    batch_size : int
        Most configurations of one job.
    """
    members: dict[int, list[int]] = {}
    for index, work in works.items():
        place = class_of(work, sizes)
        members.setdefault(-1 if place is None else place, []).append(index)
    batches = []
    for place in sorted(members):
        own = sizes[place].get("batch_size") if place >= 0 else None
        most = own or batch_size
        batches += [
            members[place][first : first + most] for first in range(0, len(members[place]), most)
        ]
    return batches


def options_for(
    options: Mapping[str, Any],
    work: int,
    sizes: Sequence[Mapping[str, Any]],
    *,
    retry: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the options of a job for cells of a size.

    Parameters
    ----------
    options : mapping
        Options of the role.
    work : int
        Atoms x k-points of its largest cell.
    sizes : sequence of mapping
        The classes.
    retry : mapping, optional
        Options of an attempt after one that ran out of time or memory; without any of them the
        time is doubled.
    """
    chosen = dict(options)
    place = class_of(work, sizes)
    if place is not None:
        chosen |= dict(sizes[place].get("options") or {})
        chosen["resources"] = sizes[place].get("resources") or chosen.get("resources", {})
    if retry is not None:
        chosen |= retry
        if not retry and "max_wallclock_seconds" in chosen:
            chosen["max_wallclock_seconds"] = 2 * int(chosen["max_wallclock_seconds"])
    return chosen


def cores_of(resources: Mapping[str, Any]) -> tuple[int, int]:
    """Return the processes of MPI of a job, and how many of them share a node."""
    per_node = resources.get("num_mpiprocs_per_machine")
    nodes = resources.get("num_machines", 1)
    total = resources.get("tot_num_mpiprocs") or resources.get("num_cpus")
    if total is None:
        total = nodes * (per_node or 1)
    return int(total), int(per_node or max(1, int(total) // int(nodes)))
