# SPDX-License-Identifier: MIT
"""``alpot grade``: how far configurations lie outside what a potential was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.job_command import JobCommand
from aiida_alpot.cli.options import (
    FILE,
    committee_option,
    configurations_argument,
    existing,
    json_option,
    method_option,
    mode_option,
    potential_argument,
    several_files_option,
    species_option,
)

SHOWN = 20


@click.command("grade", cls=JobCommand)
@potential_argument
@configurations_argument
@several_files_option(
    "--training", help="Training set, in one file or several, to build an active set from."
)
@click.option(
    "--active-set",
    type=FILE,
    callback=existing,
    metavar="FILE",
    help="Active set, .npz or .almtp; its mode decides.",
)
@committee_option(
    help="Grade by the standard deviation of the forces of these potentials, eV/A, in place of an "
    "active set."
)
@species_option
@mode_option
@method_option
@json_option
def command(
    *,
    potential: Path,
    configurations: Path,
    training: tuple[Path, ...],
    active_set: Path | None,
    committee: tuple[Path, ...],
    species: tuple[str, ...],
    mode: str,
    method: str,
    json_file: Path | None,
) -> None:
    """Grade CONFIGURATIONS by the D-optimal active set of a training set, or by a committee.

    Without --training and --active-set the active set in POTENTIAL grades (.almtp), in its mode.
    Up to 1 a configuration is interpolated; labels are worth their price above 2, and nothing can
    be relied on above 10. The defaults give MLIP-2's grades; campaigns grade each neighborhood in
    the projected row space.

    The grade of a --committee is the largest standard deviation of the force on an atom among its
    members, to which POTENTIAL belongs only if it is named again. It has a unit and no value at
    which extrapolation begins.
    """
    from aiida_alpot.cli.job_folder import JobFolder, read_usable, species_of, write_json
    from aiida_alpot.errors import SettingError

    if sum(map(bool, (training, active_set, committee))) > 1:
        raise SettingError("Give one of --training, --active-set and --committee, not two.")
    species = species_of(potential, species)
    given = read_usable([configurations], species)
    with JobFolder() as job:
        keys: dict[str, Any] = {"potential": job.add_potential(potential, species)}
        if committee:
            keys["committee"] = job.add_committee(committee, species)
        elif training:
            keys["training"] = [job.add_configurations(read_usable(training, species), "training")]
        else:
            keys["active_set"] = job.add_active_set(active_set or potential, species)
        result = job.run(
            "grade",
            configurations=job.add_configurations(given, "configurations"),
            mode=mode,
            method=method,
            **keys,
        )
    if json_file is not None:
        figures = {"grades": result["grades"]}
        if "per_atom" in result:
            figures["per_atom"] = result["per_atom"]
        write_json(figures, json_file)
    lines = deviation_lines if committee else grade_lines
    for line in lines(result["grades"]):
        click.echo(line)


def grade_lines(grades: list[float | None]) -> list[str]:
    """Return the grades as lines of text, the first ones one by one and a summary of all."""
    lines = _first_lines(grades)
    known = [grade for grade in grades if grade is not None]
    beyond = len(grades) - sum(grade <= 2 for grade in known)
    largest = "infinite" if len(known) < len(grades) else f"{max(known):.4g}"
    lines.append(f"largest grade {largest}; {beyond} of {len(grades)} above 2")
    return lines


def deviation_lines(deviations: list[float]) -> list[str]:
    """Return the deviations of a committee as lines of text."""
    mean = sum(deviations) / len(deviations)
    summary = f"largest deviation of forces {max(deviations):.4g} eV/A, mean of all {mean:.4g} eV/A"
    return [*_first_lines(deviations), summary]


def _first_lines(grades: Sequence[float | None]) -> list[str]:
    lines = [f"{index:6d}  {_shown(grade)}" for index, grade in enumerate(grades[:SHOWN])]
    if len(grades) > SHOWN:
        lines.append(f"   ...  {len(grades) - SHOWN} more")
    return lines


def _shown(grade: float | None) -> str:
    return "infinite" if grade is None else f"{grade:.6g}"
