# SPDX-License-Identifier: MIT
"""How a job goes on from the checkpoint that one before it left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_alpot.calculations.exit_codes import ERROR_CLASSES
from aiida_alpot.workflows.fan_out import CONTINUED

CHECKPOINT = "checkpoint"
"""Key of a job: UUID of the checkpoint that it goes on from."""
MOST_CONTINUED = 100
"""How often a job goes on after its wall time; more means that it hardly gets on."""
REFUSED = ERROR_CLASSES["InputFileError"][0]


def go_on(job: Mapping[str, Any], node: orm.CalcJobNode) -> dict[str, Any]:
    """Return a job after an attempt that failed, with the checkpoint to go on from.

    A checkpoint that says more than the one before costs no attempt. One that was refused, as that
    of another version may be, is left behind.
    """
    if refused_checkpoint(node):
        return {key: value for key, value in job.items() if key != CHECKPOINT}
    if CHECKPOINT not in node.outputs:
        return dict(job)
    checkpoint, continued = node.outputs[CHECKPOINT], job.get(CONTINUED, 0)
    before = orm.load_node(job[CHECKPOINT]).get_content() if CHECKPOINT in job else ""
    has_advanced = checkpoint.get_content() != before and continued < MOST_CONTINUED
    return {**job, CHECKPOINT: checkpoint.uuid, CONTINUED: continued + has_advanced}


def refused_checkpoint(node: orm.CalcJobNode) -> bool:
    """Return whether a job that was to go on could not read what it went on from."""
    return CHECKPOINT in node.inputs and node.is_finished and node.exit_status == REFUSED
