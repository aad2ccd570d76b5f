# SPDX-License-Identifier: MIT
"""Labelling: a label is paid for once, levels do not mix, failures stand in the ledger."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.lookup import find_labels


@pytest.fixture(scope="module")
def far_cells(unlabelled_copper):
    return unlabelled_copper()


@pytest.fixture(scope="module")
def label(alpot_code):
    def run(configurations, level, *, calculator=None, kind="ase", **settings):
        builder = WorkflowFactory(f"alpot.label.{kind}").get_builder()
        builder.code = alpot_code
        builder.configurations = (
            configurations
            if isinstance(configurations, ConfigurationsData)
            else ConfigurationsData.from_configurations(configurations)
        )
        calculator = calculator or {"name": "EMT", "settings": {}}
        section = {"workchain": kind, "calculator": calculator, "level_of_theory": level}
        builder.settings = orm.Dict({"label": {**section, **settings}})
        builder.turn = orm.Int(3)
        return run_get_node(builder).node

    return run


@pytest.fixture(scope="module")
def first_run(label, far_cells, emt_level):
    return label(far_cells, emt_level, batch_size=3)


def entries(node):
    return node.outputs.ledger.get_dict()["entries"]


def jobs(node):
    return [child for child in node.called if isinstance(child, orm.CalcJobNode)]


def test_all_configurations_are_labelled_in_batches(first_run, far_cells, emt_level):
    assert first_run.exit_status == 0
    assert sorted(len(job.outputs.labelled.label_hashes) for job in jobs(first_run)) == [1, 3]
    labelled = first_run.outputs.labelled
    assert labelled.label_hashes == far_cells.hashes()
    assert labelled.level_of_theory == emt_level


def test_the_ledger_names_job_turn_and_attempt(first_run, far_cells):
    found = entries(first_run)
    assert [entry["identifier"] for entry in found] == list(far_cells.identifier)
    assert {entry["status"] for entry in found} == {"labelled"}
    assert {entry["node"] for entry in found} == {job.uuid for job in jobs(first_run)}
    assert {(entry["turn"], entry["attempt"]) for entry in found} == {(3, 1)}
    assert all(entry["seconds"] >= 0 for entry in found)


def test_labels_that_are_there_are_not_paid_for_again(first_run, label, far_cells, emt_level):
    renamed = far_cells.select([2, 0]).replace(identifier=np.array(["a", "b"]))
    again = label(renamed, emt_level)
    assert again.exit_status == 0
    assert jobs(again) == []
    labelled = again.outputs.labelled.get_configurations()
    first = first_run.outputs.labelled.get_configurations()
    assert list(labelled.identifier) == ["a", "b"]
    np.testing.assert_array_equal(labelled.energy, first.energy[[2, 0]])
    np.testing.assert_array_equal(labelled.forces[:32], first.forces[64:96])
    assert {entry["status"] for entry in entries(again)} == {"looked_up"}


def test_a_label_found_is_linked_to_the_job_that_made_it(first_run, label, far_cells, emt_level):
    again = label(far_cells.select([1]), emt_level)
    collected = again.outputs.labelled.creator
    sources = [
        link.node
        for link in collected.base.links.get_incoming().all()
        if link.link_label.startswith("found_")
    ]
    assert [source.creator.uuid for source in sources] == [entries(again)[0]["node"]]
    assert entries(again)[0]["node"] in {job.uuid for job in jobs(first_run)}


def test_labels_given_by_the_user_are_taken_as_they_are(label, labelled_copper, emt_level):
    shifted = labelled_copper.energy + 1e-3  # no job would give these
    given = labelled_copper.replace(
        positions=labelled_copper.positions + 0.456, energy=shifted
    ).select([0, 1])
    node = label(given, emt_level)
    assert jobs(node) == []
    np.testing.assert_array_equal(node.outputs.labelled.get_configurations().energy, shifted[:2])


def test_a_label_of_another_level_of_theory_is_not_found(first_run, far_cells, emt_level):
    hashes = far_cells.hashes()
    assert set(find_labels(hashes, emt_level)) == set(hashes)
    assert find_labels(hashes, emt_level.replace("EMT", "LennardJones")) == {}
    assert find_labels(hashes, "") == {}


@pytest.mark.parametrize("level", ["", '{"calculator":"Other","settings":{}}'])
def test_labels_of_two_levels_of_theory_are_refused(label, labelled_copper, emt_level, level):
    node = label(labelled_copper.replace(level_of_theory=level), emt_level)
    assert node.exit_status == 203
    assert jobs(node) == []
    assert "level" in node.exit_message


def test_the_gpaw_workchain_labels_with_gpaw_alone(label, copper_cells, emt_level):
    node = label(copper_cells, emt_level, kind="gpaw")
    assert node.exit_status == 201
    assert "EMT" in node.exit_message


def test_an_empty_set_is_refused(label, emt_level):
    assert label(Configurations.empty(), emt_level).exit_status == 207


def test_an_unknown_key_of_the_settings_is_named(label, copper_cells, emt_level):
    node = label(copper_cells, emt_level, batchsize=3)
    assert node.exit_status == 201
    assert "batchsize" in node.exit_message


@pytest.fixture(scope="module")
def mixed_run(label, copper_cells, emt_level):
    """Copper, which EMT knows, and iron, which it does not, each twice."""
    atoms = copper_cells.atoms(0)
    atoms.positions += 0.789
    iron = atoms.copy()
    iron.numbers[:] = 26
    origin = Origin(2, "nvt", "bulk", 40, 5.0)
    both = Configurations.from_atoms(
        [atoms, iron, atoms],
        identifiers=["copper", "iron", "copper again"],
        origins=[origin] * 3,
    )
    return label(both, emt_level)


def test_a_failure_is_in_the_ledger_and_never_a_label(mixed_run):
    assert mixed_run.exit_status == 0
    failed = [entry for entry in entries(mixed_run) if entry["status"] == "failed"]
    assert [entry["identifier"] for entry in failed] == ["iron"]
    assert "26" in failed[0]["reason"] or "Fe" in failed[0]["reason"]
    assert failed[0]["node"] == jobs(mixed_run)[0].uuid
    labelled = mixed_run.outputs.labelled.get_configurations()
    assert list(labelled.identifier) == ["copper", "copper again"]


def test_a_failure_of_the_configuration_is_not_tried_again(mixed_run):
    assert len(jobs(mixed_run)) == 1


def test_one_geometry_is_calculated_once_in_a_set(mixed_run):
    assert jobs(mixed_run)[0].outputs.labelled.n_configurations == 1


def test_origins_are_those_of_what_was_requested(mixed_run):
    labelled = mixed_run.outputs.labelled.get_configurations()
    assert labelled.origin(0) == Origin(2, "nvt", "bulk", 40, 5.0)


def test_too_few_labels_end_with_their_own_exit_code(label, mixed_run, emt_level):
    requested = mixed_run.inputs.configurations
    node = label(requested, emt_level, min_success=0.9)
    assert node.exit_status == 401
    assert node.outputs.labelled.n_labelled == 2


def test_nothing_labelled_still_writes_the_ledger(label, mixed_run, emt_level):
    iron = mixed_run.inputs.configurations.get_configurations().select([1])
    node = label(iron, emt_level)
    assert node.exit_status == 301
    assert [entry["status"] for entry in entries(node)] == ["failed"]


def test_no_node_holds_an_identifier_of_another_node(first_run):
    content = first_run.outputs.labelled.content
    for node in [first_run, *first_run.called]:
        assert node.uuid.encode() not in content
