# SPDX-License-Identifier: MIT
"""``alpot calculations``: what a potential rests on, as a list, an archive and a file."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.profile import profile_option


@click.command("calculations")
@click.argument("potential", required=False)
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write an AiiDA archive of the potential and all that it comes from.",
)
@click.option(
    "--structures",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all labels to one file, as .xyz.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@profile_option
def command(
    *,
    potential: str | None,
    archive: Path | None,
    structures: Path | None,
    force: bool,
    json_file: Path | None,
    profile: str | None,
) -> None:
    """List the calculations that made the labels of POTENTIAL; export them.

    POTENTIAL is the PK or UUID of a potential, a .mtp file that was exported, or a campaign; the
    last campaign if none is given.
    """
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.errors import InputFileError
    from aiida_alpot.reports.calculations import label_runs, labels_of_potential, write_archive
    from aiida_alpot.reports.provenance import find_potential

    open_profile(profile)
    node = find_potential(potential)
    runs = label_runs(node)
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json

        write_json({"potential": node.uuid, "calculations": runs}, json_file)
    click.echo(f"{'PK':>7}  {'job':8}  {'kind':18} {'code':24} {'cores':>5} {'labels':>6}")
    for run in runs:
        found = f", {run.n_looked_up} looked up" if run.n_looked_up else ""
        click.echo(
            f"{run.pk:7d}  {run.uuid[:8]}  {run.kind:18} {run.code or '-':24} {run.cores:5d} "
            f"{len(run.labels):6d}{found}"
        )
    click.echo(f"{len(runs)} calculations, {sum(len(run.labels) for run in runs)} labels")
    if structures is not None:
        from aiida_alpot.mtp.structure_files import write_configurations

        if structures.exists() and not force:
            raise InputFileError(f"{structures} is there already. Give another name, or --force.")
        write_configurations(labels_of_potential(node), structures)
        click.echo(str(structures))
    if archive is not None:
        n_nodes = write_archive(node, archive, force=force)
        click.echo(f"{archive}: {n_nodes} nodes")
