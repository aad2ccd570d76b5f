# SPDX-License-Identifier: MIT
"""Jobs that share an allocation through HyperQueue: its resources pass through all that we do."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run
from aiida.plugins import SchedulerFactory

from aiida_alpot.calculations import LabelCalculation
from aiida_alpot.campaign.machines import job_options, load_machines
from aiida_alpot.cli.checkup.plan import short_options
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.job_costs import cores_of_resources
from aiida_alpot.workflows.label.sizes import cores_of

MACHINES = """\
label:
  resources: {num_cpus: 4, memory_mb: 2000}
  options: {max_wallclock_seconds: 600}
"""


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Options of a label job as a machines file gives them."""
    path = tmp_path_factory.mktemp("machines") / "machines.yaml"
    path.write_text(MACHINES, encoding="utf-8")
    return job_options(load_machines(path).label)


def test_cores_are_counted_as_the_scheduler_counts_them(options):
    resources = SchedulerFactory("hyperqueue").create_job_resource(**options["resources"])
    assert resources.get_tot_num_mpiprocs() == 4
    assert cores_of_resources(options["resources"]) == 4
    assert cores_of(options["resources"]) == (4, 4)
    assert short_options(options)["resources"] == options["resources"]


@pytest.fixture
def code_in_pool(aiida_profile, tmp_path, monkeypatch):
    """A code on a computer whose scheduler is HyperQueue; what would be sent is written here."""
    monkeypatch.chdir(tmp_path)
    pool = orm.Computer(
        label="pool",
        hostname="localhost",
        workdir=str(tmp_path / "scratch"),
        transport_type="core.local",
        scheduler_type="hyperqueue",
    ).store()
    pool.configure(safe_interval=0)
    code = orm.InstalledCode(label="alpot", computer=pool, filepath_executable="/usr/bin/alpot")
    return code.store()


def test_a_label_job_asks_for_them_in_its_script(
    options, code_in_pool, unlabelled_copper, emt_level, tmp_path
):
    builder = LabelCalculation.get_builder()
    builder.code = code_in_pool
    builder.configurations = ConfigurationsData.from_configurations(unlabelled_copper())
    calculator = {"name": "EMT", "settings": {}}
    builder.settings = orm.Dict({"calculator": calculator, "level_of_theory": emt_level})
    builder.metadata.options = options
    builder.metadata.dry_run = True
    builder.metadata.store_provenance = False
    run(builder)
    (script,) = (tmp_path / "submit_test").glob("*/_aiidasubmit.sh")
    lines = script.read_text(encoding="utf-8").splitlines()
    assert {"#HQ --cpus=4", "#HQ --resource mem=2000", "#HQ --time-limit=600s"} <= set(lines)
