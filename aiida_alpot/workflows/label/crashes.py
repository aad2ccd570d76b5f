# SPDX-License-Identifier: MIT
"""Which configuration a batch died of, so that the others are tried again without it.

The label job writes what it is at. Where it died by itself, that configuration is to blame: it is
tried again alone, the ones that were not reached in a job of their own. That next job is no
attempt of theirs, provided that this one or one before it brought anything to its end: the code
works then, and every such job is smaller than the one before. A job that the scheduler or a person
ended blames nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm

from aiida_alpot.workflows.label.recipes import (
    CRASHED,
    LOST,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    UNREACHED,
)

_ENDED_BY_OTHERS = ("cancelled", "preempt", "node fail", "node_fail")


def causes_of_unjudged(
    hashes: Sequence[str],
    unjudged: Sequence[int],
    end: str,
    node: orm.ProcessNode,
    *,
    progress: bool,
    works: bool = False,
) -> dict[int, str]:
    """Return why configurations of a batch have no verdict.

    Parameters
    ----------
    hashes : sequence of str
        Of all configurations.
    unjudged : sequence of int
        Those of the batch that have no verdict.
    end : str
        Why the job ended.
    node : ProcessNode
        The job.
    progress : bool
        Whether it brought any configuration to its end.
    works : bool
        Whether a job before it did, of which these are left.
    """
    if progress and end == OUT_OF_TIME:  # what is left is less than what there was time for
        return dict.fromkeys(unjudged, UNREACHED)
    culprit = running_in(node) if end in (LOST, OUT_OF_MEMORY) and died_by_itself(node) else None
    blamed = [index for index in unjudged if hashes[index] == culprit]
    if not blamed:
        return dict.fromkeys(unjudged, UNREACHED if progress and end == LOST else end)
    causes = dict.fromkeys(unjudged, UNREACHED if works or progress else LOST)
    return causes | {blamed[0]: CRASHED if end == LOST else end}


def running_in(node: orm.ProcessNode) -> str | None:
    """Return the hash of the configuration that a label job was at when it died."""
    if "result" not in node.outputs:
        return None
    running: Mapping[str, Any] | None = node.outputs.result.get_dict().get("running")
    return None if running is None else str(running["hash"])


def died_by_itself(node: orm.ProcessNode) -> bool:
    """Return whether nothing says that the scheduler or a person ended a job."""
    if not node.is_finished or node.exit_status == 140:  # of a node that failed
        return False
    spoken = (node.get_scheduler_stderr() or "").lower() if "retrieved" in node.outputs else ""
    return not any(words in spoken for words in _ENDED_BY_OTHERS)
