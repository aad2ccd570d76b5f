# SPDX-License-Identifier: MIT
"""``alpot carve``: small chunks about the atoms of large structures that are most uncertain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.job_command import JobCommand, SeveralValues
from aiida_alpot.cli.options import (
    FILE,
    committee_option,
    configurations_argument,
    existing,
    json_option,
    require_beside,
    required_output_option,
    several_files_option,
    species_option,
)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


@click.command("carve", cls=JobCommand)
@configurations_argument
@committee_option(
    help="Choose the atoms whose forces these potentials disagree about: delta = 2.58 sigma."
)
@click.option(
    "--potential",
    type=FILE,
    callback=existing,
    metavar="POTENTIAL",
    help="With --training, choose by neighbourhood grades; with --committee it gives the species.",
)
@several_files_option("--training", help="Training set of --potential, for grades.")
@species_option
@click.option(
    "--threshold",
    type=click.FloatRange(min=0),
    help="Choose atoms above this delta in eV/A, or this grade.  [default: 0.1, of grades 2]",
)
@click.option(
    "--fraction",
    type=click.FloatRange(min=0, max=1, min_open=True),
    help="Choose this fraction of the atoms, the most uncertain ones.",
)
@click.option("--worst", is_flag=True, help="Choose the most uncertain atom alone.")
@click.option("--limit", type=click.IntRange(min=1), help="Most chunks of a structure.")
@click.option(
    "--radius",
    type=click.FloatRange(min=0, min_open=True),
    default=8.0,
    show_default=True,
    help="Radius of a chunk, A.",
)
@click.option(
    "--vacuum",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Vacuum on each side of a cluster, A.",
)
@click.option(
    "--periodic", is_flag=True, help="Cut smaller periodic cells out of bulk, not clusters."
)
@click.option("--passivate", metavar="ELEMENT", help="Saturate cut bonds of clusters, as with H.")
@click.option(
    "--check",
    metavar="CALCULATOR",
    help="Compare forces of this ASE calculator in chunks with those in larger ones, as with EMT.",
)
@click.option(
    "--check-radii",
    cls=SeveralValues,
    accepts=_is_number,
    type=float,
    metavar="R...",
    help="With --check: radii of the chunks, A.",
)
@click.option(
    "--check-reference",
    type=click.FloatRange(min=0, min_open=True),
    metavar="R",
    help="With --check: radius of the chunks to compare with, A; the whole structure if absent.",
)
@required_output_option
@json_option
def command(
    *,
    configurations: Path,
    committee: tuple[Path, ...],
    potential: Path | None,
    training: tuple[Path, ...],
    species: tuple[str, ...],
    threshold: float | None,
    fraction: float | None,
    worst: bool,
    limit: int | None,
    radius: float,
    vacuum: float,
    periodic: bool,
    passivate: str | None,
    check: str | None,
    check_radii: tuple[float, ...],
    check_reference: float | None,
    output: Path,
    json_file: Path | None,
) -> None:
    """Carve chunks about the most uncertain atoms of CONFIGURATIONS, ready to be labelled.

    Only the force on the central atom of a chunk, its first, is trained on: the chunks carry a
    mask, which 'alpot label' keeps and 'alpot fit' obeys.
    """
    from aiida_alpot.cli.job_folder import JobFolder, read_usable, species_of, write_json
    from aiida_alpot.mtp.structure_files import write_configurations

    require_beside("--check", check is not None, "check_radii", "check_reference")
    rules = _choice(threshold, fraction, worst=worst)
    named = potential or (committee[0] if committee else None)
    if named is None or bool(committee) == bool(training):
        raise click.UsageError(
            "Atoms are chosen by a committee or by grades: give --committee, or --potential with "
            "--training."
        )
    species = species_of(named, species)
    given = read_usable([configurations], species)
    with JobFolder() as job:
        if committee:
            rules["committee"] = job.add_committee(committee, species)
        else:
            assert potential is not None
            rules["potential"] = job.add_potential(potential, species)
            rules["training"] = [job.add_configurations(read_usable(training, species), "training")]
        if check is not None:
            rules["check"] = _check(check, check_radii, check_reference)
        result = job.run(
            "carve",
            configurations=job.add_configurations(given, "configurations"),
            limit=limit,
            radius=radius,
            vacuum=vacuum,
            kind="periodic" if periodic else "cluster",
            passivate=passivate,
            **rules,
        )
        chunks = job.configurations("chunks.npz")
        if len(chunks):
            write_configurations(chunks, output)
    if json_file is not None:
        write_json({name: result[name] for name in FIGURES}, json_file)
    unit = " eV/A" if committee else ""
    kind = "delta" if committee else "grade"
    written = f"; written to {output}" if len(chunks) else ""
    click.echo(
        f"{result['n_chunks']} chunks about {result['n_chosen']} of {result['n_atoms']} atoms, "
        f"largest {kind} {result['largest_uncertainty']:.4g}{unit}{written}"
    )
    if result["locality"] is not None:
        _tell_locality(result["locality"])


FIGURES = (
    "uncertainty",
    "n_structures",
    "n_atoms",
    "n_chosen",
    "n_chunks",
    "n_alike",
    "largest_uncertainty",
    "mean_uncertainty",
    "chunk_sizes",
    "chosen",
    "locality",
)


def _choice(threshold: float | None, fraction: float | None, *, worst: bool) -> dict[str, Any]:
    if sum((threshold is not None, fraction is not None, worst)) > 1:
        raise click.UsageError("Give one of --threshold, --fraction and --worst.")
    if worst:
        return {"choice": "worst"}
    if fraction is not None:
        return {"choice": "fraction", "value": fraction}
    return {"choice": "threshold", "value": threshold}


def _check(name: str, radii: tuple[float, ...], reference: float | None) -> dict[str, Any]:
    content: dict[str, Any] = {"calculator": {"ase": name}, "reference": reference}
    return {**content, "radii": list(radii)} if radii else content


def _tell_locality(locality: dict[str, Any]) -> None:
    rows = zip(
        locality["radii"],
        locality["mean_size"],
        locality["largest"],
        locality["mean"],
        strict=True,
    )
    whole = locality["reference"] is None
    against = "the whole structure" if whole else f"chunks of {locality['reference']:g} A"
    click.echo(f"forces on {len(locality['centres'])} central atoms against {against}:")
    for radius, size, largest, mean in rows:
        click.echo(
            f"  radius {radius:g} A, {size:.0f} atoms: largest |dF| {largest:.2g}, "
            f"mean {mean:.2g} eV/A"
        )
