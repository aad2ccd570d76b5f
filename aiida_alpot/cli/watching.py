# SPDX-License-Identifier: MIT
"""Following a campaign: a live table on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.broker import VISIT_EVERY, visit_broker
from aiida_alpot.cli.profile import daemon_is_running, patiently
from aiida_alpot.reports.progress import CampaignProgress, FinishedTurns, read_progress
from aiida_alpot.reports.tables import budget_line, live_table, turn_line, warning_lines

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

INTERVAL = 2.0  # seconds between two looks at the database
INTERRUPTED = 130


def watch_campaign(node: Any, profile: Profile) -> CampaignProgress | None:
    """Show the progress of a campaign until it ends, and return how it ended.

    On Ctrl-C the campaign goes on in the daemon and None is returned.
    """
    from rich.console import Console

    console = Console()
    show = _watch_live if console.is_terminal else _watch_plainly
    try:
        return show(node, profile, console)
    except KeyboardInterrupt:
        click.echo(
            f"\nThe campaign goes on. 'alpot watch {node.pk}' follows it, 'alpot stop {node.pk}' "
            "ends it after the running turn."
        )
        return None


def _looks(node: Any, profile: Profile) -> Iterator[tuple[CampaignProgress, str]]:
    """Yield how far a campaign is and what its daemon lacks, at intervals until it has ended."""
    finished = FinishedTurns()
    visited = time.monotonic()
    while True:
        progress = patiently(partial(read_progress, node, finished))
        waits = not progress.is_finished and not daemon_is_running(profile)
        yield progress, daemon_note(profile) if waits else ""
        if progress.is_finished:
            return
        time.sleep(INTERVAL)
        if time.monotonic() > visited + VISIT_EVERY:
            visit_broker(profile)
            visited = time.monotonic()


def _watch_live(node: Any, profile: Profile, console: Any) -> CampaignProgress:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=console, refresh_per_second=4, transient=False) as live:
        for progress, note in _looks(node, profile):
            lines = [live_table(progress)]
            if note:
                lines.append(Text(note, style="red"))
            live.update(Group(*lines))
    return progress


def _watch_plainly(node: Any, profile: Profile, console: Any) -> CampaignProgress:
    told: set[str] = set()
    for progress, note in _looks(node, profile):
        lines = [turn_line(turn) for turn in progress.turns if turn.stage == "done"]
        if not progress.is_finished:
            lines.append(progress.verdict)
        if note:
            lines.append(note)
        for line in lines:
            if line not in told:
                told.add(line)
                click.echo(line)
    click.echo(f"{progress.name} (PK {progress.pk}): {progress.verdict}")
    for line in [*warning_lines(progress), budget_line(progress)]:
        click.echo(line)
    return progress


def daemon_note(profile: Profile) -> str:
    """Return what to do about a daemon that has gone while a campaign waits."""
    return (
        f"The daemon of profile '{profile.name}' is not running; the campaign waits and goes on "
        f"after 'verdi -p {profile.name} daemon start'."
    )
