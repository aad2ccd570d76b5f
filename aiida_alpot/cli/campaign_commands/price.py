# SPDX-License-Identifier: MIT
"""``alpot price``: what each meV/atom of a campaign cost."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option


@click.command("price")
@campaign_argument
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@profile_option
def command(*, campaign: str | None, json_file: Path | None, profile: str | None) -> None:
    """Show labels and core-seconds of each turn against the error on the test sets.

    CAMPAIGN is a name, a PK or a UUID; the last campaign if none is given. A label that was looked
    up costs nothing, one that failed costs what it took.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.campaigns import find_campaign
    from aiida_alpot.reports.price import prices_of_turns

    open_profile(profile)
    node = find_campaign(campaign)
    turns = prices_of_turns(node)
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json

        write_json({"campaign": node.uuid, "turns": turns}, json_file)
    click.echo(
        f"{'turn':>4} {'labels':>6} {'core-s':>10} {'other s':>9} {'meV/atom':>9} {'eV/A':>8} "
        f"{'gained':>8} {'core-s per meV/atom':>20}"
    )
    for one in turns:
        click.echo(
            f"{one.turn:4d} {one.n_labels:6d} {one.core_seconds:10.1f} {one.other_seconds:9.1f} "
            f"{_figure(one.energy_error, 9)} {_figure(one.force_error, 8)} "
            f"{_figure(one.gained, 8)} {_figure(one.price, 20)}"
        )
    total = sum(one.core_seconds for one in turns)
    click.echo(f"{sum(one.n_labels for one in turns)} labels, {total / 3600:.3g} core-hours")


def _figure(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.4g'):>{width}}"
