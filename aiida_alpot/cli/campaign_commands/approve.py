# SPDX-License-Identifier: MIT
"""``alpot approve``: let a campaign go on that waits for a person (``--pause-before``)."""

from __future__ import annotations

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option
from aiida_alpot.errors import ServiceError


@click.command("approve")
@campaign_argument
@profile_option
def command(*, campaign: str | None, profile: str | None) -> None:
    """Let CAMPAIGN take the step before which it paused; the last one if none is given.

    A campaign submitted with --pause-before waits in every turn; 'alpot status' says for what.
    """
    from aiida_alpot.cli.playing import play_patiently
    from aiida_alpot.cli.profile import open_profile, require_daemon
    from aiida_alpot.reports.campaigns import campaign_name, find_campaign
    from aiida_alpot.reports.paused import waiting_for_approval

    opened = open_profile(profile)
    node = find_campaign(campaign)
    name = f"{campaign_name(node)} (PK {node.pk})"
    waiting = waiting_for_approval(node)
    if not waiting:
        raise ServiceError(
            f"{name} does not wait for approval. 'alpot status {node.pk}' tells what it does."
        )
    require_daemon(opened)
    steps = [str(one.process_status).removeprefix("paused before ") for one in waiting]
    if play_patiently(waiting):
        raise ServiceError(
            f"{name} did not answer. Restart the daemon, 'verdi -p {opened.name} daemon restart', "
            f"then call 'alpot approve {node.pk}' again."
        )
    for step in steps:
        click.echo(f"{name} goes on with {step.removesuffix(': alpot approve')}.")
