# SPDX-License-Identifier: MIT
"""``alpot sample``: run a sampler, stop on extrapolation, keep what is worth a label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.job_command import JobCommand, set_threads
from aiida_alpot.cli.options import (
    FILE,
    existing,
    json_option,
    potential_argument,
    required_output_option,
    seed_option,
    set_option,
    several_files_option,
    species_option,
    threads_option,
)


@click.command("sample", cls=JobCommand)
@potential_argument
@click.argument("starts", type=FILE, callback=existing)
@click.option(
    "--kind",
    default="molecular_dynamics",
    show_default=True,
    metavar="KIND",
    help="Kind of sampler, as in a campaign file.",
)
@set_option
@several_files_option(
    "--training",
    help="Training set, by which frames are graded; without one nothing is graded.",
)
@species_option
@click.option(
    "--gamma-select", default=2.0, show_default=True, help="Keep frames above this grade."
)
@click.option("--gamma-break", default=10.0, show_default=True, help="Stop a chain at this grade.")
@click.option(
    "--max-frames",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Most frames kept of a chain.",
)
@click.option(
    "--record-every",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Steps between recorded frames.",
)
@seed_option
@threads_option
@required_output_option
@json_option
def command(
    *,
    potential: Path,
    starts: Path,
    kind: str,
    settings: tuple[str, ...],
    training: tuple[Path, ...],
    species: tuple[str, ...],
    seed: int,
    threads: int,
    output: Path,
    json_file: Path | None,
    **rules: Any,
) -> None:
    """Run a sampler with POTENTIAL from each structure in STARTS.

    Frames are graded in neighborhood mode by the active set of the training set, as in a campaign;
    without --training by the active set in POTENTIAL, if it is an .almtp.
    """
    set_threads(threads)
    from aiida_alpot.cli.job_folder import (
        JobFolder,
        holds_active_set,
        parse_settings,
        read_usable,
        species_of,
        write_json,
    )
    from aiida_alpot.mtp.structure_files import write_configurations

    species = species_of(potential, species)
    given = read_usable([starts], species)
    with JobFolder() as job:
        calculator = {"potential": job.add_potential(potential, species)}
        if training:
            calculator["active_set"] = _build_active_set(job.path, read_usable(training, species))
        elif holds_active_set(potential):
            calculator["active_set"] = job.add_active_set(potential, species)
        result = job.run(
            "sample",
            calculator=calculator,
            sampler={"kind": kind, **parse_settings(settings)},
            starts=job.add_configurations(given, "starts"),
            seed=seed,
            threads=threads,
            **rules,
        )
        candidates = job.configurations("candidates.npz")
    if len(candidates):
        write_configurations(candidates, output, species=species)
    if json_file is not None:
        write_json({"chains": result["chains"]}, json_file)
    for chain in result["chains"]:
        click.echo(f"{chain['chain']}: {chain['steps']} steps, {chain['stop']}: {chain['reason']}")
    written = f"; written to {output}" if len(candidates) else ""
    click.echo(f"{len(candidates)} frames kept{written}")


def _build_active_set(folder: Path, training: Any) -> str:
    from aiida_alpot.grading.active_set import build_active_set
    from aiida_alpot.mtp.mlip_files import read_potential

    active_set = build_active_set(read_potential(folder / "potential.mtp"), training)
    active_set.save(folder / "active_set.npz")
    return "active_set.npz"
