# SPDX-License-Identifier: MIT
"""Many jobs at a time: a slow one holds up none of the others, also when the worker was killed."""

from __future__ import annotations

import os
import signal

import numpy as np
import psutil
import pytest
from aiida import orm
from aiida.engine import submit
from aiida.plugins import WorkflowFactory

from aiida_alpot.configurations import concatenate
from aiida_alpot.data import ConfigurationsData


@pytest.fixture(scope="module")
def slow_at_first(accident_code, tmp_path_factory):
    """A code that waits at the first cell until a file is there, and the file."""
    folder = tmp_path_factory.mktemp("slow_at_first")
    return accident_code(folder, "first:slow"), folder / "go_on"


def label_builder(code, configurations, level, **settings):
    builder = WorkflowFactory("alpot.label.ase").get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(configurations)
    calculator = {"name": "EMT", "settings": {}}
    section = {"workchain": "ase", "calculator": calculator, "level_of_theory": level}
    builder.settings = orm.Dict({"label": {**section, "batch_size": 1, **settings}})
    return builder


def jobs(node):
    found = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    return sorted(found, key=lambda job: job.pk)


def n_ended(node):
    return sum(job.is_finished_ok for job in jobs(node))


def kill_worker(daemon):
    """Kill the only worker at once; the daemon starts another one."""
    children = psutil.Process(daemon.get_daemon_pid()).children(recursive=True)
    (worker,) = [child for child in children if child.cmdline()[-2:] == ["daemon", "worker"]]
    os.kill(worker.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def held_up(slow_at_first, unlabelled_copper, emt_level, daemon, wait_for_process):
    """Six cells, two jobs at a time, of which the first waits; the worker is killed half-way."""
    code, go_on = slow_at_first
    cells = concatenate([unlabelled_copper(), unlabelled_copper().select([0, 1])])
    names = np.array(["first", "second", "third", "fourth", "fifth", "sixth"])
    builder = label_builder(code, cells.replace(identifier=names), emt_level, max_jobs=2)
    node = submit(builder)
    wait_for_process(node, condition=lambda node: n_ended(node) >= 2)
    kill_worker(daemon)
    wait_for_process(node, condition=lambda node: n_ended(node) == 5)
    at_work = [job for job in jobs(node) if not job.is_terminated]
    go_on.touch()
    wait_for_process(node)
    return node, at_work


def test_a_slow_job_holds_up_none_of_the_others(held_up):
    _, at_work = held_up
    assert [job.label.split()[-1] for job in at_work] == ["batch_000"]


def test_a_worker_that_was_killed_between_costs_no_job_and_no_label(held_up):
    node, _ = held_up
    assert node.exit_status == 0
    assert [one["status"] for one in node.outputs.ledger["entries"]] == ["labelled"] * 6
    assert {one["attempt"] for one in node.outputs.ledger["entries"]} == {1}
    assert len(jobs(node)) == 6


def test_no_more_jobs_are_in_flight_than_allowed(held_up):
    node, _ = held_up
    begun = [(job.ctime, 1) for job in jobs(node)]
    ended = [(job.mtime, -1) for job in jobs(node)]
    in_flight = np.cumsum([change for _, change in sorted(begun + ended)])
    assert in_flight.max() == 2
