# SPDX-License-Identifier: MIT
"""``alpot import``: take labels that were made elsewhere, with their level of theory."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_alpot.cli.profile import profile_option


@click.command("import")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILES]...")
@click.option(
    "--from-group", "source", metavar="GROUP", help="Take the labels of a group of AiiDA."
)
@click.option(
    "--into", "group", metavar="GROUP", help="Group for the labels.  [default: alpot-imported]"
)
@click.option(
    "--level-of-theory",
    "level_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML file with calculator and settings, or a campaign file.",
)
@click.option("--species", metavar="A,B", help="Order of the types in .cfg files without names.")
@profile_option
def command(
    *,
    files: tuple[Path, ...],
    source: str | None,
    group: str | None,
    level_file: Path | None,
    species: str | None,
    profile: str | None,
) -> None:
    """Store the labels of FILES as one set in a group, where campaigns look them up.

    FILES are vasprun.xml, OUTCAR, .npz, .cfg, extended XYZ, or what else ASE reads. Labels that are
    not finite or not converged are refused by name, and so are several levels of theory.
    """
    from aiida_alpot.campaign.foreign_labels import read_labels, species_in
    from aiida_alpot.cli.importing import GROUP, import_group, level_in_profile, store_labels
    from aiida_alpot.cli.profile import open_profile

    if bool(files) == (source is not None):
        raise click.UsageError("Give FILES, or --from-group GROUP.")
    open_profile(profile)
    into = group or GROUP
    if source is not None:
        node = import_group(source, into)
    else:
        named = species.split(",") if species else None
        level = None
        if level_file is not None:
            level = level_in_profile(level_file, species_in(files, species=named))
        labels = read_labels(files, level=level, species=named)
        node = store_labels(labels, into, [path.name for path in files])
    labels_of = "1 label of" if node.n_labelled == 1 else f"{node.n_labelled} labels of"
    click.echo(
        f"{labels_of} {', '.join(node.species)} as PK {node.pk} in the group "
        f"'{into}', level of theory {node.level_of_theory}"
    )
