# SPDX-License-Identifier: MIT
"""``alpot doctor`` finds what is wrong on a production set-up, and names the remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from . import postgres, rabbitmq, ssh
from .aiida_setup import SCRIPTS, reconnect
from .everything import start_services

NOBODY = 65534
REPOSITORY = Path(__file__).parents[2]
CAMPAIGN = """\
name: copper
species: [Cu]
start:
  training: [{crystal: fcc, a: 3.6, cubic: true, rattle: 0.03, copies: 2}]
  structures: {small: {crystal: fcc, a: 3.61}, bulk: {crystal: fcc, a: 3.6, cubic: true}}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}
label: {calculator: EMT}
budget: {labels: 20}
"""
POTCAR = (REPOSITORY / "tests/doubles/vasp/potcar.txt").read_text(encoding="utf-8")


@pytest.fixture
def home(by_init, services):
    """The AIIDA_PATH; what a test stops runs again after it."""
    yield by_init
    start_services(services)
    reconnect()  # the test's own connection to PostgreSQL, where one was open


def findings(told):
    """Return what was found, and the remedy where it failed, by name and in order."""
    found, name = {}, ""
    for line in told.splitlines():
        if line.startswith(("ok   ", "FAIL ")):
            name, _, detail = line[5:].partition(": ")
            found[name] = (line.startswith("ok"), detail)
        elif line.startswith("     remedy: "):
            assert not found[name][0]
            found[name] = (*found[name], line.partition(": ")[2])
    return found


def test_all_is_well_on_a_cluster(home, command):
    told = command(home, "alpot", "doctor", "--machines", home / "machines.yaml")
    found = findings(told)
    assert list(found) == [
        "profile",
        "storage",
        "broker",
        "daemon",
        "computer cluster",
        "code alpot@cluster",
        "labels of alpot@cluster",
        "kernels on a node of cluster",
        "kernels",
    ]
    assert "'true' ran" in found["computer cluster"][1]
    assert "core.rabbitmq at 127.0.0.1" in found["broker"][1]
    assert "kept in" in found["kernels on a node of cluster"][1]
    assert "All is well." in told


def test_a_label_of_the_doctor_is_not_paid_for_again(home, command, tmp_path):
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(CAMPAIGN, encoding="utf-8")
    doctor = ("alpot", "doctor", "--campaign", campaign, "--machines", home / "machines.yaml")
    assert findings(command(home, *doctor))["labels of copper"][0]
    processes = ("verdi", "-p", "alpot", "process", "list", "--all", "--raw")
    processes += ("--project", "process_label")
    first = command(home, *processes).count("Label")
    assert findings(command(home, *doctor))["labels of copper"][0]
    added = command(home, *processes).count("Label") - first
    assert added == 2  # a job that tries the code alpot, and a WorkChain that needed no job


def test_a_queue_that_is_not_there_is_found_by_a_job(home, command, tmp_path):
    machines = yaml.safe_load((home / "machines.yaml").read_text(encoding="utf-8"))
    for role in machines.values():
        role["options"]["queue_name"] = "missing"
    path = tmp_path / "machines.yaml"
    path.write_text(yaml.safe_dump(machines), encoding="utf-8")
    found = findings(command(home, "alpot", "doctor", "--machines", path, status=5))
    passed, detail, remedy = found["computer cluster"]
    assert not passed
    assert "invalid partition" in detail
    assert "--machines FILE" in remedy
    assert "code alpot@cluster" not in found  # it depends on the computer


@pytest.mark.parametrize("service", ["broker", "storage", "ssh"])
def test_a_service_that_is_down_is_named_with_its_remedy(home, command, services, service):
    if service == "ssh":
        init = ("alpot", "init", "--profile", "slurm", "--computer", "by-ssh", "--host", ssh.HOST)
        options = ("--work-dir", home / "scratch", "--no-compile", "--no-questions")
        command(home, *init, *options, "--alpot", SCRIPTS / "alpot")
        ssh.stop_sshd(services)
        name, remedy = "computer by-ssh", f"'ssh {ssh.HOST} true' must ask for nothing"
    elif service == "broker":
        rabbitmq.stop_rabbitmq(services)
        name, remedy = "broker", "start RabbitMQ at 127.0.0.1"
    else:
        postgres.stop_postgres(services)
        name, remedy = "storage", "start PostgreSQL at 127.0.0.1"
    found = findings(command(home, "alpot", "doctor", "--no-jobs", status=5))
    assert not found[name][0]
    assert found[name][2].startswith(remedy)
    assert found["profile"][0]


def test_a_daemon_with_older_code_is_found(home, command):
    source = REPOSITORY / "aiida_alpot" / "workflows" / "campaign.py"
    before = source.stat()
    os.utime(source)
    try:
        found = findings(command(home, "alpot", "doctor", "--no-jobs", status=5))
    finally:
        os.utime(source, (before.st_atime, before.st_mtime))
    assert "before workflows/campaign.py was changed" in found["daemon"][1]
    assert found["daemon"][2] == "verdi -p alpot daemon restart"


@pytest.mark.full
def test_a_node_that_cannot_keep_kernels_is_found(home, command, tmp_path):
    taken = Path(f"/tmp/aiida-alpot-{NOBODY}")  # a folder of somebody else, which is not trusted
    taken.mkdir(exist_ok=True)
    wrapper = tmp_path / "alpot"
    variables = "HOME=/nowhere XDG_CACHE_HOME=/nowhere TMPDIR=/tmp"
    unset = "env -u ALPOT_CACHE_DIR -u NUMBA_CACHE_DIR"
    wrapper.write_text(
        f"#!/bin/sh\nexec {unset} {variables} setpriv --reuid {NOBODY} --clear-groups "
        f'{SCRIPTS / "alpot"} "$@"\n',
        encoding="utf-8",
    )
    wrapper.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o011)
    create = ("verdi", "-p", "alpot", "code", "create", "core.code.installed", "-n")
    where = ("--computer", "cluster", "--filepath-executable", wrapper)
    command(home, *create, "--label", "alpot-nobody", *where)
    machines = tmp_path / "machines.yaml"
    machines.write_text("fit: {code: alpot-nobody@cluster}\n", encoding="utf-8")
    try:
        told = command(home, "alpot", "doctor", "--machines", machines, status=5)
    finally:
        taken.rmdir()
    passed, detail, remedy = findings(told)["kernels on a node of cluster"]
    assert not passed
    assert "each job compiles anew" in detail
    assert "ALPOT_CACHE_DIR" in remedy


@pytest.mark.full
def test_potcar_files_that_are_missing_are_named_and_uploaded_as_the_remedy_says(
    home, command, tmp_path
):
    doctor = ("alpot", "doctor", "--no-jobs", "--potcars", "PBE.test", "--species", "Cu")
    found = findings(command(home, *doctor, status=5))
    remedy = found["POTCAR family PBE.test"][2]
    assert remedy.startswith("aiida-vasp potcar uploadfamily --path FOLDER --name PBE.test")
    (tmp_path / "potcars" / "Cu").mkdir(parents=True)
    (tmp_path / "potcars" / "Cu" / "POTCAR").write_text(
        POTCAR.format(symbol="Cu"), encoding="utf-8"
    )
    upload = ("aiida-vasp", "-p", "alpot", "potcar", "uploadfamily", "--path", tmp_path / "potcars")
    command(home, *upload, "--name", "PBE.test", "--description", "of a test")
    assert findings(command(home, *doctor))["POTCAR family PBE.test"][0]
    found = findings(command(home, *doctor, "Zr", status=5))
    assert "Zr" in found["POTCAR family PBE.test"][1]
