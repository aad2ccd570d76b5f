# SPDX-License-Identifier: MIT
"""``alpot init``: what campaigns need on this computer or a cluster, in a step to be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.init_options import init_options
from aiida_alpot.errors import SettingError

if TYPE_CHECKING:
    from aiida_alpot.cli.installation import Cluster
    from aiida_alpot.cli.questions import Questions


@click.command("init")
@init_options
def command(kind: str, name: str, email: str, **given: Any) -> None:
    """Set up a profile, its computers and codes, and the daemon.

    Without options that is SQLite, the built-in broker and this computer. What is there already is
    left as it is; other profiles are never touched. The files behind each kind stand in profiles/.
    """
    from aiida_alpot.cli import init_answers, installation
    from aiida_alpot.cli.questions import Questions

    installation.find_own_verdi()
    questions = Questions(asks=given["questions"])
    if given["machines"] is not None and given["machines"].exists():
        raise SettingError(f"{given['machines']} is there already; name another file.")
    programs = dict(init_answers.label_and_path(one) for one in given["programs"])
    database = broker = cluster = None
    if kind != "laptop" and not init_answers.is_known(name):
        database = init_answers.database_of(questions, given)
        broker = init_answers.broker_of(questions, given)
    if kind == "slurm":
        cluster = init_answers.cluster_of(questions, given)
    opened, made = installation.ensure_profile(name, email=email, database=database, broker=broker)
    _tell("profile", opened.name, made)
    _make_local_codes()
    if cluster is not None:
        _make_cluster(cluster, questions, given["program"], programs)
        if given["machines"] is not None:
            _write_machines(given, cluster, questions, programs)
    if given["compile_now"]:
        _compile_kernels()
    if given["daemon"]:
        workers = given["workers"] or (1 if opened.storage_backend == "core.sqlite_dos" else 2)
        started = installation.start_daemon(opened, workers=workers)
        _tell("daemon", f"of {opened.name}", started, "started")


def _compile_kernels() -> None:
    from aiida_alpot.jobs.warm_up import compile_kernels

    click.echo("kernels   compiling ...")
    click.echo(f"kernels   ready after {compile_kernels():.1f} s")


def _make_local_codes() -> None:
    from aiida_alpot.cli import installation

    computer, made = installation.ensure_computer()
    _tell("computer", computer.label, made)
    _tell_code(*installation.ensure_alpot_code(computer))
    gpaw = installation.ensure_gpaw_code(computer)
    if gpaw is None:
        click.echo("code      gpaw: no Python with GPAW here (Debian: apt-get install gpaw)")
    else:
        _tell_code(*gpaw)


def _make_cluster(
    cluster: Cluster, questions: Questions, program: str | None, programs: dict[str, str]
) -> None:
    from aiida_alpot.cli import installation

    default = installation.alpot_here() if cluster.is_here else None
    path = questions.answer(program, "--alpot", "Path of alpot on the cluster", default=default)
    computer, made = installation.ensure_cluster(cluster)
    _tell("computer", f"{computer.label} ({computer.transport_type}, core.slurm)", made)
    _tell_code(*installation.ensure_alpot_code(computer, path))
    for label, other in programs.items():
        _tell_code(*installation.ensure_code(label, computer, other))


def _write_machines(
    given: dict[str, Any], cluster: Cluster, questions: Questions, programs: dict[str, str]
) -> None:
    from aiida_alpot.campaign.machines import cluster_machines
    from aiida_alpot.whole_files import write_text

    path: Path = given["machines"]
    ask = questions.answer
    text = cluster_machines(
        cluster.label,
        processes=cluster.processes,
        queue=ask(given["queue"], "--queue", "Cluster: partition, or nothing", default=""),
        account=ask(given["account"], "--account", "Cluster: account, or nothing", default=""),
        label_code=next(iter(programs), None),
    )
    write_text(path, text)
    _tell("machines", str(path), True, "written")


def _tell_code(code: Any, made: bool) -> None:
    _tell("code", f"{code.full_label} ({code.get_executable()})", made)


def _tell(what: str, name: str, made: bool, verb: str = "made") -> None:
    click.echo(f"{what:9} {name}: {verb if made else 'there already'}")
