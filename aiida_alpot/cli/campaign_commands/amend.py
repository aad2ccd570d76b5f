# SPDX-License-Identifier: MIT
"""``alpot amend``: go on with a campaign under changed settings, with all its labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.campaign_commands.options import machines_option
from aiida_alpot.cli.profile import profile_option


@click.command("amend")
@click.argument("campaign")
@click.argument("changes_file", type=click.Path(path_type=Path), metavar="CHANGES.YAML")
@machines_option
@click.option(
    "--stop", is_flag=True, help="Stop the campaign if it runs, and wait for the end of its turn."
)
@click.option(
    "--force",
    "forced",
    multiple=True,
    type=click.Choice(["level_of_theory"]),
    help="Do it although labels of two levels of theory are then trained on together.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change; submit nothing.")
@profile_option
def command(
    *,
    campaign: str,
    changes_file: Path,
    machines: Path | None,
    stop: bool,
    forced: tuple[str, ...],
    dry_run: bool,
    profile: str | None,
) -> None:
    """Go on with CAMPAIGN under the keys of CHANGES.YAML, from its last turn, with all labels.

    The file has keys as a campaign file: mappings are merged, all else is replaced, null takes a
    key away. Names of files count from its folder. Labels of the campaign count in the budget.
    """
    from aiida_alpot.campaign.yaml_file import parse_yaml, read_yaml_text
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.cli.stopping import stop_and_wait
    from aiida_alpot.cli.successors import amend_campaign, require_ended, submit_amended
    from aiida_alpot.reports.campaigns import campaign_name, find_campaign

    changes = parse_yaml(read_yaml_text(changes_file), source=str(changes_file))
    open_profile(profile)
    node = find_campaign(campaign)
    if stop and not dry_run:
        stop_and_wait(node)
    if not dry_run:
        require_ended(node)
    builder, described = amend_campaign(
        node, changes, changes_file, machines=machines, forced=forced
    )
    for line in change_lines(builder.amendment.get_dict()["settings"]):
        click.echo(line)
    if dry_run:
        click.echo("Nothing was submitted.")
        return
    successor = submit_amended(builder, node, described)
    click.echo(
        f"{campaign_name(node)} goes on from PK {node.pk} as PK {successor.pk}. Follow it: alpot "
        f"watch {successor.pk}"
    )


def change_lines(changes: dict[str, list[Any]]) -> list[str]:
    """Return what changes in the settings, a line for each key."""
    return [f"{key}: {_shown(one[0])} -> {_shown(one[1])}" for key, one in changes.items()]


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
