# SPDX-License-Identifier: MIT
"""``alpot sample``: run a sampler, stop on extrapolation, keep what is worth a label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.job_command import JobCommand, set_threads
from aiida_alpot.cli.options import (
    FILE,
    committee_option,
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

if TYPE_CHECKING:
    from aiida_alpot.cli.job_folder import JobFolder

SELECT_GRADE, BREAK_GRADE = 2.0, 10.0
BREAK_SHARE = 5.0


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
@committee_option(
    help="Grade frames by the standard deviation of the forces of these potentials, in eV/A; needs "
    "--gamma-select."
)
@species_option
@click.option("--gamma-select", type=float, help="Keep frames above this grade.  [default: 2.0]")
@click.option(
    "--gamma-break",
    type=float,
    help="Stop a chain at this grade.  [default: 10.0; of a committee 5 times --gamma-select]",
)
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
@click.option(
    "--restarts",
    type=FILE,
    help="Write here (.npz) from where chains that their grade stopped can go on: the last frame "
    "up to --gamma-select, looked at every --record-every steps.",
)
@click.option(
    "--go-on",
    type=FILE,
    callback=existing,
    help="Begin chains with the frames of this file, which --restarts wrote in an earlier run from "
    "the same STARTS.",
)
@click.option(
    "--found",
    type=FILE,
    help="Write here what a search looked for: relaxed structures, saddle points, or the "
    "population of an evolution, lowest energy first.",
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
    committee: tuple[Path, ...],
    gamma_select: float | None,
    gamma_break: float | None,
    species: tuple[str, ...],
    restarts: Path | None,
    go_on: Path | None,
    found: Path | None,
    seed: int,
    threads: int,
    output: Path,
    json_file: Path | None,
    **rules: Any,
) -> None:
    """Run a sampler with POTENTIAL from each structure in STARTS.

    Frames are graded in neighborhood mode by the active set of the training set, as in a campaign;
    without --training by the active set in POTENTIAL, if it is an .almtp. With --committee the
    grade of a frame is the largest deviation of a force among its members.
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

    rules |= _thresholds(gamma_select, gamma_break, has_committee=bool(committee))
    if training and committee:
        raise click.UsageError("Give either --training or --committee, not both.")
    species = species_of(potential, species)
    given = read_usable([starts], species)
    with JobFolder() as job:
        calculator: dict[str, Any] = {"potential": job.add_potential(potential, species)}
        if committee:
            calculator["committee"] = job.add_committee(committee, species)
        elif training:
            calculator["active_set"] = _build_active_set(job.path, read_usable(training, species))
        elif holds_active_set(potential):
            calculator["active_set"] = job.add_active_set(potential, species)
        if restarts is not None:
            rules["restart"] = "last_good_frame"
        if go_on is not None:
            rules["restarts"] = job.add_configurations(read_usable([go_on], species), "go_on_from")
        result = job.run(
            "sample",
            calculator=calculator,
            sampler={"kind": kind, **parse_settings(settings)},
            starts=job.add_configurations(given, "starts"),
            seed=seed,
            threads=threads,
            found=found is not None,
            **rules,
        )
        if found is not None:
            _write_found(job, found, species)
        candidates = job.configurations("candidates.npz")
        left = job.path / "restarts.npz"
        to_go_on_from = job.configurations("restarts.npz") if left.is_file() else None
    if len(candidates):
        write_configurations(candidates, output, species=species)
    if restarts is not None and to_go_on_from is not None:
        write_configurations(to_go_on_from, restarts, species=species)
    if json_file is not None:
        told = {name: result[name] for name in ("chains", "found") if name in result}
        write_json(told, json_file)
    _tell_ends(result, found)
    written = f"; written to {output}" if len(candidates) else ""
    click.echo(f"{len(candidates)} frames kept{written}")
    if restarts is not None:
        count = 0 if to_go_on_from is None else len(to_go_on_from)
        written = f"; written to {restarts}" if count else ""
        click.echo(f"{count} chains can go on{written}")


def _tell_ends(result: dict[str, Any], found: Path | None) -> None:
    """Say how each chain ended, and what was found where that was asked for."""
    for chain in result["chains"]:
        click.echo(f"{chain['chain']}: {chain['steps']} steps, {chain['stop']}: {chain['reason']}")
    if "found" in result:
        click.echo(_describe_found(result["found"], found))


def _write_found(job: JobFolder, path: Path, species: Sequence[str]) -> None:
    """Write what a search looked for, if it found anything."""
    from aiida_alpot.mtp.structure_files import write_configurations

    searched = job.configurations("found.npz")
    if len(searched):
        write_configurations(searched, path, species=species)


def _describe_found(found: list[dict[str, Any]], path: Path | None) -> str:
    if not found:
        return "no structure was found"
    lowest = min(found, key=lambda one: float(one["energy"]))
    return (
        f"structures found: {len(found)}, the lowest is {lowest['name']} with "
        f"{lowest['energy']:.6f} eV/atom; written to {path}"
    )


def _thresholds(
    gamma_select: float | None, gamma_break: float | None, *, has_committee: bool
) -> dict[str, float]:
    """Return both thresholds; those of a committee are in eV/A and depend on the purpose."""
    if has_committee and gamma_select is None:
        raise click.UsageError(
            "--committee needs --gamma-select, the deviation of forces in eV/A above which a frame "
            "is worth a label, such as 0.1."
        )
    select = SELECT_GRADE if gamma_select is None else gamma_select
    largest = BREAK_SHARE * select if has_committee else BREAK_GRADE
    return {
        "gamma_select": select,
        "gamma_break": largest if gamma_break is None else gamma_break,
    }


def _build_active_set(folder: Path, training: Any) -> str:
    from aiida_alpot.grading.active_set import build_active_set
    from aiida_alpot.mtp.mlip_files import read_potential

    active_set = build_active_set(read_potential(folder / "potential.mtp"), training)
    active_set.save(folder / "active_set.npz")
    return "active_set.npz"
