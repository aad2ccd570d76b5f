# SPDX-License-Identifier: MIT
"""``alpot properties``: properties with a potential, and with a reference beside it."""

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
    seed_option,
    set_option,
    settings_option,
    species_option,
    threads_option,
)


@click.command("properties", cls=JobCommand)
@potential_argument
@click.argument("structures", type=FILE, callback=existing)
@click.option(
    "--kind", required=True, metavar="KIND", help="Kind of property, as in a campaign file."
)
@set_option
@click.option("--structure", metavar="NAME", help="Which structure; the first one if absent.")
@click.option("--reference", metavar="NAME", help="Calculator to compare with, such as EMT.")
@settings_option("--reference-set", "reference_settings", help="Settings of the reference.")
@species_option
@seed_option
@threads_option
@json_option
def command(
    *,
    potential: Path,
    structures: Path,
    kind: str,
    settings: tuple[str, ...],
    structure: str | None,
    reference: str | None,
    reference_settings: tuple[str, ...],
    species: tuple[str, ...],
    seed: int,
    threads: int,
    json_file: Path | None,
) -> None:
    """Measure one property with POTENTIAL for a structure of STRUCTURES."""
    set_threads(threads)
    from aiida_alpot.cli.job_folder import (
        JobFolder,
        parse_settings,
        read_usable,
        species_of,
        write_json,
    )

    species = species_of(potential, species)
    wanted = {"kind": kind, **parse_settings(settings)}
    if structure is not None:
        wanted["structure"] = structure
    compared = reference and {
        "ase": reference,
        "settings": parse_settings(reference_settings, "--reference-set"),
    }
    with JobFolder() as job:
        result = job.run(
            "properties",
            calculator={"potential": job.add_potential(potential, species)},
            structures=job.add_configurations(read_usable([structures], species), "structures"),
            properties=[wanted],
            reference=compared or None,
            seed=seed,
            threads=threads,
        )
    if json_file is not None:
        write_json({"properties": result["properties"]}, json_file)
    for line in property_lines(result["properties"][0]):
        click.echo(line)


def property_lines(entry: dict[str, Any]) -> list[str]:
    """Return the figures of a property as lines, beside those of the reference."""
    lines = [f"{entry['kind'].replace('_', ' ')} of {entry['structure']}"]
    if entry["failed"]:
        lines.append(f"failed: {entry['failed']}")
    reference = entry["reference"] or {}
    for name, value in (entry["values"] or {}).items():
        if isinstance(value, (int, float, str)):
            beside = reference.get(name)
            compared = f"  reference {_shown(beside)}" if beside is not None else ""
            lines.append(f"  {name:32} {_shown(value)}{compared}")
    return lines


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
