# SPDX-License-Identifier: MIT
"""Nodes, queues and disks fail under a campaign, which ends as if nothing had happened."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from . import aiida_setup, slurm
from .campaigns import jobs_of
from .daemon import wait_for
from .processes import run

pytestmark = pytest.mark.full
SLOW = """\
sleep 42
export SECONDS_PER_FRAME=0.7 SECONDS_BETWEEN=5
exec {python} {double} sample --request request.json
"""
GREEDY = """exec {python} -c 'import time; kept = b"x" * 1_500_000_000; time.sleep(100)'"""


def test_the_node_goes_down_during_a_job(disturbed, interference, services):
    interference.hold("sample")
    with disturbed("node DOWN during a job") as node:
        interference.wait_held("sample")
        slurm.set_node_down(services)
        interference.release("sample")
        slurm.resume_node(services)
    assert len(jobs_of(node, "sample")) == 2


def test_a_job_is_preempted_and_starts_again(disturbed, interference, services):
    interference.hold("sample")
    with disturbed("preempted and requeued", options="{rerunnable: true}") as node:
        interference.wait_held("sample")
        slurm.preempt_jobs(services)
        interference.release("sample")
    assert len(jobs_of(node, "sample")) == 1


def test_a_job_is_preempted_for_good(disturbed, interference, services):
    interference.hold("sample")
    with disturbed("preempted, not requeued", options="{rerunnable: false}") as node:
        interference.wait_held("sample")
        slurm.preempt_jobs(services)
        interference.release("sample")
    assert len(jobs_of(node, "sample")) == 2


def test_jobs_run_out_of_memory(disturbed, interference, slurm_python):
    greedy = GREEDY.format(python=slurm_python.filepath_executable)
    for step in ("label", "fit"):
        interference.before(step, greedy)
    with disturbed("out of memory", options="{max_memory_kb: 900000}") as node:
        pass
    assert jobs_of(node, "label")[0].exit_status == 110
    assert jobs_of(node, "fit")[0].exit_status == 110


def test_a_job_runs_out_of_time(disturbed, interference):
    interference.before("label", "sleep 300")
    with disturbed("out of time", options="{max_wallclock_seconds: 60}") as node:
        pass
    first, second, *_ = jobs_of(node, "label")
    assert (first.exit_status, second.exit_status) == (120, 0)
    assert second.get_option("max_wallclock_seconds") == 120


def test_sampling_that_slurm_ends_goes_on_from_its_checkpoint(
    disturbed, interference, slurm_python, services
):
    # it begins so late that Slurm's wall time is over before its own, and takes 85 s. What Slurm
    # ends is killed with its shell at once, so that the checkpoint is the last one before
    double = Path(__file__).parents[1] / "doubles" / "slow_sampling.py"
    python = slurm_python.filepath_executable
    interference.before("sample", SLOW.format(python=python, double=double))
    with disturbed("sampling ended by TIMEOUT", options="{max_wallclock_seconds: 60}") as node:
        pass
    first, second = jobs_of(node, "sample")
    ended = {job["JobId"]: job["JobState"] for job in slurm.completed_jobs(services)}
    assert ended[first.get_job_id()] == "TIMEOUT"
    assert first.exit_status != 0
    assert second.inputs.checkpoint.uuid == first.outputs.checkpoint.uuid
    assert second.is_finished_ok


@pytest.fixture
def small_disk(production_profile, interference, tmp_path):
    """A folder of 16 MB, in which the jobs of the computer small-disk run."""
    folder = tmp_path / "disk"
    folder.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder])
    computer = aiida_setup.make_slurm_computer("small-disk", folder)
    aiida_setup.make_code(computer, "alpot_interfered", interference.program)
    yield folder
    run(["umount", "--lazy", folder])


def fill(file):
    """Write a file until the disk is full."""
    with file.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            return


def test_the_disk_of_the_cluster_is_full_for_a_while(disturbed, interference, small_disk):
    interference.hold("sample")
    with disturbed("disk full", code="alpot_interfered@small-disk") as node:
        interference.wait_held("sample")
        fill(small_disk / "filler")
        interference.release("sample")
        wait_for(node, condition=lambda node: len(jobs_of(node, "sample")) == 2)
        time.sleep(5)  # so that files cannot be sent either
        (small_disk / "filler").unlink()
    assert jobs_of(node, "sample")[0].exit_status == 301
