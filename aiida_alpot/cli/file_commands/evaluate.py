# SPDX-License-Identifier: MIT
"""``alpot evaluate``: what a potential gives for configurations, and its errors against labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.job_command import JobCommand
from aiida_alpot.cli.options import (
    configurations_argument,
    json_option,
    output_option,
    potential_argument,
    species_option,
)


@click.command("evaluate", cls=JobCommand)
@potential_argument
@configurations_argument
@species_option
@output_option
@json_option
def command(
    *,
    potential: Path,
    configurations: Path,
    species: tuple[str, ...],
    output: Path | None,
    json_file: Path | None,
) -> None:
    """Evaluate POTENTIAL on CONFIGURATIONS; print its errors where they have labels.

    POTENTIAL is an MLIP-2 .mtp; CONFIGURATIONS is any file that ASE reads, an MLIP .cfg or our
    .npz. Memory does not grow with files in .npz, .cfg and extended XYZ.
    """
    from aiida_alpot.cli.job_folder import JobFolder, species_of, write_json
    from aiida_alpot.mtp.structure_streams import stream_configurations, write_stream

    species = species_of(potential, species)
    with JobFolder() as job:
        result = job.run(
            "evaluate",
            potential=job.add_potential(potential, species),
            configurations=job.add_file(configurations),
            species=list(species),
        )
        if output is not None:
            predictions = stream_configurations(job.path / "predictions.npz")
            write_stream(predictions, output, species=species)
    errors = result["errors"]
    if json_file is not None:
        write_json(errors, json_file)
    for line in error_lines(errors):
        click.echo(line)


def error_lines(errors: dict[str, Any]) -> list[str]:
    """Return a table of errors as lines of text; what could not be compared is a dash."""
    energy, forces, stress = errors["energy"], errors["forces"], errors["stress"]
    rows = [
        ("energy", energy["rmse_meV_per_atom"], energy["mae_meV_per_atom"], "meV/atom"),
        ("forces", forces["rmse_eV_per_A"], forces["mae_eV_per_A"], "eV/A per component"),
        ("stress", stress["rmse_GPa"], stress["mae_GPa"], "GPa"),
    ]
    lines = [f"{errors['n_configurations']} configurations, {errors['n_atoms']} atoms"]
    lines.append(f"{'':8}{'RMSE':>12}{'MAE':>12}")
    lines += [f"{name:8}{_figure(rmse)}{_figure(mae)}  {unit}" for name, rmse, mae, unit in rows]
    lines.append(f"{'angle':8}{'':12}{_figure(forces['mean_angle_deg'])}  degrees between forces")
    return lines


def _figure(value: float | None) -> str:
    return f"{'-':>12}" if value is None else f"{value:12.5g}"
