# SPDX-License-Identifier: MIT
"""``alpot report``: one HTML file about a campaign."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option


@click.command("report")
@campaign_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="File to write.",
)
@profile_option
def command(*, campaign: str | None, output: Path, profile: str | None) -> None:
    """Write a report of CAMPAIGN that can be opened anywhere; the last one if none is given.

    It holds the figures against their targets, learning curves, parity plots, why each sampler
    stopped, the label ledger, times, settings and UUIDs. A campaign that runs is shown as far as
    it is.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.campaigns import find_campaign
    from aiida_alpot.reports.html import render_report
    from aiida_alpot.reports.report_data import read_report_data
    from aiida_alpot.whole_files import write_text

    open_profile(profile)
    write_text(output, render_report(read_report_data(find_campaign(campaign))))
    click.echo(f"Report written to {output}")
