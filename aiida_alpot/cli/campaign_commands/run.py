# SPDX-License-Identifier: MIT
"""``alpot run``: submit a campaign and watch it until it ends."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.campaign_commands.options import (
    cache_option,
    campaign_file_argument,
    machines_option,
    pause_option,
)
from aiida_alpot.cli.profile import profile_option


@click.command("run")
@campaign_file_argument
@machines_option
@pause_option
@cache_option
@click.option(
    "--dry-run", is_flag=True, help="Show what would be submitted; store and submit nothing."
)
@profile_option
@click.pass_context
def command(
    context: click.Context,
    *,
    campaign_file: Path,
    machines: Path | None,
    pause_before: str | None,
    cache: bool,
    dry_run: bool,
    profile: str | None,
) -> None:
    """Check a campaign file, submit it and watch it; Ctrl-C leaves it running.

    The exit status is 0 if the campaign converged and met its targets, 10 if it ended without
    converging, 11 if it failed, 12 if it missed a target.
    """
    from aiida_alpot.campaign.load import load_campaign
    from aiida_alpot.cli.importing import group_reader

    campaign = load_campaign(campaign_file, machines=machines, read_group=group_reader(profile))
    if dry_run:
        from aiida_alpot.cli.dry_run import dry_run_lines

        for line in dry_run_lines(campaign, profile):
            click.echo(line)
        return
    from aiida_alpot.cli.launch import submit_campaign
    from aiida_alpot.cli.outcome import exit_status_of, tell_outcome
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.cli.watching import INTERRUPTED, watch_campaign

    opened = open_profile(profile)
    node = submit_campaign(campaign, pause_before=pause_before, cache=cache)
    click.echo(f"Submitted {campaign.content.name} as PK {node.pk} in profile '{opened.name}'.")
    progress = watch_campaign(node, opened)
    if progress is None:
        context.exit(INTERRUPTED)
    tell_outcome(node)
    context.exit(exit_status_of(node))
