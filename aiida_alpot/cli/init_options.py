# SPDX-License-Identifier: MIT
"""The options of ``alpot init``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aiida_alpot.cli.init_answers import BROKER_PASSWORD, DATABASE_PASSWORD
from aiida_alpot.cli.profile import PROFILE

KINDS = ("laptop", "workstation", "slurm")


class SetUp(click.ParamType):
    """One of the folders of ``profiles/``."""

    name = "kind"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the kind, or say where the name of an AiiDA profile goes."""
        if value not in KINDS:
            self.fail(
                f"'{value}' is none of {', '.join(KINDS)}. The name of AiiDA's profile is given "
                f"by --name {value}.",
                param,
                ctx,
            )
        return str(value)


def init_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all of them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--profile",
        "kind",
        type=SetUp(),
        default=KINDS[0],
        show_default=True,
        metavar="|".join(KINDS),
        help="laptop: SQLite, built-in broker, this computer. workstation: PostgreSQL and "
        "RabbitMQ. slurm: these, and a cluster with Slurm.",
    ),
    click.option(
        "-p",
        "--name",
        default=PROFILE,
        show_default=True,
        metavar="NAME",
        help="AiiDA profile to make, or to add to if it is there.",
    ),
    click.option(
        "--email", default="alpot@localhost", show_default=True, help="User of a new profile."
    ),
    click.option("--database-host", metavar="HOST", help="PostgreSQL: its computer."),
    click.option("--database-port", type=int, metavar="PORT", help="PostgreSQL: its port."),
    click.option("--database-name", metavar="NAME", help="PostgreSQL: the database."),
    click.option(
        "--database-user",
        metavar="USER",
        help=f"PostgreSQL: the user; the password is asked for or stands in {DATABASE_PASSWORD}.",
    ),
    click.option("--broker-host", metavar="HOST", help="RabbitMQ: its computer."),
    click.option("--broker-port", type=int, metavar="PORT", help="RabbitMQ: its port."),
    click.option(
        "--broker-user",
        metavar="USER",
        help=f"RabbitMQ: the account; the password is asked for or stands in {BROKER_PASSWORD}.",
    ),
    click.option("--computer", metavar="LABEL", help="Slurm: name of the cluster in AiiDA."),
    click.option(
        "--host",
        metavar="HOST",
        help="Slurm: name that ssh knows, or localhost where sbatch runs here.",
    ),
    click.option("--work-dir", metavar="FOLDER", help="Slurm: folder of the jobs on the cluster."),
    click.option("--processes", type=int, metavar="N", help="Slurm: cores of a node."),
    click.option("--queue", metavar="NAME", help="Slurm: partition of the jobs."),
    click.option("--account", metavar="NAME", help="Slurm: account of the jobs."),
    click.option(
        "--prepend-text",
        metavar="TEXT",
        default="",
        help="Slurm: shell commands before each job, such as 'module load ...'.",
    ),
    click.option(
        "--poll-interval",
        type=float,
        metavar="SECONDS",
        default=10,
        show_default=True,
        help="Slurm: time between two looks at the queue.",
    ),
    click.option("--alpot", "program", metavar="PATH", help="Slurm: alpot on the cluster."),
    click.option(
        "--code",
        "programs",
        metavar="LABEL=PATH",
        multiple=True,
        help="Slurm: another program on the cluster, such as gpaw=/path/python or "
        "vasp=/path/vasp_std. Can be repeated.",
    ),
    click.option(
        "--machines",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Slurm: write a machines file for campaigns.",
    ),
    click.option(
        "--questions/--no-questions",
        default=True,
        help="Ask for what no option says; else take defaults.",
    ),
    click.option(
        "--workers", type=int, metavar="N", help="Workers of the daemon; 1, or 2 on PostgreSQL."
    ),
    click.option("--daemon/--no-daemon", default=True, help="Start the daemon of the profile."),
    click.option(
        "--compile/--no-compile", "compile_now", default=True, help="Compile the kernels."
    ),
)
