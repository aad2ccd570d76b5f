# SPDX-License-Identifier: MIT
"""A two-turn campaign through the daemon, which is killed on the way; then the same once more.

The first run labels with EMT and loses its daemon in the middle of a turn. The second run is
left alone and must take the same way to the same bits without a single new label, which shows
both at once.
"""

import os
import signal
import time

import numpy as np
import psutil
import pytest
from aiida import orm
from aiida.engine import submit

from aiida_alpot.mtp.calculator import MTP

pytestmark = pytest.mark.daemon

VALIDATION = {
    "properties": [{"kind": "equation_of_state", "structure": "bulk"}],
    "initial_properties": [],
    "reference": {"ase": "EMT", "settings": {}},
}


@pytest.fixture(scope="module")
def new_campaign(campaign_builder, copper_cells):
    """Return the inputs of the campaign, whose cells no other test labels."""
    start = copper_cells.replace(positions=copper_cells.positions + 0.321)
    frozen = copper_cells.select([0, 1])
    frozen = frozen.replace(positions=frozen.positions + 0.05 * np.sin(frozen.positions))

    def build():
        return campaign_builder(start=start, test={"frozen": frozen}, validation=VALIDATION)

    return build


def jobs_of(node, kind):
    return [
        child
        for child in node.called_descendants
        if isinstance(child, orm.CalcJobNode) and child.process_type.endswith(f"alpot.{kind}")
    ]


def kill_without_warning(daemon):
    """Kill -9 every process of the daemon: circus, broker and workers."""
    circus = psutil.Process(daemon.get_daemon_pid())
    for process in [circus, *circus.children(recursive=True)]:
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while daemon.is_daemon_running and time.monotonic() < deadline:
        time.sleep(0.2)


def is_sampling(node):
    if node.is_terminated:
        pytest.fail(f"the campaign ended before it sampled: {node.exit_message}")
    return any(job.get_state() is not None for job in jobs_of(node, "sample"))


@pytest.fixture(scope="module")
def killed(daemon, new_campaign, wait_for_process):
    """The campaign that lost its daemon while its first turn was sampling."""
    node = submit(new_campaign())
    wait_for_process(node, condition=is_sampling)
    kill_without_warning(daemon)
    assert not node.is_terminated
    daemon.start_daemon(number_workers=1)
    return wait_for_process(node)


@pytest.fixture(scope="module")
def repeated(killed, new_campaign, run_in_daemon):
    """The same campaign once more, left alone."""
    return run_in_daemon(new_campaign())


def test_a_campaign_survives_the_loss_of_its_daemon(killed):
    assert killed.exit_status in (0, 501, 502), killed.exit_message
    assert killed.outputs.potential.level == 4
    assert killed.outputs.turns["turns"][1]["n_labelled"] > 0


def test_the_same_campaign_ends_with_the_same_bits(killed, repeated):
    assert repeated.exit_status == killed.exit_status
    assert repeated.outputs.potential.content == killed.outputs.potential.content
    assert repeated.outputs.active_set.content == killed.outputs.active_set.content
    increments, again = killed.outputs.training, repeated.outputs.training
    assert sorted(increments) == sorted(again)
    assert all(increments[key].content == again[key].content for key in increments)


def test_the_same_campaign_pays_for_no_label_again(killed, repeated):
    assert jobs_of(killed, "label")
    assert jobs_of(repeated, "label") == []
    first, second = killed.outputs.summary.get_dict(), repeated.outputs.summary.get_dict()
    assert second["n_looked_up"] == second["labels_used"] == first["labels_used"]
    assert second["n_labelled"] == second["n_failed"] == 0


def test_errors_on_the_frozen_set_are_reported_with_each_fit(repeated):
    fitted = [record for record in repeated.outputs.turns["turns"] if record["errors"]]
    assert [record["turn"] for record in fitted] == [0, 1]
    for record in fitted:
        assert record["errors"]["test"]["frozen"]["n_configurations"] == 2
        assert record["errors"]["test"]["frozen"]["forces"]["rmse_eV_per_A"] < 0.1


def test_frozen_sets_are_never_trained_on(repeated):
    frozen = set(repeated.outputs.test["frozen"].label_hashes)
    for increment in repeated.outputs.training.values():
        assert not frozen & set(increment.label_hashes)


def test_the_potential_is_the_one_that_was_fitted_to_the_increments(repeated):
    fit = repeated.outputs.potential.creator
    assert sorted(fit.inputs.training) == sorted(repeated.outputs.training)
    training = repeated.outputs.training["turn_000"].get_configurations()
    atoms = training.atoms(0)
    atoms.calc = MTP(repeated.outputs.potential.get_potential())
    assert atoms.get_potential_energy() == pytest.approx(training.energy[0], abs=0.05)


def test_every_label_can_be_reached_from_the_potential(repeated, killed):
    query = orm.QueryBuilder()
    query.append(orm.Node, filters={"uuid": repeated.outputs.potential.uuid}, tag="potential")
    query.append(orm.CalcJobNode, with_descendants="potential", project="uuid")
    ancestors = set(query.all(flat=True))
    entries = [
        entry for entry in repeated.outputs.ledger["entries"] if entry["set"] != "test_frozen"
    ]
    assert {entry["node"] for entry in entries} <= ancestors
    assert {entry["node"] for entry in entries} <= {job.uuid for job in jobs_of(killed, "label")}


def test_no_data_set_appears_without_a_creator(repeated):
    """What no process made was given by the user."""
    given = [repeated.inputs.structures, repeated.inputs.start, *repeated.inputs.test.values()]
    hashes = {node.base.caching.get_hash() for node in given}
    query = orm.QueryBuilder()
    query.append(orm.Node, filters={"uuid": repeated.outputs.potential.uuid}, tag="potential")
    query.append(orm.Data, with_descendants="potential")
    found = [node for node in query.all(flat=True) if isinstance(node, orm.SinglefileData)]
    assert len(found) > 5
    for node in found:
        assert node.creator is not None or node.base.caching.get_hash() in hashes


def test_labels_of_processes_tell_what_they_are(repeated):
    labels = {child.label for child in repeated.called_descendants}
    assert {"learn", "turn 1", "turn 1 / fit", "turn 1 / select", "validation"} <= labels
    assert "turn 1 / sample nvt bulk vacancy" in labels


def test_the_ledger_has_an_entry_for_each_configuration_asked_for(repeated):
    entries = repeated.outputs.ledger["entries"]
    assert len(entries) == repeated.outputs.summary["labels_used"]
    assert {entry["set"] for entry in entries} >= {"start", "test_frozen", "turn_001"}
    assert len({entry["hash"] for entry in entries}) == len(entries)


def test_every_chain_says_why_it_stopped(repeated):
    for record in repeated.outputs.turns["turns"][1:]:
        assert {(one["sampler"], one["chain"]) for one in record["samples"]} == {
            ("nvt", "bulk"),
            ("nvt", "vacancy"),
            ("relax", "bulk"),
        }
        assert all(one["reason"] for one in record["samples"])


def test_the_validation_compares_with_the_reference(repeated):
    entry = repeated.outputs.validation["properties"][0]
    assert entry["kind"] == "equation_of_state"
    assert entry["failed"] is None
    assert entry["reference"]


def test_no_file_of_a_data_node_names_another_node(repeated):
    uuids = [node.uuid.encode() for node in repeated.called_descendants]
    for node in [repeated.outputs.potential, *repeated.outputs.training.values()]:
        assert not any(uuid in node.content for uuid in uuids)
