# SPDX-License-Identifier: MIT
"""``alpot select``: which candidates to label, by MAXVOL over training set and candidates."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.job_command import JobCommand
from aiida_alpot.cli.options import (
    FILE,
    existing,
    json_option,
    method_option,
    mode_option,
    potential_argument,
    required_output_option,
    species_option,
    training_option,
)

NO_GATE = {
    "min_distance_factor": 0.0,
    "min_volume_factor": None,
    "max_volume_factor": None,
    "min_cell_angle": None,
    "max_aspect_ratio": None,
    "min_thickness": None,
    "fragment_factor": None,
    "max_force": None,
    "duplicate_tolerance": None,
}


@click.command("select", cls=JobCommand)
@potential_argument
@click.argument("candidates", type=FILE, callback=existing)
@training_option
@species_option
@mode_option
@method_option
@click.option(
    "--threshold",
    type=click.FloatRange(min=1),
    default=2.0,
    show_default=True,
    help="Grade above which a candidate is worth a label.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Most configurations to select.")
@click.option(
    "--gate", is_flag=True, help="Refuse candidates that are no sane structures or duplicates."
)
@required_output_option
@json_option
def command(
    *,
    potential: Path,
    candidates: Path,
    training: tuple[Path, ...],
    species: tuple[str, ...],
    mode: str,
    method: str,
    threshold: float,
    limit: int | None,
    gate: bool,
    output: Path,
    json_file: Path | None,
) -> None:
    """Select from CANDIDATES what extends the training set most, and write it to a file."""
    from aiida_alpot.cli.job_folder import JobFolder, read_usable, species_of, write_json
    from aiida_alpot.mtp.structure_files import write_configurations

    species = species_of(potential, species)
    given = read_usable([candidates], species)
    with JobFolder() as job:
        result = job.run(
            "select",
            potential=job.add_potential(potential, species),
            training=[job.add_configurations(read_usable(training, species), "training")],
            candidates=[job.add_configurations(given, "candidates")],
            mode=mode,
            method=method,
            threshold=threshold,
            limit=limit,
            gate={} if gate else NO_GATE,
        )
        write_configurations(job.configurations("selected.npz"), output, species=species)
    if json_file is not None:
        names = ("n_candidates", "n_selected", "largest_grade", "verdicts", "candidates")
        write_json({name: result[name] for name in names}, json_file)
    largest = result["largest_grade"]
    shown = "infinite" if largest is None else f"{largest:.4g}"
    click.echo(
        f"{result['n_selected']} of {result['n_candidates']} candidates selected, "
        f"largest grade {shown}; written to {output}"
    )
