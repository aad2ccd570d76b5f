# SPDX-License-Identifier: MIT
"""``alpot convert``: configurations or potentials from one format into another."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.job_command import SeveralValues, SpreadingCommand
from aiida_alpot.cli.options import FILE, existing, is_symbol, several_files_option, writable

POTENTIALS = (".mtp", ".almtp", ".mvs", ".als")


@click.command("convert", cls=SpreadingCommand)
@click.argument("source", type=FILE, callback=existing, metavar="IN")
@click.argument("target", type=FILE, callback=writable, metavar="OUT")
@click.option(
    "--species",
    cls=SeveralValues,
    accepts=is_symbol,
    metavar="Nb Mo ...",
    help="Order of the types in an MLIP file, read or written.",
)
@click.option(
    "--active-set",
    type=FILE,
    callback=existing,
    metavar="FILE",
    help="Active set for an .almtp; by default the one in IN.",
)
@several_files_option(
    "--training", help="Training set: an .almtp then holds the configurations of the active rows."
)
def command(
    *,
    source: Path,
    target: Path,
    species: tuple[str, ...],
    active_set: Path | None,
    training: tuple[Path, ...],
) -> None:
    """Convert the configurations or the potential in IN to the format of OUT.

    Formats of configurations are told by the suffix: .npz (ours), .cfg (MLIP), anything else by
    ASE; labels and names are kept. Potentials are .mtp (MLIP-2) and .almtp (MLIP-3, with an active
    set); .mvs and .als of MLIP-2 are read. A potential with an active set inside gives the active
    set alone where OUT is an .npz.
    """
    if source.suffix in POTENTIALS:
        convert_potential(source, target, species, active_set, training)
        return
    from aiida_alpot.mtp.structure_files import read_configurations, write_configurations

    configurations = read_configurations(source, species=species or None)
    write_configurations(configurations, target, species=species or None)
    click.echo(f"{len(configurations)} configurations written to {target}")


def convert_potential(
    source: Path,
    target: Path,
    species: tuple[str, ...],
    active_set: Path | None,
    training: tuple[Path, ...],
) -> None:
    """Write a potential, with or without an active set, or the active set alone.

    Raises
    ------
    SettingError
        If there is no way from the one format to the other.
    InputFileError, SpeciesError, ActiveSetError
        If a file cannot be read or the files do not belong together.
    """
    from aiida_alpot.cli.job_folder import read_usable
    from aiida_alpot.errors import SettingError
    from aiida_alpot.grading.mlip_state import load_active_set, write_almtp
    from aiida_alpot.mtp.mlip_files import read_potential, write_potential

    potential = read_potential(source, species or None)
    if target.suffix == ".mtp":
        write_potential(potential, target)
        click.echo(f"potential of {potential.n_parameters} parameters written to {target}")
        return
    if target.suffix not in (".almtp", ".npz"):
        raise SettingError(
            f"A potential is not written as {target.suffix or target.name}. Name a file .mtp or "
            ".almtp, or .npz for the active set inside."
        )
    rows = load_active_set(active_set or source, potential.species or None)
    if target.suffix == ".npz":
        rows.save(target)
    else:
        configurations = read_usable(training, potential.species) if training else None
        write_almtp(target, potential, rows, configurations)
    click.echo(f"active set of {rows.rank} rows written to {target}")
