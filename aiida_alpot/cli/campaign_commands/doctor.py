# SPDX-License-Identifier: MIT
"""``alpot doctor``: check all that a campaign needs, and name the remedy of each failure."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from aiida_alpot.cli.job_command import SeveralValues, SpreadingCommand
from aiida_alpot.cli.profile import profile_option
from aiida_alpot.errors import SettingError

UNWELL = 5


@click.command("doctor", cls=SpreadingCommand)
@click.option(
    "--campaign",
    "campaign_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check what this campaign needs; its smallest structure is labelled, and kept.",
)
@click.option(
    "--machines",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Check the codes of this machines file, with its queues and accounts.",
)
@click.option("--potcars", "family", metavar="FAMILY", help="Look for POTCAR files of --species.")
@click.option("--species", cls=SeveralValues, metavar="SYMBOL ...", help="Species of --potcars.")
@click.option("--jobs/--no-jobs", default=True, help="Run small real jobs.")
@click.option(
    "--timeout",
    type=float,
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each job.",
)
@click.option("--here", is_flag=True, help="Check the kernels on this computer alone, no AiiDA.")
@click.option("--json", "as_json", is_flag=True, help="With --here: print plain JSON.")
@profile_option
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    campaign_file: Path | None,
    machines: Path | None,
    family: str | None,
    species: tuple[str, ...],
    jobs: bool,
    timeout: float,
    here: bool,
    as_json: bool,
    profile: str | None,
) -> None:
    """Check profile, storage, broker, daemon, computers, codes, POTCAR files and kernels.

    Real jobs go through each scheduler. The exit status is 5 if something fails.
    """
    if here:
        _check_here(context, as_json=as_json)
        return
    from aiida_alpot.cli import checkup

    if bool(family) != bool(species):
        raise SettingError("--potcars and --species go together: give both.")
    potcars = checkup.Potcars(family, species) if family else None
    plan = checkup.plan_for_profile
    if campaign_file is not None:
        plan = partial(checkup.plan_for_campaign, campaign_file, machines)
    elif machines is not None:
        plan = partial(checkup.plan_for_machines, machines)
    failed = 0
    for finding in checkup.check_up(profile, plan, potcars=potcars, jobs=jobs, timeout=timeout):
        checkup.show(finding)
        failed += not finding.passed
    click.echo("All is well." if not failed else f"{failed} to mend.")
    if failed:
        context.exit(UNWELL)


def _check_here(context: click.Context, *, as_json: bool) -> None:
    from aiida_alpot.cli.checkup.finding import show
    from aiida_alpot.cli.checkup.kernels import check_kernels_here, look_at_kernels

    if as_json:
        click.echo(json.dumps(look_at_kernels()))
        return
    finding = check_kernels_here()
    show(finding)
    if not finding.passed:
        context.exit(UNWELL)
