# SPDX-License-Identifier: MIT
"""``alpot convert``: configurations from one format into another."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.job_command import SeveralValues, SpreadingCommand
from aiida_alpot.cli.options import FILE, existing, is_symbol, writable


@click.command("convert", cls=SpreadingCommand)
@click.argument("source", type=FILE, callback=existing, metavar="IN")
@click.argument("target", type=FILE, callback=writable, metavar="OUT")
@click.option(
    "--species",
    cls=SeveralValues,
    accepts=is_symbol,
    metavar="Nb Mo ...",
    help="Order of the types in an MLIP .cfg, read or written.",
)
def command(*, source: Path, target: Path, species: tuple[str, ...]) -> None:
    """Convert the configurations in IN to the format of OUT, labels and names included.

    Formats are told by the suffix: .npz (ours), .cfg (MLIP), anything else by ASE.
    """
    from aiida_alpot.mtp.structure_files import read_configurations, write_configurations

    configurations = read_configurations(source, species=species or None)
    write_configurations(configurations, target, species=species or None)
    click.echo(f"{len(configurations)} configurations written to {target}")
