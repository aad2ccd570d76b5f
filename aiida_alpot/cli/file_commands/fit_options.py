# SPDX-License-Identifier: MIT
"""Options of ``alpot fit`` beyond the bare fit: weights, references, held blocks, committees."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.file_commands.evaluate import error_lines
from aiida_alpot.cli.job_command import SeveralValues
from aiida_alpot.cli.options import settings_option

if TYPE_CHECKING:
    from aiida_alpot.cli.job_folder import JobFolder

_SOURCES = ("isolated", "composition")


def _is_word(word: str) -> bool:
    return not Path(word).suffix


_OPTIONS = (
    settings_option(
        "--weight",
        "by_name",
        help="Weights of configurations by patterns of their names, as in 'surface*=3'; 0 leaves "
        "them out.",
    ),
    settings_option(
        "--weighting",
        "weighting",
        help="Weights by energy and force: energy_window, energy_decay, energy_limit (eV/atom), "
        "energy_zero (lowest or hull), force_limit (eV/A).",
    ),
    click.option(
        "--atomic-energies",
        "atomic_energies",
        cls=SeveralValues,
        accepts=lambda word: "=" in word or word in _SOURCES,
        metavar="Cu=E ...|isolated|composition",
        help="Fit to energies minus those of free atoms: given in eV, of the isolated atoms in the "
        "data, or such that they suit the compositions.",
    ),
    click.option(
        "--freeze",
        "frozen",
        cls=SeveralValues,
        accepts=_is_word,
        metavar="BLOCK...",
        help="Parameters of --initial that stay to the last bit: radial, species, moments, linear, "
        "a pair of species (Cu-Au), a species.",
    ),
    click.option(
        "--train-only",
        cls=SeveralValues,
        accepts=_is_word,
        metavar="BLOCK...",
        help="Blocks of parameters that are fitted; all others stay.",
    ),
    click.option(
        "--pull",
        type=click.FloatRange(min=0),
        metavar="S",
        help="Add S times the squared distance from the parameters of --initial to the loss.",
    ),
    click.option(
        "--pull-blocks",
        cls=SeveralValues,
        accepts=_is_word,
        metavar="BLOCK...",
        help="Blocks that are pulled, all if not given. Without --initial 'moments' are pulled to "
        "zero: a ridge.",
    ),
    click.option(
        "--widen-interval",
        is_flag=True,
        help="Let the inner end of the radial functions of --initial follow shorter distances in "
        "the data; it predicts the same before the fit.",
    ),
    click.option(
        "--robust",
        type=float,
        metavar="FACTOR",
        help="Labels with errors above FACTOR times what nine of ten stay below lose influence; 5 "
        "leaves good data alone.",
    ),
    click.option(
        "--committee",
        type=int,
        metavar="N",
        help="Fit N further potentials, OUT_000.mtp and so on, whose disagreement is an "
        "uncertainty.",
    ),
    click.option(
        "--bootstrap/--no-bootstrap",
        default=True,
        show_default=True,
        help="Fit the members to bootstrap samples.",
    ),
    click.option(
        "--random-starts/--same-start",
        default=True,
        show_default=True,
        help="Start the members from random radial functions.",
    ),
)
_TAKEN_AS_THEY_ARE = ("widen_interval", "robust")


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    return functools.reduce(lambda one, option: option(one), reversed(_OPTIONS), command)


def training_keys(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the request from the values of the options.

    Raises
    ------
    SettingError
        If a value is not of the form that its option takes.
    """
    from aiida_alpot.cli.job_folder import parse_settings

    weighting = parse_settings(given["weighting"], "--weighting")
    if given["by_name"]:
        weighting["by_name"] = parse_settings(given["by_name"], "--weight")
    keys = {name: given[name] for name in _TAKEN_AS_THEY_ARE}
    keys |= {
        "weighting": weighting or None,
        "atomic_energies": _atomic_energies(given["atomic_energies"]),
        "frozen": list(given["frozen"]),
        "train_only": list(given["train_only"]) or None,
        "pull": _pull(given),
        "committee": None,
    }
    if given["committee"] is not None:
        keys["committee"] = {
            "members": given["committee"],
            "bootstrap": given["bootstrap"],
            "random_starts": given["random_starts"],
        }
    return keys


def _pull(given: Mapping[str, Any]) -> dict[str, Any] | None:
    blocks = list(given["pull_blocks"]) or None
    if given["pull"] is None and blocks is not None:
        raise click.UsageError("--pull-blocks needs --pull.", click.get_current_context())
    return None if given["pull"] is None else {"strength": given["pull"], "blocks": blocks}


def _atomic_energies(words: tuple[str, ...]) -> str | dict[str, Any] | None:
    from aiida_alpot.cli.job_folder import parse_settings

    if not words:
        return None
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    return parse_settings(words, "--atomic-energies")


def keep_members(job: JobFolder, result: Mapping[str, Any], output: Path) -> list[Path]:
    """Move the members of the committee beside the potential; return where they are."""
    from aiida_alpot.whole_files import write_whole

    kept = []
    for number, member in enumerate((result["committee"] or {"members": []})["members"]):
        path = output.with_name(f"{output.stem}_{number:03d}{output.suffix}")
        write_whole(path, (job.path / member["file"]).read_bytes())
        kept.append(path)
    return kept


def tell_training(result: Mapping[str, Any], members: list[Path]) -> None:
    """Say what came of the options, and on standard error what the data cannot teach."""
    robust = result["robust"]
    if robust is not None and robust["n_reduced_labels"]:
        click.echo(f"robust loss: {robust['n_reduced_labels']} labels count less; all others:")
        for line in error_lines(robust["errors_of_the_others"]):
            click.echo(f"  {line}")
    if members:
        deviations = result["committee"]["force_deviation_eV_per_A"] or {}
        for name, figures in deviations.items():
            if figures is not None:
                click.echo(
                    f"committee of {len(members)}, {name}: forces deviate by "
                    f"{figures['mean']:.4g} eV/A on average, {figures['largest']:.4g} at most"
                )
        click.echo(f"members written to {members[0]} ... {members[-1].name}")
    for warning in result["warnings"]:
        click.echo(f"warning: {warning['message']}", err=True)
