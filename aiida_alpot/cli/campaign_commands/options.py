# SPDX-License-Identifier: MIT
"""Arguments that the commands on campaigns share."""

from __future__ import annotations

from pathlib import Path

import click

campaign_file_argument = click.argument(
    "campaign_file", type=click.Path(path_type=Path), metavar="CAMPAIGN.YAML"
)
campaign_argument = click.argument("campaign", required=False, metavar="[CAMPAIGN]")
pause_option = click.option(
    "--pause-before",
    type=click.Choice(["label", "fit"]),
    help="Wait in every turn before this step until 'alpot approve'.",
)
cache_option = click.option(
    "--no-cache",
    "cache",
    flag_value=False,
    default=True,
    help="Make all labels and run all jobs anew, although they are known.",
)
machines_option = click.option(
    "--machines",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Machines file, in place of the one that the campaign names.",
)
