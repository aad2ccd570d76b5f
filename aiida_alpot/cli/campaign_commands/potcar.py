# SPDX-License-Identifier: MIT
"""``alpot potcar``: which campaigns used a POTCAR file."""

from __future__ import annotations

import click

from aiida_alpot.cli.profile import profile_option
from aiida_alpot.errors import ServiceError


@click.command("potcar")
@click.argument("potcar")
@profile_option
def command(*, potcar: str, profile: str | None) -> None:
    """List the campaigns that used POTCAR: the start of its SHA-512, its name or its family."""
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.potcars import campaigns_with_potcar

    open_profile(profile)
    found = campaigns_with_potcar(potcar)
    if not found:
        raise ServiceError(
            f"No campaign of this profile used the POTCAR '{potcar}'. Give at least 8 digits of "
            "its SHA-512, a name such as Cu_pv, or a family."
        )
    for use in found:
        click.echo(
            f"{use.pk:7d}  {use.uuid[:8]}  {use.campaign:20} {use.species:3} {use.symbol:10} "
            f"{use.hash[:16]:16}  by {use.found_in}"
        )
