# SPDX-License-Identifier: MIT
"""Where Slurm keeps accounts, core-hours are those that ``sacct`` tells."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import submit

from aiida_alpot.workflows.accounting import costs_of_jobs

from .accounts import accounts_kept
from .daemon import wait_for
from .packages import ACCOUNTS, install_packages
from .slurm import slurm
from .test_production import label_builder

pytestmark = pytest.mark.full
FIELDS = "--format=JobID,State,CPUTimeRAW"


@pytest.fixture
def accounts(mended):
    """The folder of the services, of which Slurm keeps accounts."""
    install_packages(ACCOUNTS)
    with accounts_kept(mended):
        yield mended


def in_the_accounts(folder, number):
    """Return state and core-seconds of a job that has ended, as ``sacct`` tells them."""
    told = slurm(folder, "sacct", "--noheader", "--parsable2", FIELDS, f"--jobs={number}")
    rows = {name: (state, seconds) for name, state, seconds in map(split, told.splitlines())}
    return rows[str(number)]


def split(line):
    name, state, seconds = line.split("|")
    return name, state, int(seconds)


def test_core_hours_are_those_of_sacct(accounts, interference, copper_cells, emt_level):
    interference.before("label", "sleep 3")  # so that the job costs whole seconds
    code = orm.load_code("alpot_interfered@slurm")
    builder = label_builder(code, copper_cells, emt_level)
    builder.metadata.options.resources = {"num_machines": 1, "num_mpiprocs_per_machine": 2}
    node = submit(builder)
    wait_for(node, timeout=180)
    interference.clear()
    assert node.is_finished_ok, node.exit_message
    state, seconds = in_the_accounts(accounts, node.get_job_id())
    assert state == "COMPLETED"
    assert seconds >= 2 * 3
    [cost] = costs_of_jobs(node)
    assert (cost.source, cost.cores) == ("scheduler", 2)
    assert cost.core_seconds == pytest.approx(seconds, abs=2 * 2)  # AiiDA asks as the job ends
