# SPDX-License-Identifier: MIT
"""A turn closes at its deadline; what comes late joins the next and is paid for once."""

from __future__ import annotations

import time
from datetime import timedelta

import numpy as np
import pytest
from aiida import orm
from aiida.engine import submit
from aiida.manage import get_manager
from aiida.plugins import WorkflowFactory

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.label.adoption import find_jobs_at_work, mark_job
from aiida_alpot.workflows.label.deadline import join_outstanding
from aiida_alpot.workflows.records import count_entries, count_spent

SECONDS = 15.0


@pytest.fixture(scope="module")
def slow_code(accident_code, tmp_path_factory):
    """Return a code that waits at certain cells until a file is there, and the file."""

    def make(accidents):
        folder = tmp_path_factory.mktemp("slow")
        return accident_code(folder, accidents), folder / "go_on"

    return make


@pytest.fixture(scope="module")
def builder_for(emt_level):
    """Return the inputs of a WorkChain that labels a batch for each cell."""

    def make(code, configurations, *, turn, outstanding=None, **settings):
        builder = WorkflowFactory("alpot.label.ase").get_builder()
        builder.code = code
        builder.configurations = (
            configurations
            if isinstance(configurations, ConfigurationsData)
            else ConfigurationsData.from_configurations(configurations)
        )
        if outstanding is not None:
            builder.outstanding = outstanding
        section = {
            "workchain": "ase",
            "calculator": {"name": "EMT", "settings": {}},
            "level_of_theory": emt_level,
            "batch_size": 1,
        }
        builder.settings = orm.Dict({"label": {**section, **settings}})
        builder.turn = orm.Int(turn)
        return builder

    return make


def moved(cells, shift, indices):
    return cells.replace(positions=cells.positions + shift).select(indices)


def entries(node):
    return {one["identifier"]: one for one in node.outputs.ledger["entries"]}


def jobs(node):
    found = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    return sorted(found, key=lambda job: job.pk)


def is_labelled(node):
    return any("labelled" in job.outputs for job in jobs(node))


@pytest.fixture(scope="module")
def closed(slow_code, builder_for, copper_cells, run_in_daemon):
    """A turn of three cells that closed while one of them was at work, and what lets it go on."""
    code, go_on = slow_code("cell_1:slow")
    cells = moved(copper_cells, 0.0371, [0, 2, 1])  # the slow one has a job of its own
    hours = SECONDS / 3600.0
    builder = builder_for(code, cells, turn=1, turn_deadline_hours=hours, batch_size=2)
    started = time.monotonic()
    node = run_in_daemon(builder)
    assert time.monotonic() - started > SECONDS
    return node, go_on, cells


@pytest.fixture(scope="module")
def following(closed, builder_for, copper_cells, daemon, wait_for_process):
    """The next turn, which asks for another cell and for the outstanding one."""
    node, go_on, _ = closed
    fresh = ConfigurationsData.from_configurations(moved(copper_cells, 0.0371, [3]))
    late = node.outputs.outstanding
    asked = join_outstanding(late, fresh)
    second = submit(builder_for(node.inputs.code, asked, turn=2, outstanding=late))
    wait_for_process(second, condition=is_labelled)
    at_work = not jobs(node)[1].is_terminated
    go_on.touch()
    wait_for_process(second)
    assert at_work
    return second


def test_a_turn_closes_with_the_labels_that_are_there(closed):
    node, _, _ = closed
    assert node.exit_status == 0
    labelled = node.outputs.labelled.get_configurations()
    assert labelled.identifier.tolist() == ["cell_0", "cell_2"]
    found = entries(node)
    assert [found[f"cell_{n}"]["status"] for n in range(3)] == ["labelled", "late", "labelled"]
    assert found["cell_1"]["node"] == jobs(node)[1].uuid
    assert "still at work" in found["cell_1"]["reason"]
    assert not found["cell_1"].get("quarantined")


def test_jobs_at_work_are_left_alone_and_their_cells_are_outstanding(closed, following):
    node, _, cells = closed
    outstanding = node.outputs.outstanding.get_configurations()
    assert outstanding.hashes() == [cells.hashes()[2]]
    assert node.outputs.outstanding.n_labelled == 0
    assert jobs(node)[1].exit_status == 0


def test_late_labels_join_the_next_turn_and_are_not_paid_for_again(closed, following):
    node, _, cells = closed
    assert following.exit_status == 0
    assert [one.inputs.settings["indices"] for one in jobs(following)] == [[0]]
    found = entries(following)
    assert (found["cell_1"]["status"], found["cell_1"]["late_from"]) == ("labelled", -1)
    assert found["cell_1"]["node"] == jobs(node)[1].uuid
    labelled = following.outputs.labelled.get_configurations()
    assert labelled.hashes()[1] == cells.hashes()[2]
    assert np.isfinite(labelled.energy).all()


def test_a_late_label_counts_once(closed, following):
    first = list(entries(closed[0]).values())
    second = list(entries(following).values())
    assert (count_spent(first), count_spent(second)) == (3, 1)
    assert count_entries(first)["n_late"] == 1


def test_a_late_label_that_is_there_is_found(closed, following, builder_for, run_in_daemon):
    node, _, _ = closed
    late = node.outputs.outstanding
    third = run_in_daemon(builder_for(node.inputs.code, late, turn=3, outstanding=late))
    assert jobs(third) == []
    assert entries(third)["cell_1"]["status"] == "looked_up"


@pytest.fixture(scope="module")
def restarted(slow_code, builder_for, copper_cells, daemon, wait_for_process):
    """A turn whose deadline passes while no daemon runs; its slow cell crashes once, afterwards."""
    code, go_on = slow_code("cell_1:slow cell_1:segfault*2")
    cells = moved(copper_cells, 0.0497, [0, 1])
    node = submit(builder_for(code, cells, turn=1, turn_deadline_hours=2.0))
    wait_for_process(node, condition=is_labelled)
    daemon.stop_daemon(wait=True)
    try:
        assert not node.is_terminated
        make_older(node, hours=3.0)
    finally:
        daemon.start_daemon(number_workers=1)
    wait_for_process(node)
    go_on.touch()
    wait_for_process(jobs(node)[1])
    return node


def make_older(node, *, hours):
    """Let a process have begun earlier, as if that much time had passed since."""
    storage = get_manager().get_profile_storage()
    with storage.transaction() as session:
        node.backend_entity.bare_model.ctime = node.ctime - timedelta(hours=hours)
        session.add(node.backend_entity.bare_model)


def test_a_deadline_outlives_a_restart_of_the_daemon(restarted):
    assert restarted.exit_status == 0
    assert [one["status"] for one in entries(restarted).values()] == ["labelled", "late"]


def test_a_late_job_that_failed_is_read_and_tried_again_by_the_next_turn(
    restarted, builder_for, run_in_daemon
):
    assert jobs(restarted)[1].exit_status == 301
    late = restarted.outputs.outstanding
    node = run_in_daemon(builder_for(restarted.inputs.code, late, turn=2, outstanding=late))
    (entry,) = entries(node).values()
    assert (entry["status"], entry["attempt"], entry["recipe"]) == ("labelled", 2, "alone")
    assert [job.uuid for job in jobs(node)] == [entry["node"]]


def test_the_first_sets_never_close(slow_code, builder_for, copper_cells, run_in_daemon):
    code, _ = slow_code("")
    cells = moved(copper_cells, 0.0611, [0])
    node = run_in_daemon(builder_for(code, cells, turn=0, turn_deadline_hours=1e-9))
    assert node.outputs.labelled.n_labelled == 1


def test_without_a_label_a_turn_waits_for_the_first(
    slow_code, builder_for, copper_cells, run_in_daemon
):
    code, _ = slow_code("")
    cells = moved(copper_cells, 0.0613, [0])
    node = run_in_daemon(builder_for(code, cells, turn=1, turn_deadline_hours=1e-9))
    assert [one["status"] for one in entries(node).values()] == ["labelled"]


def test_only_jobs_of_the_same_level_that_are_at_work_are_taken_over(aiida_profile):
    def job(hashes, level, state):
        node = orm.CalcJobNode()
        node.set_process_state(state)
        node.store()
        mark_job(node, level, hashes, {"attempt": 2, "job": {"indices": [5], "recipe": "again"}})
        return node

    running = job(["x1", "x2"], "L", "waiting")
    newest = job(["x2"], "L", "waiting")
    job(["x1", "x3"], "other", "waiting")
    job(["x1", "x3"], "L", "finished")
    found = find_jobs_at_work(["x1", "x2", "x3", "x4"], [0, 1, 2], "L")
    assert [(one["pk"], one["job"]["indices"]) for one in found] == [
        (newest.pk, [1]),
        (running.pk, [0]),
    ]
    assert {one["attempt"] for one in found} == {2}
    assert {one["job"]["recipe"] for one in found} == {"again"}
    assert find_jobs_at_work(["x1"], [], "L") == []
