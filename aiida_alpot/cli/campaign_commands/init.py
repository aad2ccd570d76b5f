# SPDX-License-Identifier: MIT
"""``alpot init``: what a campaign needs on this computer, in a step that can be repeated."""

from __future__ import annotations

import click

from aiida_alpot.cli.profile import PROFILE


@click.command("init")
@click.option(
    "-p",
    "--profile",
    default=PROFILE,
    show_default=True,
    metavar="NAME",
    help="AiiDA profile to make, or to add to if it is there.",
)
@click.option(
    "--email", default="alpot@localhost", show_default=True, help="User of a new profile."
)
@click.option("--daemon/--no-daemon", default=True, help="Start the daemon of the profile.")
@click.option("--compile/--no-compile", "compile_now", default=True, help="Compile the kernels.")
def command(profile: str, email: str, daemon: bool, compile_now: bool) -> None:
    """Set up a profile (SQLite, built-in broker), the computer localhost, the codes, the daemon.

    What is there already is left as it is; other profiles are never touched.
    """
    from aiida_alpot.cli import installation

    opened, made = installation.ensure_profile(profile, email=email)
    _tell("profile", opened.name, made)
    computer, made = installation.ensure_computer()
    _tell("computer", computer.label, made)
    code, made = installation.ensure_alpot_code(computer)
    _tell("code", f"{code.full_label} ({code.get_executable()})", made)
    gpaw = installation.ensure_gpaw_code(computer)
    if gpaw is None:
        click.echo("code      gpaw: no Python with GPAW here (Debian: apt-get install gpaw)")
    else:
        _tell("code", f"{gpaw[0].full_label} ({gpaw[0].get_executable()})", gpaw[1])
    if compile_now:
        from aiida_alpot.jobs.warm_up import compile_kernels

        click.echo("kernels   compiling ...")
        click.echo(f"kernels   ready after {compile_kernels():.1f} s")
    if daemon:
        _tell("daemon", f"of {opened.name}", installation.start_daemon(opened), "started")


def _tell(what: str, name: str, made: bool, verb: str = "made") -> None:
    click.echo(f"{what:9} {name}: {verb if made else 'there already'}")
