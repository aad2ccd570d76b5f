# SPDX-License-Identifier: MIT
"""``alpot why``: for each training configuration of a potential, where it came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.profile import profile_option

if TYPE_CHECKING:
    from aiida_alpot.reports.provenance import TrainingConfiguration

HEADER = (
    f"{'turn':>5}  {'sampler':14} {'start':14} {'step':>7} {'grade':>10} {'atoms':>5}  "
    f"{'label':9} {'job':8}  name"
)


@click.command("why")
@click.argument("potential", required=False)
@click.option("--frame", metavar="NAME", help="Tell the whole story of one of them.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@profile_option
def command(
    *, potential: str | None, frame: str | None, json_file: Path | None, profile: str | None
) -> None:
    """Tell for each training configuration of POTENTIAL where it and its label came from.

    POTENTIAL is the PK or UUID of a potential, a .mtp file that was exported, or a campaign; the
    last campaign if none is given. --frame names a configuration, or the start of its hash: how it
    was sampled, why it was selected, what labelled it, and whether the active set holds it.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.provenance import find_potential, training_configurations

    open_profile(profile)
    node = find_potential(potential)
    if frame is not None:
        tell_story(node, frame, json_file)
        return
    found = training_configurations(node)
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json

        write_json({"potential": node.uuid, "training": found}, json_file)
    click.echo(f"Potential {node.uuid} (PK {node.pk}), fitted by process {node.creator.uuid}")
    click.echo(HEADER)
    for one in found:
        click.echo(line_of(one))
    click.echo(f"{len(found)} training configurations")


def tell_story(potential: Any, name: str, json_file: Path | None) -> None:
    """Print why a frame was chosen."""
    from aiida_alpot.reports.frames import find_frame, lines_of_story, story_of

    story = story_of(potential, find_frame(potential, name))
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json

        write_json(story, json_file)
    for line in lines_of_story(story):
        click.echo(line)


def line_of(one: TrainingConfiguration) -> str:
    """Return one training configuration as a line; jobs are named by the start of their UUID."""
    turn = "start" if one.turn < 0 else str(one.turn)
    grade = "-" if one.grade != one.grade else f"{one.grade:.4g}"
    step = "-" if one.turn < 0 else str(one.step)
    return (
        f"{turn:>5}  {one.sampler:14} {one.chain or '-':14} {step:>7} {grade:>10} "
        f"{one.n_atoms:5d}  {one.label_status:9} {one.label_process[:8] or '-':8}  {one.identifier}"
    )
