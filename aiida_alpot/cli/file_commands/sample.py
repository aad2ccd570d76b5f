# SPDX-License-Identifier: MIT
"""``alpot sample`` on files."""

from __future__ import annotations

import click

from aiida_alpot.cli.job_command import JobCommand


@click.command("sample", cls=JobCommand)
def command() -> None:
    """Run a request of this job."""
    raise click.UsageError("Give --request FILE", click.get_current_context())
