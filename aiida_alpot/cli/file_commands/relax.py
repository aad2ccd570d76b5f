# SPDX-License-Identifier: MIT
"""``alpot relax``: thousands of structures to the nearest minima of a potential."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.job_command import JobCommand, set_threads
from aiida_alpot.cli.options import (
    FILE,
    configurations_argument,
    existing,
    json_option,
    potential_argument,
    required_output_option,
    set_option,
    species_option,
    threads_option,
)


@click.command("relax", cls=JobCommand)
@potential_argument
@configurations_argument
@click.option(
    "--active-set",
    type=FILE,
    callback=existing,
    metavar="FILE",
    help="Active set, .npz or .almtp; a structure stops at the grade gamma_break.",
)
@set_option
@species_option
@threads_option
@required_output_option
@json_option
def command(
    *,
    potential: Path,
    configurations: Path,
    active_set: Path | None,
    settings: tuple[str, ...],
    species: tuple[str, ...],
    threads: int,
    output: Path,
    json_file: Path | None,
) -> None:
    """Relax positions and cells of all CONFIGURATIONS together with POTENTIAL.

    Settings: steps (200), fmax (0.01 eV/A), cell (flexible, isotropic or fixed), pressure_GPa (0),
    max_step (0.1 A), gamma_break (10). Structures stand in the output where they stopped, in their
    order, with predicted energies, forces and stresses.
    """
    set_threads(threads)
    from aiida_alpot.cli.job_folder import JobFolder, parse_settings, species_of, write_json
    from aiida_alpot.mtp.structure_streams import stream_configurations, write_stream

    species = species_of(potential, species)
    with JobFolder() as job:
        keys: dict[str, Any] = {}
        if active_set is not None:
            keys["active_set"] = job.add_active_set(active_set, species)
        result = job.run(
            "relax",
            potential=job.add_potential(potential, species),
            configurations=job.add_file(configurations),
            species=list(species),
            settings=parse_settings(settings),
            threads=threads,
            **keys,
        )
        write_stream(stream_configurations(job.path / "relaxed.npz"), output, species=species)
    if json_file is not None:
        write_json(
            {name: result[name] for name in ("outcome", "n_steps", "largest_force")}, json_file
        )
    for outcome, count in Counter(result["outcome"]).most_common():
        click.echo(f"{count:8d}  {outcome}")
    mean = sum(result["n_steps"]) / len(result["n_steps"])
    click.echo(f"{mean:8.1f}  evaluations of a structure; written to {output}")
