# SPDX-License-Identifier: MIT
"""Following a campaign: a live table on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import click

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


def _watch_live(node: Any, profile: Profile, console: Any) -> CampaignProgress:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    finished = FinishedTurns()
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while True:
            progress = patiently(partial(read_progress, node, finished))
            lines = [live_table(progress)]
            if not progress.is_finished and not daemon_is_running(profile):
                lines.append(Text(daemon_note(profile), style="red"))
            live.update(Group(*lines))
            if progress.is_finished:
                return progress
            time.sleep(INTERVAL)


def _watch_plainly(node: Any, profile: Profile, console: Any) -> CampaignProgress:
    told: set[str] = set()
    finished = FinishedTurns()
    while True:
        progress = patiently(partial(read_progress, node, finished))
        lines = [turn_line(turn) for turn in progress.turns if turn.stage == "done"]
        if not progress.is_finished:
            lines.append(progress.verdict)
            if not daemon_is_running(profile):
                lines.append(daemon_note(profile))
        for line in lines:
            if line not in told:
                told.add(line)
                click.echo(line)
        if progress.is_finished:
            click.echo(f"{progress.name} (PK {progress.pk}): {progress.verdict}")
            for line in [*warning_lines(progress), budget_line(progress)]:
                click.echo(line)
            return progress
        time.sleep(INTERVAL)


def daemon_note(profile: Profile) -> str:
    """Return what to do about a daemon that has gone while a campaign waits."""
    return (
        f"The daemon of profile '{profile.name}' is not running; the campaign waits and goes on "
        f"after 'verdi -p {profile.name} daemon start'."
    )
