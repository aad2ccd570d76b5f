# SPDX-License-Identifier: MIT
"""``alpot watch``: follow a campaign until it ends."""

from __future__ import annotations

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option


@click.command("watch")
@campaign_argument
@profile_option
@click.pass_context
def command(context: click.Context, *, campaign: str | None, profile: str | None) -> None:
    """Follow CAMPAIGN until it ends; Ctrl-C leaves it running.

    The exit status is that of 'alpot run'.
    """
    from aiida_alpot.cli.outcome import exit_status_of, tell_outcome
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.cli.watching import INTERRUPTED, watch_campaign
    from aiida_alpot.reports.campaigns import find_campaign

    opened = open_profile(profile)
    node = find_campaign(campaign)
    if watch_campaign(node, opened) is None:
        context.exit(INTERRUPTED)
    tell_outcome(node)
    context.exit(exit_status_of(node))
