# SPDX-License-Identifier: MIT
"""``alpot export``: potential, labels and provenance of a campaign as plain files."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option


@click.command("export")
@campaign_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder to write; the name of the campaign if absent.",
)
@click.option("--force", is_flag=True, help="Write over files of an earlier export.")
@profile_option
def command(*, campaign: str | None, output: Path | None, force: bool, profile: str | None) -> None:
    """Write potential.mtp, all labels, the provenance and a note on use to a folder.

    CAMPAIGN is a name, a PK or a UUID; the last campaign if none is given.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.mtp.mlip_files import read_potential
    from aiida_alpot.reports.campaigns import campaign_name, find_campaign
    from aiida_alpot.reports.export import export_campaign, note_on_core

    open_profile(profile)
    node = find_campaign(campaign)
    folder = output or Path(campaign_name(node))
    for path in export_campaign(node, folder, force=force):
        click.echo(str(path))
    warning = note_on_core(read_potential(folder / "potential.mtp"))
    if warning:
        click.echo(warning.strip(), err=True)
