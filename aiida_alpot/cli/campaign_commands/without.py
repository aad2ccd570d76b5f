# SPDX-License-Identifier: MIT
"""``alpot without``: fit again without some labels and show the difference."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.profile import profile_option


@click.command("without")
@click.argument("potential")
@click.argument("left_out", nargs=-1, required=True, metavar="LABEL...")
@click.option(
    "--from-scratch",
    is_flag=True,
    help="Do not start from the potential that the fit started from, which may have seen them.",
)
@click.option("--submit", "is_submitted", is_flag=True, help="Leave it to the daemon and return.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@profile_option
def command(
    *,
    potential: str,
    left_out: tuple[str, ...],
    from_scratch: bool,
    is_submitted: bool,
    json_file: Path | None,
    profile: str | None,
) -> None:
    """Fit POTENTIAL again without some labels; tell what changes.

    LABEL is a calculation (PK or the start of its UUID), all labels of which are left out, or a
    configuration (its name, or the start of its hash). POTENTIAL is the PK or UUID of a potential,
    a .mtp file that was exported, or a campaign. The process stays in the profile.
    """
    from aiida_alpot.cli.launch import run_or_submit
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.leaving_out import (
        chosen_labels,
        leave_out_builder,
        lines_of_difference,
    )
    from aiida_alpot.reports.provenance import find_potential

    open_profile(profile)
    node = find_potential(potential)
    labels = chosen_labels(node, left_out)
    builder = leave_out_builder(node, [one.key for one in labels], from_scratch=from_scratch)
    click.echo(f"leaving out {len(labels)}: {', '.join(one.identifier for one in labels)[:300]}")
    process = run_or_submit(builder, output="difference", is_submitted=is_submitted)
    if process is None:
        return
    difference = process.outputs.difference.get_dict()
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json

        write_json({"process": process.uuid, **difference}, json_file)
    for line in lines_of_difference(difference):
        click.echo(line)
    click.echo(f"process {process.uuid} (PK {process.pk})")
