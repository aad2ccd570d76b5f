# SPDX-License-Identifier: MIT
"""``alpot status``: how far a campaign is, once."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option


@click.command("status")
@campaign_argument
@click.option("--all", "show_all", is_flag=True, help="List all campaigns of the profile.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@profile_option
def command(
    *, campaign: str | None, show_all: bool, json_file: Path | None, profile: str | None
) -> None:
    """Show how far CAMPAIGN is: a name, a PK or a UUID; the last one if none is given."""
    from rich.console import Console

    from aiida_alpot.cli.broker import visit_broker
    from aiida_alpot.cli.profile import daemon_is_running, open_profile
    from aiida_alpot.cli.watching import daemon_note
    from aiida_alpot.reports.campaigns import all_campaigns, find_campaign
    from aiida_alpot.reports.paused import describe_paused, paused_processes
    from aiida_alpot.reports.progress import read_progress
    from aiida_alpot.reports.successors import chains_of
    from aiida_alpot.reports.tables import budget_line, live_table, plain_lines

    opened = open_profile(profile)
    if show_all:
        for chain in chains_of(all_campaigns()):
            one = read_progress(chain[-1])
            line = f"{one.pk:6d}  {one.name:20} {one.verdict}; {budget_line(one)}"
            before = ", ".join(str(node.pk) for node in chain[:-1])
            click.echo(f"{line}; goes on from PK {before}" if before else line)
        return
    node = find_campaign(campaign)
    progress = read_progress(node)
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json
        from aiida_alpot.reports.progress import as_json

        write_json(as_json(progress), json_file)
    console = Console()
    if console.is_terminal:
        console.print(live_table(progress))
    else:
        for line in plain_lines(progress):
            click.echo(line)
    told = describe_paused(paused_processes(node))
    if told:
        click.echo(f"{told}. To go on: alpot resume {node.pk}")
    if not progress.is_finished:
        visit_broker(opened)
        if not daemon_is_running(opened):
            click.echo(daemon_note(opened))
