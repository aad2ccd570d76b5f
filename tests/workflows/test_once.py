# SPDX-License-Identifier: MIT
"""Nothing is submitted twice, be it that a step is repeated or that two ask for the same."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import numpy as np
import psutil
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState, run_get_node, submit
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import WorkflowFactory

from aiida_alpot.configurations import concatenate
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.once import SENT, find_sent, give_up_lost

N_JOBS = 6


def stored_jobs(node):
    """Return how many jobs of a process are stored, by a query that is quick."""
    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"id": node.pk}, tag="fan")
    return query.append(orm.CalcJobNode, with_incoming="fan").count()


def moved_copper(cells, *, seed):
    """Return cells that no other test has labelled."""
    cells = concatenate([cells] * (N_JOBS // len(cells) + 1)).select(np.arange(N_JOBS))
    moved = np.random.default_rng(seed).normal(scale=0.01, size=cells.positions.shape)
    return cells.replace(positions=cells.positions + moved)


def label_builder(code, configurations, level, max_jobs):
    """Return the inputs of a WorkChain that labels with EMT, one job for each cell."""
    builder = WorkflowFactory("alpot.label.ase").get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(configurations)
    section = {
        "workchain": "ase",
        "calculator": {"name": "EMT", "settings": {}},
        "level_of_theory": level,
        "batch_size": 1,
        "max_jobs": max_jobs,
    }
    builder.settings = orm.Dict({"label": section})
    return builder


def jobs_of(node):
    """Return the jobs that a process submitted."""
    return [child for child in node.called if isinstance(child, orm.CalcJobNode)]


def kill_worker_while_it_submits(daemon, node):
    """Kill the only worker as soon as some of the jobs are stored; the daemon starts another."""
    children = psutil.Process(daemon.get_daemon_pid()).children(recursive=True)
    (worker,) = [child for child in children if child.cmdline()[-2:] == ["daemon", "worker"]]
    deadline = time.monotonic() + 60
    while stored_jobs(node) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def interrupted(python_code, unlabelled_copper, emt_level, daemon, wait_for_process):
    """A WorkChain whose worker was killed while it submitted its jobs, and how many there were."""
    configurations = moved_copper(unlabelled_copper(), seed=5)
    node = submit(label_builder(python_code, configurations, emt_level, N_JOBS))
    kill_worker_while_it_submits(daemon, node)
    n_stored = stored_jobs(node)
    wait_for_process(node)
    return node, n_stored


def test_a_step_that_was_killed_while_it_submitted_runs_no_job_twice(interrupted):
    node, n_stored = interrupted
    assert 2 <= n_stored < N_JOBS
    jobs = jobs_of(node)
    run = Counter(
        job.base.links.get_incoming(link_type=LinkType.CALL_CALC).one().link_label
        for job in jobs
        if not job.is_killed
    )
    assert len(run) == N_JOBS
    assert set(run.values()) == {1}
    # at most the one that was being submitted at that moment was given up, and never ran
    given_up = [job for job in jobs if job.is_killed]
    assert len(given_up) <= 1
    assert all("remote_folder" not in job.outputs for job in given_up)


def test_a_step_that_was_killed_while_it_submitted_ends_with_the_same_ledger(interrupted):
    node, _ = interrupted
    assert node.exit_status == 0
    entries = node.outputs.ledger["entries"]
    assert [one["status"] for one in entries] == ["labelled"] * N_JOBS
    assert {one["attempt"] for one in entries} == {1}


@pytest.fixture(scope="module")
def two_at_once(python_code, unlabelled_copper, emt_level, daemon, wait_for_process):
    """Two WorkChains that were asked for the same labels in the same second."""
    configurations = moved_copper(unlabelled_copper(), seed=6)
    nodes = [submit(label_builder(python_code, configurations, emt_level, 2)) for _ in range(2)]
    return [wait_for_process(node) for node in nodes]


def test_two_that_ask_for_the_same_labels_in_the_same_second_pay_once(two_at_once):
    jobs = [child for node in two_at_once for child in jobs_of(node)]
    assert len(jobs) == N_JOBS
    ledgers = [node.outputs.ledger["entries"] for node in two_at_once]
    assert {one["status"] for entries in ledgers for one in entries} <= {"labelled", "looked_up"}
    makers = [[one["node"] for one in entries] for entries in ledgers]
    assert makers[0] == makers[1]
    assert set(makers[0]) == {job.uuid for job in jobs}
    first, second = (node.outputs.labelled.content for node in two_at_once)
    assert first == second


@pytest.fixture(scope="module")
def labelled_meanwhile(python_code, unlabelled_copper, emt_level):
    """A WorkChain that had planned a job for each cell when somebody else labelled them."""
    configurations = moved_copper(unlabelled_copper(), seed=7).select([0, 1])
    builder = label_builder(python_code, configurations, emt_level, 1)
    planned = instantiate_process(get_manager().get_runner(), builder)
    planned.look_up_labels()
    run_get_node(label_builder(python_code, configurations, emt_level, 1))
    planned.run_jobs()
    planned.collect()
    return planned


def test_a_label_that_was_made_since_the_jobs_were_planned_is_taken(labelled_meanwhile):
    assert labelled_meanwhile.n_waiting + len(labelled_meanwhile.ctx.in_flight) == 1
    assert jobs_of(labelled_meanwhile.node) == []
    entries = labelled_meanwhile.outputs["ledger"]["entries"]
    assert [one["status"] for one in entries] == ["looked_up", "failed"]  # the second waits


@pytest.fixture
def caller(aiida_profile):
    """A WorkChain that has called nothing yet, and a way to let it call a job."""
    parent = orm.WorkChainNode().store()

    def call(link, state, *, is_sent=False):
        job = orm.CalcJobNode()
        job.base.links.add_incoming(parent, LinkType.CALL_CALC, link)
        job.set_process_state(state)
        job.store()
        if is_sent:
            job.base.extras.set(SENT, True)
        return job

    return parent, call


def test_a_child_that_the_broker_has_or_that_has_begun_is_found_by_its_name(caller):
    parent, call = caller
    queued = call("queued", "created", is_sent=True)
    begun = call("begun", "waiting")
    call("lost", "created")
    call("other", "waiting")
    found = find_sent(parent, ["queued", "begun", "lost", "unknown"])
    assert found == {"queued": queued.pk, "begun": begun.pk}
    assert find_sent(parent, []) == {}


def test_a_child_that_was_never_sent_is_marked_as_killed_once(caller):
    parent, call = caller
    lost = call("lost", "created")
    lost.base.attributes.set(orm.ProcessNode.CHECKPOINT_KEY, "state")
    give_up_lost(parent, "lost")
    give_up_lost(parent, "lost")
    lost = orm.load_node(lost.pk)
    assert lost.process_state is ProcessState.KILLED
    assert lost.is_sealed
    assert lost.checkpoint is None
    assert "its caller was killed" in lost.process_status
    assert find_sent(parent, ["lost"]) == {}
