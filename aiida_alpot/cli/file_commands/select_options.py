# SPDX-License-Identifier: MIT
"""Options of ``alpot select``: the rule, a pool in place of a potential, sets for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from aiida_alpot.cli.options import FILE, existing, several_files_option, writable

MAXVOL_METHODS = ("parity", "projected", "maxvol")
"""Ways of MAXVOL; the last is another name of the second."""
OTHER_RULES = ("tail", "uncertainty", "farthest_points", "cur", "random")


def rule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how to select."""
    for option in reversed(
        [
            click.option(
                "--method",
                type=click.Choice([*MAXVOL_METHODS, *OTHER_RULES]),
                default="parity",
                show_default=True,
                help="How to select: by MAXVOL in MLIP-2's way (parity) or in the projected row "
                "space (projected, maxvol), the tail of ln(grade), the largest grades, farthest "
                "points or leverage scores (cur) of rows, or at random.",
            ),
            click.option(
                "--threshold",
                type=click.FloatRange(min=0, min_open=True),
                help="Grade above which a candidate is worth a label, of a committee a standard "
                "deviation of forces in eV/A.  [default: 2.0 by MAXVOL; none for a committee]",
            ),
            click.option(
                "--tail-k",
                type=click.FloatRange(min=0),
                help="The tail begins so many second moments of ln(grade) above the median.  "
                "[default: 1.5]",
            ),
            click.option(
                "--tail-kind",
                type=click.Choice(["rms", "variance"]),
                help="Second moment: the root of the mean square, or the mean square.  "
                "[default: rms]",
            ),
            click.option(
                "--cost",
                type=click.FloatRange(min=0, min_open=True),
                metavar="POWER",
                help="Select what gains most for its cost, which grows as the number of atoms to "
                "this power: 3 for large cells of DFT.",
            ),
        ]
    ):
        command = option(command)
    return command


def pool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for a selection before any fit."""
    for option in reversed(
        [
            click.option(
                "--pool",
                type=FILE,
                callback=existing,
                metavar="CONFIGS",
                help="Select from these before there is any potential.",
            ),
            click.option("--level", type=int, help="With --pool: level of the potential to come."),
            click.option(
                "--cutoff",
                type=click.FloatRange(min=0, min_open=True),
                help="With --pool: its cutoff, A.",
            ),
        ]
    ):
        command = option(command)
    return command


def test_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make and guard test sets."""
    for option in reversed(
        [
            several_files_option(
                "--frozen", help="Test sets; what is like one of their frames is not selected."
            ),
            click.option(
                "--difficult",
                type=FILE,
                callback=writable,
                metavar="FILE",
                help="Hold a share of the selected ones out for tests, and write it there.",
            ),
            click.option(
                "--test-fraction",
                type=click.FloatRange(min=0, max=1, max_open=True),
                default=0.2,
                show_default=True,
                help="With --difficult: the share.",
            ),
            click.option(
                "--test-split",
                type=click.Choice(["chain", "frame"]),
                default="frame",
                show_default=True,
                help="With --difficult: hold out whole chains of samplers, or single frames.",
            ),
            click.option(
                "--gentle",
                type=FILE,
                callback=writable,
                metavar="FILE",
                help="Draw candidates that need no label for tests, and write them there.",
            ),
            click.option(
                "--gentle-size",
                type=click.IntRange(min=1),
                default=20,
                show_default=True,
                help="With --gentle: how many.",
            ),
        ]
    ):
        command = option(command)
    return command
