# SPDX-License-Identifier: MIT
"""A batch with configurations that take down their job: only those are lost, and tried alone."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_alpot.data import ConfigurationsData


@pytest.fixture
def crashing_code(accident_code, tmp_path):
    """A code that labels, but dies as it is told."""
    return lambda crash_at: accident_code(tmp_path, crash_at)


@pytest.fixture
def label(copper_cells, emt_level, crashing_code, request):
    """Label four cells that no other test has."""
    shift = 0.001 * (1 + sum(map(ord, request.node.name)))

    def run(crash_at, **settings):
        cells = copper_cells.replace(positions=copper_cells.positions + shift)
        builder = WorkflowFactory("alpot.label.ase").get_builder()
        builder.code = crashing_code(crash_at)
        builder.configurations = ConfigurationsData.from_configurations(cells)
        section = {
            "workchain": "ase",
            "calculator": {"name": "EMT", "settings": {}},
            "level_of_theory": emt_level,
            "min_success": 0.25,
        }
        builder.settings = orm.Dict({"label": {**section, **settings}})
        return run_get_node(builder).node

    return run


def entries(node):
    found = node.outputs.ledger.get_dict()["entries"]
    return {entry["identifier"]: entry for entry in found}


def jobs(node):
    found = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    return sorted(found, key=lambda job: job.pk)


def sizes(node):
    return [len(job.inputs.settings.get_dict()["indices"]) for job in jobs(node)]


def test_a_crash_costs_one_more_job_for_the_rest_and_one_for_itself(label, copper_cells):
    node = label("cell_1:segfault")
    assert node.exit_status == 0
    assert sizes(node) == [4, 1, 2]
    first = jobs(node)[0]
    assert first.exit_status == 401
    assert "while it labelled cell_1" in first.exit_message
    assert not first.base.caching.is_valid_cache
    assert first.outputs.labelled.n_labelled == 1
    found = entries(node)
    assert [found[name]["status"] for name in sorted(found)] == [
        "labelled",
        "failed",
        "labelled",
        "labelled",
    ]
    assert found["cell_0"]["node"] == first.uuid
    assert (found["cell_1"]["cause"], found["cell_1"]["attempts"]) == ("crashed", 2)
    assert (found["cell_1"]["recipe"], found["cell_1"]["node"]) == ("alone", jobs(node)[1].uuid)
    assert "cell_1" in found["cell_1"]["reason"]
    assert found["cell_2"]["node"] == jobs(node)[2].uuid
    labelled = node.outputs.labelled.get_configurations()
    assert labelled.identifier.tolist() == ["cell_0", "cell_2", "cell_3"]
    assert np.isfinite(labelled.energy).all()


def test_one_that_crashes_once_is_labelled_alone(label):
    node = label("cell_2:exit*1")
    assert node.exit_status == 0
    assert {entry["status"] for entry in entries(node).values()} == {"labelled"}
    assert sizes(node) == [4, 1, 1]


def test_several_crashes_in_a_batch_use_up_no_attempt_of_the_others(label):
    node = label("cell_1:kill cell_2:abort", max_attempts=1)
    found = entries(node)
    assert [found[f"cell_{n}"]["status"] for n in range(4)] == [
        "labelled",
        "failed",
        "failed",
        "labelled",
    ]
    assert sizes(node) == [4, 2, 1]
    assert {found[name]["cause"] for name in ("cell_1", "cell_2")} == {"crashed"}


def test_a_code_that_always_crashes_is_given_up_after_its_attempts(label):
    node = label(" ".join(f"cell_{n}:segfault" for n in range(4)))
    assert node.exit_status == 301
    assert {entry["status"] for entry in entries(node).values()} == {"failed"}
    assert sizes(node) == [4, 1, 3]
    causes = [entries(node)[f"cell_{n}"]["cause"] for n in range(4)]
    assert causes == ["crashed", "crashed", "lost", "lost"]
