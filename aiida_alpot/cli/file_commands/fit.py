# SPDX-License-Identifier: MIT
"""``alpot fit``: a potential from labelled configurations."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.file_commands.evaluate import error_lines
from aiida_alpot.cli.file_commands.fit_options import (
    keep_members,
    tell_training,
    training_keys,
    training_options,
)
from aiida_alpot.cli.job_command import JobCommand, SeveralValues, set_threads
from aiida_alpot.cli.options import (
    FILE,
    existing,
    json_option,
    required_output_option,
    seed_option,
    settings_option,
    several_files_option,
    species_option,
    threads_option,
    training_option,
)

if TYPE_CHECKING:
    from aiida_alpot.cli.job_folder import JobFolder

INTERRUPTED = 130
_CORE_WORDS = ("auto", "overlay")
_TAKEN_AS_THEY_ARE = (
    "min_distance",
    "max_iterations",
    "tolerance",
    "n_starts",
    "seed",
    "method",
)
FIGURES = ("loss", "n_iterations", "converged", "interrupted", "message", "n_parameters")
FINDINGS = ("warnings", "outliers", "robust", "committee")


def _is_core_word(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return word in _CORE_WORDS
    return True


@click.command("fit", cls=JobCommand)
@training_option
@click.option("--level", type=int, metavar="N", help="Level of the potential, 2 to 28.")
@click.option(
    "--cutoff", type=click.FloatRange(min=0, min_open=True), metavar="A", help="Cutoff radius, A."
)
@species_option
@click.option(
    "--initial",
    type=FILE,
    callback=existing,
    metavar="POTENTIAL",
    help="Go on from this potential, of the same or a lower level.",
)
@several_files_option("--test", help="Test set, which is never trained on.")
@click.option("--energy-weight", default=1.0, show_default=True)
@click.option("--force-weight", default=0.01, show_default=True)
@click.option("--stress-weight", default=0.001, show_default=True)
@click.option(
    "--relative-force-eps",
    type=float,
    metavar="EV2_PER_A2",
    help="Weight forces by their size, softened by this.",
)
@click.option(
    "--size-power",
    type=click.IntRange(0, 2),
    default=1,
    show_default=True,
    help="Power of the number of atoms that terms of energy and stress are divided by; with 2 "
    "energies per atom count alike.",
)
@click.option(
    "--min-distance",
    type=float,
    metavar="A",
    help="Inner end of the radial functions; 0.99 of the smallest distance in the data, or that of "
    "--initial.",
)
@click.option(
    "--zbl",
    cls=SeveralValues,
    accepts=_is_core_word,
    metavar="auto|INNER OUTER",
    help="Hold close pairs apart by a ZBL core: 'auto' ends it below the distances in the data, "
    "two numbers give its radii in A. With the word 'overlay' the radial functions do not fade.",
)
@settings_option(
    "--zbl-pairs",
    "zbl_pairs",
    help="Radii in A of single pairs of species in place of those of --zbl, as in "
    "'W-H=[0.9, 1.4]'.",
)
@training_options
@click.option("--max-iterations", type=click.IntRange(min=1), default=200, show_default=True)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-3,
    show_default=True,
    help="End when three steps in a row lower the loss by less than this share.",
)
@click.option(
    "--starts",
    "n_starts",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Random starts; the best one wins.",
)
@click.option(
    "--method",
    type=click.Choice(["projection", "matrix-free"]),
    help="How it is searched; by the memory that is needed if not given.",
)
@seed_option
@threads_option
@required_output_option
@json_option
@click.pass_context
def command(context: click.Context, /, *, threads: int, **given: Any) -> None:
    """Fit a potential and write it as .mtp; Ctrl-C keeps the best one so far.

    Energies, forces and stresses that are absent are left out of the loss. What the data cannot
    teach, and labels that do not go with the others, are told as warnings.
    """
    set_threads(threads)
    from aiida_alpot.cli.job_folder import JobFolder, write_json

    level, cutoff = _form(given["level"], given["cutoff"], given["initial"], given["species"])
    weights = {name: given[f"{name}_weight"] for name in ("energy", "force", "stress")}
    weights |= {name: given[name] for name in ("relative_force_eps", "size_power")}
    with JobFolder() as job:
        try:
            result = job.run(
                "fit",
                level=level,
                cutoff=cutoff,
                weights=weights,
                threads=threads,
                zbl=_core(given["zbl"], given["zbl_pairs"]),
                **training_keys(given),
                **_files(job, given),
                **{key: given[key] for key in _TAKEN_AS_THEY_ARE},
            )
        finally:  # also after a second Ctrl-C, while errors are computed
            _keep(job, given["output"])
        members = keep_members(job, result, given["output"])
    errors = result["errors"]
    test = errors["test"].get("test")
    figures = {key: result[key] for key in FIGURES + FINDINGS}
    if given["json_file"] is not None:
        write_json({"training": errors["training"], "test": test, **figures}, given["json_file"])
    _tell(result, test, given["output"])
    tell_training(result, members)
    if result["interrupted"]:
        context.exit(INTERRUPTED)


def _form(
    level: int | None, cutoff: float | None, initial: Path | None, species: tuple[str, ...]
) -> tuple[int, float]:
    """Return level and cutoff, by default those of the potential to go on from."""
    if initial is not None and (level is None or cutoff is None):
        from aiida_alpot.mtp.mlip_files import read_potential

        parent = read_potential(initial)
        level = parent.basis.level if level is None else level
        cutoff = float(parent.cutoff) if cutoff is None else cutoff
    if level is None or cutoff is None:
        missing = "--level" if level is None else "--cutoff"
        raise click.UsageError(f"Missing option '{missing}'.", click.get_current_context())
    return level, cutoff


def _core(words: tuple[str, ...], pairs: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the core as the request has it, from the words of --zbl and --zbl-pairs."""
    from aiida_alpot.cli.job_folder import parse_settings

    if not words:
        if pairs:
            raise click.UsageError(
                "--zbl-pairs needs --zbl, such as '--zbl auto'.", click.get_current_context()
            )
        return None
    radii = [float(word) for word in words if word not in _CORE_WORDS]
    if len(radii) not in (0, 2) or (radii and "auto" in words):
        raise click.UsageError(
            f"--zbl is {' '.join(words)}; give 'auto' or two radii in A, inner and outer, and "
            "'overlay' beside them where the radial functions must not fade.",
            click.get_current_context(),
        )
    inner, outer = radii or (None, None)
    return {
        "inner": inner,
        "outer": outer,
        "pairs": parse_settings(pairs, "--zbl-pairs"),
        "overlay": "overlay" in words,
    }


def _files(job: JobFolder, given: dict[str, Any]) -> dict[str, Any]:
    """Write the data sets and the potential to go on from; return the keys that name them."""
    from aiida_alpot.cli.job_folder import read_usable

    species = given["species"] or None
    files: dict[str, Any] = {
        "training": [job.add_configurations(read_usable(given["training"], species), "training")],
        "species": species and list(species),
    }
    if given["test"]:
        files["test"] = {
            "test": job.add_configurations(read_usable(given["test"], species), "test")
        }
    if given["initial"] is not None:
        files["initial"] = job.add_potential(given["initial"], _unnamed(given))
        shutil.move(job.path / files["initial"], job.path / "initial.mtp")
        files["initial"] = "initial.mtp"
    return files


def _unnamed(given: dict[str, Any]) -> tuple[str, ...]:
    """Return the species of a potential to go on from that names none; others may be extended."""
    from aiida_alpot.mtp.mlip_files import read_potential

    names = read_potential(given["initial"]).species
    return () if names else tuple(given["species"])


def _keep(job: JobFolder, output: Path) -> None:
    """Move the potential to where it was asked for, whole or not at all."""
    from aiida_alpot.whole_files import write_whole

    written = job.path / "potential.mtp"
    if written.is_file():
        write_whole(output, written.read_bytes())


def _tell(result: dict[str, Any], test: dict[str, Any] | None, output: Path) -> None:
    click.echo(
        f"{result['message']}; loss {result['loss']:.6g}, {result['n_parameters']} parameters"
    )
    for name, errors in (("training", result["errors"]["training"]), ("test", test)):
        if errors is not None:
            click.echo(f"{name}:")
            for line in error_lines(errors):
                click.echo(f"  {line}")
    if result["zbl"] is not None:
        for pair, (inner, outer) in result["zbl"]["radii"].items():
            click.echo(f"ZBL core of {pair}: from {outer:.3f} to {inner:.3f} A")
        for pair, hollow in result["zbl"]["hollows"].items():
            click.echo(
                f"warning: {pair} of the training set, pushed together, gain "
                f"{hollow['depth_eV']:.2f} eV at {hollow['distance']:.2f} A, where colliding atoms "
                "could stick; try other radii",
                err=True,
            )
        click.echo("other codes read the file without the core (see docs/short-range.md)")
    click.echo(f"written to {output}")
