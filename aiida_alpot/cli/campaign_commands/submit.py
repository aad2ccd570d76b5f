# SPDX-License-Identifier: MIT
"""``alpot submit``: hand a campaign to the daemon and return."""

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


@click.command("submit")
@campaign_file_argument
@machines_option
@pause_option
@cache_option
@profile_option
def command(
    *,
    campaign_file: Path,
    machines: Path | None,
    pause_before: str | None,
    cache: bool,
    profile: str | None,
) -> None:
    """Check a campaign file and submit it; 'alpot watch' follows it."""
    from aiida_alpot.campaign.load import load_campaign
    from aiida_alpot.cli.importing import group_reader
    from aiida_alpot.cli.launch import submit_campaign
    from aiida_alpot.cli.profile import open_profile

    campaign = load_campaign(campaign_file, machines=machines, read_group=group_reader(profile))
    open_profile(profile)
    node = submit_campaign(campaign, pause_before=pause_before, cache=cache)
    click.echo(
        f"Submitted {campaign.content.name} as PK {node.pk}. Follow it: alpot watch {node.pk}"
    )
