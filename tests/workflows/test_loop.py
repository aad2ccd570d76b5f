# SPDX-License-Identifier: MIT
"""How the loop ends: turns that are finished already are handed to it, and its verdict is read."""

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.common.links import validate_link_label
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy import ProcessState

from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.grading.active_set import empty_active_set
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.workflows.learn import STOP_REQUEST, LearnWorkChain


@pytest.fixture(scope="module")
def first_potential(tmp_path_factory):
    potential = initial_potential(
        2, 4.5, species=("Cu",), min_distance=2.0, rng=np.random.default_rng(0)
    )
    path = tmp_path_factory.mktemp("active_set") / "active_set.npz"
    empty_active_set(potential).save(path)
    return {
        "potential": PotentialData.from_potential(potential).store(),
        "active_set": ActiveSetData.from_file(path).store(),
    }


@pytest.fixture
def loop(alpot_code, campaign_settings, labelled_copper, named_structures, first_potential):
    """Return a loop that has spent ``labels_used`` labels."""

    def make(*, labels_used=4, **changes):
        process = instantiate_process(
            get_manager().get_runner(),
            LearnWorkChain,
            settings=orm.Dict(campaign_settings(**changes)),
            structures=ConfigurationsData.from_configurations(named_structures),
            training={"turn_000": ConfigurationsData.from_configurations(labelled_copper)},
            codes={"alpot": alpot_code},
            labels_used=orm.Int(labels_used),
            **first_potential,
        )
        process.prepare()
        return process

    return make


@pytest.fixture
def finished_turn(first_potential):
    """Return a turn that ended, with a record and a ledger of so many labels."""

    def make(*, n_labels=3, n_selected=3, extrapolating=True, status=0, message=""):
        node = orm.WorkChainNode(process_type="aiida.workflows:alpot.turn")
        node.store()
        record = {"extrapolating": extrapolating, "n_selected": n_selected}
        ledger = {"entries": [{"status": "labelled"}] * n_labels}
        outputs = {"record": orm.Dict(record), "ledger": orm.Dict(ledger), **first_potential}
        if status:
            del outputs["potential"], outputs["active_set"]
        for label, output in outputs.items():
            validate_link_label(label)
            output.store()
            output.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state(ProcessState.FINISHED)
        node.set_exit_status(status)
        node.set_exit_message(message)
        node.seal()
        return node

    return make


def end_turn(process, turn, child):
    process.ctx.turn = turn
    process.ctx.child = child
    process.inspect_turn()
    return process.ctx.verdict


def test_a_calm_turn_ends_the_loop_converged(loop, finished_turn):
    process = loop()
    assert end_turn(process, 1, finished_turn(extrapolating=False, n_selected=0)) == "converged"
    assert not process.may_go_on()
    assert process.conclude() is None


def test_a_turn_that_learned_something_goes_on(loop, finished_turn):
    process = loop()
    assert end_turn(process, 1, finished_turn()) is None
    assert process.may_go_on()
    assert process.ctx.labels_used == 7


def test_the_last_turn_that_is_allowed_ends_the_loop(loop, finished_turn):
    process = loop()
    assert end_turn(process, 2, finished_turn()) == "VERDICT_TURNS_USED"
    exit_code = process.conclude()
    assert exit_code.status == 502
    assert "after 2 turns" in exit_code.message


def test_a_spent_budget_ends_the_loop_after_one_more_look(loop, finished_turn):
    process = loop(labels_used=27, budget={"labels": 30, "labels_per_turn": 5, "turns": 9})
    assert end_turn(process, 1, finished_turn(n_labels=3)) is None
    calm = finished_turn(n_labels=0, n_selected=0)
    assert end_turn(process, 2, calm) == "VERDICT_BUDGET_SPENT"
    exit_code = process.conclude()
    assert exit_code.status == 501
    assert "30 labels" in exit_code.message
    assert {"potential", "active_set"} <= set(process.outputs)
    assert sorted(process.outputs["records"]) == ["turn_001", "turn_002"]


def test_candidates_that_no_label_is_worth_end_the_loop(loop, finished_turn):
    stuck = finished_turn(n_labels=0, n_selected=0)
    process = loop()
    assert end_turn(process, 1, stuck) == "VERDICT_NOTHING_SELECTED"
    assert process.conclude().status == 503


def test_a_request_to_stop_ends_the_loop_after_the_turn(loop, finished_turn):
    process = loop()
    process.node.base.extras.set(STOP_REQUEST, True)
    assert end_turn(process, 1, finished_turn()) == "VERDICT_STOPPED"
    assert process.conclude().status == 504


@pytest.mark.parametrize("status", [301, 302, 303, 304])
def test_a_turn_that_fails_ends_the_loop_and_loses_nothing(loop, finished_turn, status):
    process = loop()
    end_turn(process, 1, finished_turn(status=status, message="for a reason"))
    exit_code = process.conclude()
    assert exit_code.status == status
    assert "for a reason" in exit_code.message
    assert process.outputs["potential"].uuid == process.inputs.potential.uuid
    assert process.outputs["ledgers"]["turn_001"]["entries"]


def test_a_turn_that_was_killed_ends_the_loop_as_lost(loop):
    node = orm.WorkChainNode(process_type="aiida.workflows:alpot.turn")
    node.store()
    node.set_process_state(ProcessState.KILLED)
    node.seal()
    process = loop()
    end_turn(process, 1, node)
    assert process.conclude().status == 305
