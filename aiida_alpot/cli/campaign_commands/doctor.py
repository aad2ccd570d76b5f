# SPDX-License-Identifier: MIT
"""``alpot doctor``: check all that a campaign needs, and name the remedy of each failure."""

from __future__ import annotations

import click

from aiida_alpot.cli.profile import profile_option

UNWELL = 5


@click.command("doctor")
@click.option("--jobs/--no-jobs", default=True, help="Run a small real job with each code.")
@profile_option
@click.pass_context
def command(context: click.Context, /, *, jobs: bool, profile: str | None) -> None:
    """Check kernels, profile, broker, daemon and codes; the exit status is 5 if something fails."""
    from aiida_alpot.cli.checkup import check_up

    failed = 0
    for finding in check_up(profile, jobs=jobs):
        mark = click.style("ok  ", fg="green") if finding.passed else click.style("FAIL", fg="red")
        click.echo(f"{mark} {finding.name}: {finding.detail}")
        if not finding.passed:
            failed += 1
            click.echo(f"     remedy: {finding.remedy}")
    click.echo("All is well." if not failed else f"{failed} to mend.")
    if failed:
        context.exit(UNWELL)
