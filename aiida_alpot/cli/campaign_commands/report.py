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
    from aiida_alpot.cli.profile import find_campaign, open_profile
    from aiida_alpot.errors import InputFileError
    from aiida_alpot.reports.html import render_report
    from aiida_alpot.reports.report_data import read_report_data

    open_profile(profile)
    text = render_report(read_report_data(find_campaign(campaign)))
    partial = output.with_name(output.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        raise InputFileError(f"Cannot write {output}: {error.strerror}.") from error
    click.echo(f"Report written to {output}")
