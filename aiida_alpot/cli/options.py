# SPDX-License-Identifier: MIT
"""Options and arguments that several file commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.job_command import SeveralValues

FILE = click.Path(path_type=Path)


def is_symbol(word: str) -> bool:
    """Return whether a word is a chemical symbol, so that '--species Nb Mo a.mtp' works."""
    from ase.data import atomic_numbers

    return word in atomic_numbers


def require_beside(needed: str, is_given: bool, *names: str) -> None:
    """Refuse options that say nothing without another one, which would go unnoticed."""
    context = click.get_current_context()
    for name in names:
        source = context.get_parameter_source(name)
        if not is_given and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} needs {needed}.", context)


def existing(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Refuse a file that is not there, before anything is computed."""
    from aiida_alpot.errors import InputFileError

    for path in value if isinstance(value, tuple) else (value,):
        if path is not None and not path.is_file():
            raise InputFileError(f"Cannot read {path}: there is no such file.")
    return value


def writable(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Refuse an output in a folder that is not there, before anything is computed."""
    from aiida_alpot.errors import InputFileError

    if value is not None and (not value.parent.is_dir() or value.is_dir()):
        raise InputFileError(f"Cannot write {value}: there is no folder {value.parent}.")
    return value


def several_files_option(flag: str, **settings: Any) -> Any:
    """Return an option for a data set in one file or several."""
    return click.option(
        flag,
        cls=SeveralValues,
        type=FILE,
        callback=existing,
        metavar="CONFIGS...",
        **settings,
    )


def committee_option(**settings: Any) -> Any:
    """Return an option for the members of a committee."""
    return click.option(
        "--committee",
        cls=SeveralValues,
        type=FILE,
        callback=existing,
        metavar="POTENTIAL...",
        **settings,
    )


def settings_option(flag: str, name: str, **settings: Any) -> Any:
    """Return an option for settings in the form KEY=VALUE."""
    return click.option(
        flag,
        name,
        cls=SeveralValues,
        accepts=lambda word: "=" in word,
        metavar="KEY=VALUE...",
        **settings,
    )


def _output_option(**settings: Any) -> Any:
    return click.option(
        "-o",
        "--output",
        type=FILE,
        callback=writable,
        metavar="FILE",
        help="File to write.",
        **settings,
    )


potential_argument = click.argument("potential", type=FILE, callback=existing)
configurations_argument = click.argument("configurations", type=FILE, callback=existing)

species_option = click.option(
    "--species",
    cls=SeveralValues,
    accepts=is_symbol,
    metavar="Nb Mo ...",
    help="Order of the types in an MLIP file, which names none; needed unless it records them.",
)
training_option = several_files_option(
    "--training", required=True, help="Training set, in one file or several."
)
output_option = _output_option()
required_output_option = _output_option(required=True)
json_option = click.option(
    "--json", "json_file", type=FILE, callback=writable, metavar="FILE", help="Figures as JSON."
)
mode_option = click.option(
    "--mode",
    type=click.Choice(["configuration", "neighborhood"]),
    default="configuration",
    show_default=True,
    help="Grade whole configurations, or each atom.",
)
method_option = click.option(
    "--method",
    type=click.Choice(["parity", "projected"]),
    default="parity",
    show_default=True,
    help="How the active set is chosen: MLIP-2's way, or in the projected row space.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of randomness."
)
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads to use."
)
set_option = settings_option("--set", "settings", help="Settings, values as in a campaign file.")
