# SPDX-License-Identifier: MIT
"""``alpot labels``: the labels of a potential by sampler, start, turn and temperature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_alpot.cli.profile import profile_option

if TYPE_CHECKING:
    from aiida_alpot.reports.labels import OriginOfLabel

HEADER = (
    f"{'turn':>5}  {'sampler':14} {'start':14} {'step':>7} {'K':>6} {'grade':>9} {'atoms':>5}  "
    f"{'label':9} {'job':8}  name"
)


@click.command("labels")
@click.argument("potential", required=False)
@click.option("--turn", "turns", type=int, multiple=True, help="Turn; -1 is what was given.")
@click.option("--sampler", "samplers", multiple=True, metavar="NAME", help="Sampler.")
@click.option("--start", "starts", multiple=True, metavar="NAME", help="Start of the sampler.")
@click.option("--temperature", metavar="K|LOW:HIGH", help="Target of the thermostat at the frame.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["labelled", "looked_up", "given"]),
    help="Paid for here, found, or given.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write them, as .xyz."
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@profile_option
def command(
    *,
    potential: str | None,
    turns: tuple[int, ...],
    samplers: tuple[str, ...],
    starts: tuple[str, ...],
    temperature: str | None,
    statuses: tuple[str, ...],
    output: Path | None,
    json_file: Path | None,
    profile: str | None,
) -> None:
    """List the labels that POTENTIAL was trained on, those that all options name.

    POTENTIAL is the PK or UUID of a potential, a .mtp file that was exported, or a campaign; the
    last campaign if none is given. An option that is given twice takes both values.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.labels import (
        LabelFilter,
        configurations_of_labels,
        labels_of,
        parse_range,
    )
    from aiida_alpot.reports.provenance import find_potential

    try:
        limits = None if temperature is None else parse_range(temperature)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write 300, 300:600 or 600:") from error
    open_profile(profile)
    node = find_potential(potential)
    found = labels_of(node, LabelFilter(turns, samplers, starts, statuses, limits))
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json

        write_json({"potential": node.uuid, "labels": found}, json_file)
    click.echo(HEADER)
    for one in found:
        click.echo(line_of(one))
    click.echo(f"{len(found)} labels")
    if output is not None:
        from aiida_alpot.mtp.structure_files import write_configurations

        write_configurations(configurations_of_labels(node, found), output)
        click.echo(str(output))


def line_of(label: OriginOfLabel) -> str:
    """Return one label as a line; jobs are named by the start of their UUID."""
    one = label.configuration
    turn, step = ("start", "-") if one.turn < 0 else (str(one.turn), str(one.step))
    grade = "-" if one.grade != one.grade else f"{one.grade:.4g}"
    kelvin = "-" if label.temperature is None else f"{label.temperature:.0f}"
    return (
        f"{turn:>5}  {one.sampler:14} {one.chain or '-':14} {step:>7} {kelvin:>6} {grade:>9} "
        f"{one.n_atoms:5d}  {one.label_status:9} {one.label_process[:8] or '-':8}  {one.identifier}"
    )
