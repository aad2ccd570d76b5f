# SPDX-License-Identifier: MIT
"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Finding:
    """What one check found; ``remedy`` is empty where all is well."""

    name: str
    passed: bool
    detail: str
    remedy: str = ""


def show(finding: Finding) -> None:
    """Print a finding, with its remedy where something is wrong."""
    mark = click.style("ok  ", fg="green") if finding.passed else click.style("FAIL", fg="red")
    click.echo(f"{mark} {finding.name}: {finding.detail}")
    if not finding.passed:
        click.echo(f"     remedy: {finding.remedy}")


def one_line(text: object) -> str:
    """Return a text without line breaks."""
    return " ".join(str(text).split())
