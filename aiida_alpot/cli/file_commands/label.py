# SPDX-License-Identifier: MIT
"""``alpot label``: energies, forces and stresses from an ASE calculator of the allow-list."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.job_command import JobCommand
from aiida_alpot.cli.options import (
    configurations_argument,
    json_option,
    required_output_option,
    set_option,
    species_option,
)

PARTIAL = 4


@click.command("label", cls=JobCommand)
@configurations_argument
@click.option(
    "--calculator", required=True, metavar="NAME", help="EMT, LennardJones, EAM, GPAW, ..."
)
@set_option
@species_option
@required_output_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    *,
    configurations: Path,
    calculator: str,
    settings: tuple[str, ...],
    species: tuple[str, ...],
    output: Path,
    json_file: Path | None,
) -> None:
    """Label CONFIGURATIONS with a calculator; what fails is named and never written.

    The level of theory is recorded in the output, so that labels of two levels never mix. The exit
    status is 4 if some configurations could not be labelled.
    """
    from aiida_alpot.cli.job_folder import JobFolder, parse_settings, read_all, write_json
    from aiida_alpot.mtp.structure_files import write_configurations

    given = read_all([configurations], species)
    with JobFolder() as job:
        content = _with_files(job.path, parse_settings(settings))
        result = job.run(
            "label",
            configurations=job.add_configurations(given, "configurations"),
            calculator={"name": calculator, "settings": content},
        )
        labelled = job.configurations("labelled.npz")
        if len(labelled):
            write_configurations(labelled, output, species=species or None)
    if json_file is not None:
        write_json({"verdicts": result["verdicts"]}, json_file)
    failed = [verdict for verdict in result["verdicts"] if verdict["status"] == "failed"]
    for verdict in failed:
        click.echo(f"failed: {verdict['identifier']}: {verdict['reason']}", err=True)
    written = f"; written to {output}" if len(labelled) else ""
    click.echo(f"{len(labelled)} of {len(given)} configurations labelled{written}")
    if failed:
        context.exit(PARTIAL)


def _with_files(folder: Path, settings: dict[str, object]) -> dict[str, object]:
    """Copy a potential file that the settings name into the folder of the job."""
    import shutil

    from aiida_alpot.errors import InputFileError

    file = settings.get("file")
    if not isinstance(file, str):
        return settings
    path = Path(file)
    if not path.is_file():
        raise InputFileError(f"Cannot read {path}: there is no such file.")
    shutil.copyfile(path, folder / path.name)
    return settings | {"file": path.name}
