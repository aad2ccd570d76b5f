# SPDX-License-Identifier: MIT
"""The set-up files that are not only for ``verdi``: each is told of, and campaigns take them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aiida_alpot.campaign.machines import cluster_machines, load_machines
from aiida_alpot.cli.init_options import KINDS

PROFILES = Path(__file__).parents[2] / "profiles"


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_of_each_set_up_names_its_files(kind):
    readme = (PROFILES / kind / "README.md").read_text(encoding="utf-8")
    for path in (PROFILES / kind).iterdir():
        assert path.name in readme or path.name == "README.md"
    assert f"[{kind}]" in (PROFILES / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_no_password_stands_in_a_file(kind):
    for path in (PROFILES / kind).glob("*.yaml"):
        assert not re.search("(?i)password", path.read_text(encoding="utf-8")), path


def test_the_machines_file_of_a_cluster_gives_resources_by_size():
    machines = load_machines(PROFILES / "slurm" / "machines.yaml")
    limits = [one.up_to for one in machines.label.sizes]
    assert limits == [64, 1000, None]
    nodes = [one.resources["num_machines"] for one in machines.label.sizes]
    assert nodes == [1, 1, 4]
    assert machines.label.max_submitted == 50


def test_a_machines_file_that_init_writes_is_taken(tmp_path):
    path = tmp_path / "machines.yaml"
    text = cluster_machines("hpc", processes=8, queue="normal", account="me", label_code="vasp")
    path.write_text(text, encoding="utf-8")
    machines = load_machines(path)
    assert (machines.fit.code, machines.fit.threads) == ("alpot@hpc", 8)
    assert machines.fit.resources["num_cores_per_mpiproc"] == 8
    assert machines.label.code == "vasp@hpc"
    assert machines.label.resources["num_mpiprocs_per_machine"] == 8
    assert machines.sample.options["queue_name"] == "normal"
    assert machines.sample.options["account"] == "me"


def test_without_a_queue_none_is_asked_for(tmp_path):
    path = tmp_path / "machines.yaml"
    path.write_text(cluster_machines("hpc", processes=1), encoding="utf-8")
    options = load_machines(path).label.options
    assert "queue_name" not in options
    assert "account" not in options
