# SPDX-License-Identifier: MIT
"""``alpot costs``: core-hours of a campaign by stage, turn, sampler and size, and the forecast."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option


@click.command("costs")
@campaign_argument
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@profile_option
def command(*, campaign: str | None, json_file: Path | None, profile: str | None) -> None:
    """Show what CAMPAIGN has cost so far, and what its next turn will.

    CAMPAIGN is a name, a PK or a UUID; the last campaign if none is given. Core-seconds are those
    of the scheduler's accounting where it keeps any, else wall time times cores. What each
    meV/atom cost tells 'alpot price'.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.campaigns import campaign_name, find_campaign
    from aiida_alpot.reports.cost_tables import cost_lines
    from aiida_alpot.reports.costs import read_costs

    open_profile(profile)
    node = find_campaign(campaign)
    costs = read_costs(node)
    if json_file is not None:
        import dataclasses

        from aiida_alpot.cli.job_folder import write_json

        write_json({"campaign": node.uuid, **dataclasses.asdict(costs)}, json_file)
    core_hours = node.inputs.settings.get_dict()["budget"].get("core_hours")
    click.echo(f"{campaign_name(node)} (PK {node.pk})")
    for line in cost_lines(costs, core_hours=core_hours):
        click.echo(line)
