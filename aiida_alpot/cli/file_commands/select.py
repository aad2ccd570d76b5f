# SPDX-License-Identifier: MIT
"""``alpot select``: which candidates to label, by MAXVOL over the training set or a committee."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.job_command import JobCommand
from aiida_alpot.cli.options import (
    FILE,
    committee_option,
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
@committee_option(
    help="Select what these potentials disagree about most, in place of what extends the set."
)
@species_option
@mode_option
@method_option
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, min_open=True),
    help="Grade above which a candidate is worth a label, of a committee a standard deviation of "
    "forces in eV/A.  [default: 2.0; none for a committee]",
)
@click.option(
    "--cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="POWER",
    help="Select what gains most for its cost, which grows as the number of atoms to this power: "
    "3 for large cells of DFT.",
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
    committee: tuple[Path, ...],
    species: tuple[str, ...],
    mode: str,
    method: str,
    threshold: float | None,
    cost: float | None,
    limit: int | None,
    gate: bool,
    output: Path,
    json_file: Path | None,
) -> None:
    """Select from CANDIDATES what extends the training set most, and write it to a file.

    With a --committee those are selected that its members, to which POTENTIAL belongs only if it is
    named again, disagree about most; candidates that are alike teach the same, and one of them is
    taken. The training set is then for the --gate, which refuses what is in it already.
    """
    from aiida_alpot.cli.job_folder import JobFolder, read_usable, species_of, write_json
    from aiida_alpot.mtp.structure_files import write_configurations

    rules = _thresholds(threshold, has_committee=bool(committee))
    if cost is not None:
        rules["cost_exponent"] = cost
    species = species_of(potential, species)
    given = read_usable([candidates], species)
    with JobFolder() as job:
        if committee:
            rules["committee"] = job.add_committee(committee, species)
        result = job.run(
            "select",
            potential=job.add_potential(potential, species),
            training=[job.add_configurations(read_usable(training, species), "training")],
            candidates=[job.add_configurations(given, "candidates")],
            mode=mode,
            method=method,
            limit=limit,
            gate={} if gate else NO_GATE,
            **rules,
        )
        n_atoms = int(job.configurations("selected.npz").n_atoms.sum())
        write_configurations(job.configurations("selected.npz"), output, species=species)
    if json_file is not None:
        names = ("n_candidates", "n_selected", "largest_grade", "verdicts", "candidates")
        write_json({name: result[name] for name in names}, json_file)
    largest = result["largest_grade"]
    shown = "infinite" if largest is None else f"{largest:.4g}"
    name, unit = ("largest deviation of forces", " eV/A") if committee else ("largest grade", "")
    click.echo(
        f"{result['n_selected']} of {result['n_candidates']} candidates selected, "
        f"{n_atoms} atoms, {name} {shown}{unit}; written to {output}"
    )


def _thresholds(threshold: float | None, *, has_committee: bool) -> dict[str, Any]:
    """Return the threshold by the key of the job, and that of the frames taken beside it."""
    if has_committee and threshold is None:
        raise click.UsageError(
            "--committee needs --threshold, the deviation of forces in eV/A above which a frame "
            "is worth a label, such as 0.1."
        )
    if threshold is None:
        threshold = 2.0
    if not has_committee and threshold < 1.0:
        raise click.BadParameter(f"{threshold:g} is below 1, where nothing extrapolates.")
    return (
        {"threshold": threshold, "entry": threshold} if has_committee else {"threshold": threshold}
    )
