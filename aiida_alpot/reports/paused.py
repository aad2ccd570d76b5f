# SPDX-License-Identifier: MIT
"""Processes that AiiDA has paused: which of a campaign, and why.

AiiDA pauses a job when one of its steps on the computer has failed five times, each after a longer
wait; it stays paused until it is played.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiida_alpot.workflows.pausing import PAUSED


def paused_processes(campaign: Any) -> list[Any]:
    """Return the processes of a running campaign that were paused by a fault, in their order."""
    return [node for node in _paused(campaign) if not _waits_for_a_person(node)]


def waiting_for_approval(campaign: Any) -> list[Any]:
    """Return the turns of a campaign that wait for a person, as ``pause_before`` asked them to."""
    return [node for node in _paused(campaign) if _waits_for_a_person(node)]


def _waits_for_a_person(node: Any) -> bool:
    return str(node.process_status or "").startswith(PAUSED)


def _paused(campaign: Any) -> list[Any]:
    """Return all paused processes, the campaign among them."""
    if campaign.is_terminated:
        return []
    nodes = [campaign, *campaign.called_descendants]
    paused = [node for node in nodes if not node.is_terminated and node.paused]
    return sorted(paused, key=lambda node: int(node.pk))


def describe_paused(paused: list[Any]) -> str:
    """Return in words how many processes are paused and why, empty if none is."""
    if not paused:
        return ""
    reasons = Counter(str(node.process_status or "no reason is recorded") for node in paused)
    told = "; ".join(
        f"{reason} ({count} of them)" if len(reasons) > 1 else reason
        for reason, count in reasons.most_common(3)
    )
    are = "process is" if len(paused) == 1 else "processes are"
    return f"{len(paused)} {are} paused because: {told}"
