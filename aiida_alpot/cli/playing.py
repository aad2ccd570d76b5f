# SPDX-License-Identifier: MIT
"""Playing paused processes through the daemon, with patience for one that has just started."""

from __future__ import annotations

import logging
import time
from typing import Any

PATIENCE = 60.0  # seconds in which a daemon takes up its processes again
_PAUSE = 2.0


def play_patiently(nodes: list[Any], *, patience: float = PATIENCE) -> list[Any]:
    """Play paused processes; return those that did not answer.

    A daemon that was restarted takes a while until it has taken up its processes, and cannot reach
    them before; until then they are asked again.

    Parameters
    ----------
    nodes : list of ProcessNode
        Paused ones.
    patience : float
        Seconds after which those that are left are given up.
    """
    from aiida.common.log import override_log_level
    from aiida.engine.processes import control

    deadline = time.monotonic() + patience
    left = [node for node in nodes if node.paused]
    while left:
        with override_log_level(logging.CRITICAL):
            control.play_processes(left, timeout=patience)
        left = [node for node in left if node.paused and not node.is_terminated]
        if time.monotonic() > deadline:
            break
        if left:
            time.sleep(_PAUSE)
    return left
