# SPDX-License-Identifier: MIT
"""``alpot stop``: end a campaign after the running turn, with all that was paid for kept."""

from __future__ import annotations

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option


@click.command("stop")
@campaign_argument
@profile_option
def command(*, campaign: str | None, profile: str | None) -> None:
    """Ask CAMPAIGN to stop after the running turn; the last one if none is given.

    Its potential, labels and ledger are handed out as at any other end.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.campaigns import campaign_name, find_campaign

    open_profile(profile)
    node = find_campaign(campaign)
    name = f"{campaign_name(node)} (PK {node.pk})"
    if node.is_terminated:
        click.echo(f"{name} has ended already.")
        return
    node.base.extras.set("stop_requested", True)
    click.echo(f"{name} stops after the running turn. 'alpot watch {node.pk}' follows it.")
