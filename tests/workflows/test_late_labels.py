# SPDX-License-Identifier: MIT
"""What one turn left outstanding, the next one learns from, and the loop counts it once."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import WorkflowFactory
from plumpy import ProcessState

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.learn import LearnWorkChain


@pytest.fixture(scope="module")
def campaign_inputs(alpot_code, campaign_settings, labelled_copper, named_structures):
    """What turn and loop have in common, with a potential that was fitted to four cells."""
    settings = orm.Dict(campaign_settings())
    training = {"turn_000": ConfigurationsData.from_configurations(labelled_copper)}
    fit = WorkflowFactory("alpot.fit").get_builder()
    fit.settings, fit.turn, fit.training, fit.code = settings, orm.Int(0), training, alpot_code
    first = run_get_node(fit).node
    return {
        "settings": settings,
        "training": training,
        "structures": ConfigurationsData.from_configurations(named_structures),
        "codes": {"alpot": alpot_code},
        "potential": first.outputs.potential,
        "active_set": first.outputs.active_set,
    }


@pytest.fixture(scope="module")
def late_cell(copper_cells):
    """A cell that turn 1 asked for and nobody has labelled."""
    moved = copper_cells.replace(positions=copper_cells.positions + 0.0711)
    return moved.select([0]).replace(turn=np.array([1]))


@pytest.fixture(scope="module")
def following_turn(campaign_inputs, late_cell):
    """A turn without any label left in the budget, but with that cell outstanding."""
    builder = WorkflowFactory("alpot.turn").get_builder()
    builder._update(campaign_inputs)
    builder.turn, builder.labels_left = orm.Int(2), orm.Int(0)
    builder.outstanding = ConfigurationsData.from_configurations(late_cell)
    return run_get_node(builder).node


def test_a_turn_fits_to_what_the_one_before_left_outstanding(
    following_turn, campaign_inputs, late_cell
):
    assert following_turn.exit_status == 0
    outputs = following_turn.outputs
    assert outputs.increment.get_configurations().hashes() == late_cell.hashes()
    assert outputs.potential.uuid != campaign_inputs["potential"].uuid


def test_a_late_label_is_counted_in_the_turn_that_asked_for_it(following_turn):
    record = following_turn.outputs.record.get_dict()
    assert (record["n_labelled"], record["n_selected"], record["labels_used"]) == (1, 0, 0)
    (entry,) = following_turn.outputs.ledger["entries"]
    assert (entry["turn"], entry["late_from"]) == (2, 1)


@pytest.fixture
def loop(campaign_inputs):
    """A loop that has spent four labels."""
    inputs = {**campaign_inputs, "labels_used": orm.Int(4)}
    process = instantiate_process(get_manager().get_runner(), LearnWorkChain, **inputs)
    process.prepare()
    return process


@pytest.fixture
def end_turn(loop, campaign_inputs):
    """Return how the loop goes on after a turn with some outputs."""

    def end(turn, *, n_selected=3, n_labels=3, **more):
        node = orm.WorkChainNode(process_type="aiida.workflows:alpot.turn").store()
        record = {"turn": turn, "extrapolating": True, "n_selected": n_selected}
        outputs = {
            "record": orm.Dict(record),
            "ledger": orm.Dict({"entries": [{"status": "labelled"}] * n_labels}),
            **{name: campaign_inputs[name] for name in ("potential", "active_set")},
            **more,
        }
        for label, output in outputs.items():
            output.store()
            output.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state(ProcessState.FINISHED)
        node.set_exit_status(0)
        node.seal()
        loop.ctx.turn, loop.ctx.child = turn, node
        loop.inspect_turn()
        return loop.ctx.verdict

    return end


def test_what_the_gate_refused_and_what_came_late_cost_no_label(loop, end_turn):
    skipped = orm.Dict({"entries": [{"status": "skipped", "rule": "distance", "count": 9}]})
    held_out = orm.Dict({"entries": [{"status": "labelled", "late_from": 1}, {"status": "late"}]})
    assert end_turn(1, ledger_skipped=skipped, ledger_held_out=held_out) is None
    assert loop.ctx.labels_used == 4 + 3 + 1
    assert set(loop.ctx.ledgers) == {"turn_001", "turn_001_held_out", "turn_001_skipped"}


def test_what_a_turn_left_outstanding_goes_to_the_next_alone(loop, end_turn, late_cell):
    cells = ConfigurationsData.from_configurations(late_cell)
    assert end_turn(1, outstanding=cells) is None
    assert loop.ctx.outstanding.uuid == cells.uuid
    end_turn(2)
    assert loop.ctx.outstanding is None


def test_a_turn_that_learned_from_late_labels_alone_goes_on(end_turn, labelled_copper):
    cells = ConfigurationsData.from_configurations(labelled_copper)
    assert end_turn(1, n_labels=0, n_selected=0, increment=cells) is None


def test_a_turn_that_selected_and_learned_nothing_ends_the_loop(end_turn):
    assert end_turn(1, n_labels=0, n_selected=0) == "VERDICT_NOTHING_SELECTED"
