# SPDX-License-Identifier: MIT
"""The set-up files of profiles/ and ``alpot init`` lead to profiles that label through Slurm.

Every command runs in a process of its own, with an AIIDA_PATH of its own.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path

import yaml

from .aiida_setup import SCRIPTS
from .postgres import create_database
from .set_up import reach
from .ssh import HOST

PROFILES = Path(__file__).parents[2] / "profiles"


def edited(folder, name, **changes):
    """Return a copy of a set-up file with some values changed, as its reader would edit it."""
    content = {**yaml.safe_load((PROFILES / name).read_text(encoding="utf-8")), **changes}
    path = folder / Path(name).name
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_files_of_workstation_and_slurm_are_taken_by_verdi(
    command, services, login, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("by_hand")
    database = create_database(services, "by_hand")
    broker = login[1]
    profile = edited(
        folder,
        "workstation/profile.yaml",
        database_port=database["database_port"],
        database_hostname=database["database_hostname"],
        database_name=database["database_name"],
        database_username=database["database_username"],
        database_password=database["database_password"],
        repository_uri=f"file://{folder}/files",
    )
    verdi = ("verdi", "-p", "alpot")
    command(folder, "verdi", "profile", "setup", "core.psql_dos", "-n", "--config", profile)
    rabbit = ("--broker-protocol", "amqp", "--broker-host", broker["broker_host"])
    rabbit += ("--broker-port", broker["broker_port"], "--broker-virtual-host", "")
    rabbit += ("--broker-username", broker["broker_username"], "--force")
    asked = f"{broker['broker_password']}\n"
    configure = ("verdi", "profile", "configure-broker", "core.rabbitmq", "alpot")
    command(folder, *configure, *rabbit, answers=asked)
    for kind, transport in (("local", "core.local"), ("ssh", "core.ssh_async")):
        changes = {"work_dir": str(folder / "scratch")}
        if kind == "ssh":
            changes["hostname"] = HOST
        computer = edited(folder, f"slurm/computer-{kind}.yaml", **changes)
        command(folder, *verdi, "computer", "setup", "-n", "--config", computer)
        label = yaml.safe_load(computer.read_text(encoding="utf-8"))["label"]
        changes = {"host": HOST, "safe_interval": 0} if kind == "ssh" else {}
        how = edited(folder, f"slurm/configure-{kind}.yaml", **changes)
        command(folder, *verdi, "computer", "configure", transport, label, "-n", "--config", how)
        assert "all 6 tests succeeded" in command(folder, *verdi, "computer", "test", label)
    for name in ("alpot", "gpaw", "vasp"):
        code = edited(folder, f"slurm/code-{name}.yaml", filepath_executable=str(SCRIPTS / "alpot"))
        command(folder, *verdi, "code", "create", "core.code.installed", "-n", "--config", code)
    status = command(folder, *verdi, "status")
    assert "postgresql" in status
    assert "broker:      RabbitMQ" in status
    listed = command(folder, *verdi, "code", "list")
    assert all(f"{name}@cluster" in listed for name in ("alpot", "gpaw", "vasp"))


def test_init_makes_a_profile_on_the_services_with_a_cluster(by_init, command):
    config = by_init / ".aiida" / "config.json"
    profile = json.loads(config.read_text(encoding="utf-8"))["profiles"]["alpot"]
    assert profile["storage"]["backend"] == "core.psql_dos"
    assert profile["process_control"]["backend"] == "core.rabbitmq"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    machines = yaml.safe_load((by_init / "machines.yaml").read_text(encoding="utf-8"))
    assert machines["label"]["code"] == "alpot@cluster"
    assert machines["fit"]["options"]["queue_name"] == "debug"
    listed = command(by_init, "verdi", "-p", "alpot", "code", "list")
    assert "alpot@cluster" in listed
    assert "alpot@localhost" in listed


def test_init_can_be_repeated_and_adds_a_cluster_by_ssh(by_init, command):
    again = command(
        by_init,
        *("alpot", "init", "--profile", "slurm", "--no-compile", "--computer", "over-ssh"),
        *("--host", HOST, "--processes", 2, "--poll-interval", 1, "--alpot", SCRIPTS / "alpot"),
        answers=f"{by_init / 'scratch'}\n",  # the folder of the jobs, which is asked for
    )
    assert "profile   alpot: there already" in again
    assert "over-ssh (core.ssh_async, core.slurm): made" in again
    assert "of alpot: there already" in again


def test_a_wrong_password_is_one_line_and_leaves_nothing_behind(command, login, tmp_path):
    options, passwords = reach(login)
    wrong = {**passwords, "ALPOT_DATABASE_PASSWORD": "wrong"}
    init = ("alpot", "init", "--profile", "workstation", "--no-daemon", "--no-compile", *options)
    told = command(tmp_path, *init, status=5, **wrong)
    assert told.count("\n") == 1
    assert "does not let 'profiles' into the database" in told
    assert "wrong" not in told
    wrong = {**passwords, "ALPOT_BROKER_PASSWORD": "wrong"}
    told = command(tmp_path, *init, status=5, **wrong)
    assert told.count("\n") == 1
    assert "RabbitMQ" in told
    assert "no AiiDA profile" in command(tmp_path, "alpot", "status", status=5)
