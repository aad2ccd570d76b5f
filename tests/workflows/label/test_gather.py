# SPDX-License-Identifier: MIT
"""Labels of many jobs are gathered in a tree, in which each keeps the job that made it."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.reports.provenance import ledger_entries_by_key
from aiida_alpot.workflows.label import bookkeeping, gather

TOLD_OF_TRIES = ("node", "seconds", "core_seconds")


@pytest.fixture
def label(python_code, emt_level):
    def run(configurations, **settings):
        builder = WorkflowFactory("alpot.label.ase").get_builder()
        builder.code = python_code
        builder.configurations = ConfigurationsData.from_configurations(configurations)
        calculator = {"name": "EMT", "settings": {}}
        section = {"workchain": "ase", "calculator": calculator, "level_of_theory": emt_level}
        builder.settings = orm.Dict({"label": {**section, "batch_size": 1, **settings}})
        return run_get_node(builder).node

    return run


@pytest.fixture
def small_tree(monkeypatch):
    """Trees of which each node gathers one or two others."""
    monkeypatch.setattr(bookkeeping, "MOST_JOBS", 1)
    monkeypatch.setattr(gather, "MOST_JOBS", 2)
    monkeypatch.setattr(gather, "MOST_SETS", 1)


def entries(node):
    return node.outputs.ledger.get_dict()["entries"]


def told(node):
    return [
        {key: value for key, value in entry.items() if key not in TOLD_OF_TRIES}
        for entry in entries(node)
    ]


def gatherings(node):
    return [one for one in node.called if one.process_label == "gather_labels"]


def with_iron(configurations):
    """Make the second of four cells one that EMT does not know."""
    numbers = configurations.numbers.copy()
    numbers[configurations.atoms_slice(1)] = 26
    return configurations.replace(numbers=numbers)


@pytest.fixture
def cells(unlabelled_copper):
    return with_iron(unlabelled_copper())


def test_the_tree_changes_neither_labels_nor_ledger(label, cells, small_tree):
    node = label(cells, look_up=False, min_success=0.5)
    assert node.exit_status == 0, node.exit_message
    # one for each of four jobs, and two that gather two of them each
    assert len(gatherings(node)) == 6
    with pytest.MonkeyPatch.context() as plain:
        plain.setattr(bookkeeping, "MOST_JOBS", 25)
        plain.setattr(gather, "MOST_JOBS", 25)
        flat = label(cells, look_up=False, min_success=0.5)
    assert gatherings(flat) == []
    assert told(node) == told(flat)
    assert node.outputs.labelled.content == flat.outputs.labelled.content


def test_every_label_is_traced_to_its_job_through_the_tree(label, cells, small_tree):
    node = label(cells, look_up=False, min_success=0.5)
    jobs = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    by_key = ledger_entries_by_key(node.outputs.labelled)
    made = {job.outputs.labelled.label_hashes[0]: job.uuid for job in jobs if job.is_finished_ok}
    assert {key: entry["node"] for key, entry in by_key.items()} == made
    query = orm.QueryBuilder()
    query.append(ConfigurationsData, filters={"uuid": node.outputs.labelled.uuid}, tag="labelled")
    query.append(orm.CalcJobNode, with_descendants="labelled", project="uuid")
    assert set(query.all(flat=True)) >= {job.uuid for job in jobs}


def test_a_failure_is_told_through_the_tree(label, cells, small_tree):
    node = label(cells, look_up=False, min_success=0.5)
    failed = [entry for entry in entries(node) if entry["status"] == "failed"]
    assert [entry["identifier"] for entry in failed] == [str(cells.identifier[1])]
    assert "26" in failed[0]["reason"] or "Fe" in failed[0]["reason"]
    assert orm.load_node(failed[0]["node"]).exit_status == 310


def test_labels_found_in_many_sets_keep_the_jobs_that_made_them(label, cells, small_tree):
    first = label(cells, min_success=0.5)
    again = label(cells.select([0, 2, 3]))
    made = {entry["hash"]: entry["node"] for entry in entries(first)}
    assert {entry["status"] for entry in entries(again)} == {"looked_up"}
    assert all(made[entry["hash"]] == entry["node"] for entry in entries(again))
    # one for each of three sets, and the tree above them
    assert len(gatherings(again)) == 5
    assert [one for one in again.called if isinstance(one, orm.CalcJobNode)] == []
