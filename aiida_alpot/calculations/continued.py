# SPDX-License-Identifier: MIT
"""Jobs that may take longer than their wall time: one writes a checkpoint, the next goes on.

A job knows its wall time and ends by itself shortly before it is over, with exit code 320. The
checkpoint comes back as a node of its own, also when the scheduler was faster, and is an input of
the job that goes on, so that AiiDA's cache tells the two apart.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.base import AlpotCalculation
from aiida_alpot.jobs.checkpoints import CHECKPOINT_FILE

CONTINUED_FILE = "continue.json"
SECONDS_BETWEEN = 300.0
"""Between two checkpoints of a job."""
MARGIN, LEAST_MARGIN, LARGEST_MARGIN = 0.2, 5.0, 600.0
"""Share of the wall time, and s, that are left for start and end of a job; at most half of it."""


class ContinuedCalculation(AlpotCalculation):
    """A job with the optional input and output ``checkpoint``."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the ports that a checkpoint goes through."""
        super().define(spec)
        spec.input(
            "checkpoint",
            valid_type=orm.SinglefileData,
            required=False,
            help="Of an earlier job with the same inputs, from which this one goes on.",
        )
        spec.output(
            "checkpoint",
            valid_type=orm.SinglefileData,
            required=False,
            help="Of a job that ended before it was through.",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Fetch the checkpoint too, and send the one to go on from."""
        info = super().prepare_for_submission(folder)
        info.retrieve_list.append(CHECKPOINT_FILE)
        if "checkpoint" in self.inputs:
            node = self.inputs.checkpoint
            info.local_copy_list.append((node.uuid, node.filename, CONTINUED_FILE))
        return info

    def continuation_request(self) -> dict[str, Any]:
        """Return the keys of the request that concern checkpoints."""
        keys: dict[str, Any] = {"checkpoint_seconds": SECONDS_BETWEEN}
        if "checkpoint" in self.inputs:
            keys["checkpoint"] = CONTINUED_FILE
        limit = self.node.get_option("max_wallclock_seconds")
        if limit is not None:
            keys["stop_after_seconds"] = limit - margin_of(limit)
        return keys


def margin_of(limit: float) -> float:
    """Return how long before its wall time (s) a job ends by itself, s."""
    return min(max(MARGIN * limit, LEAST_MARGIN), LARGEST_MARGIN, 0.5 * limit)
