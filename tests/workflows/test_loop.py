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
from aiida_alpot.workflows.learn import STOP_REQUEST, LearnWorkChain, may_change


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

    def make(*, n_labels=3, n_selected=3, extrapolating=True, status=0, message="", **told):
        node = orm.WorkChainNode(process_type="aiida.workflows:alpot.turn")
        node.store()
        record = {"turn": 1, "extrapolating": extrapolating, "n_selected": n_selected, **told}
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


def broken(name, detail):
    return {"criterion": [{"name": name, "holds": False, "detail": detail}], "reason": detail}


def test_so_many_turns_in_a_row_must_hold(loop, finished_turn):
    process = loop(converge={"turns": 2}, budget={"labels": 30, "labels_per_turn": 5, "turns": 9})
    calm = {"n_labels": 0, "n_selected": 0, "extrapolating": False, "criterion": []}
    assert end_turn(process, 1, finished_turn(**calm, held=1, converged=False)) is None
    assert end_turn(process, 2, finished_turn(**calm, held=2, converged=True)) == "converged"


def test_a_turn_is_given_the_records_that_its_criterion_looks_at(loop, finished_turn):
    process = loop(converge={"turns": 3}, budget={"labels": 30, "labels_per_turn": 5, "turns": 9})
    for turn in (1, 2, 3):
        end_turn(process, turn, finished_turn(converged=False))
    assert list(process.history()) == ["turn_002", "turn_003"]


def test_an_audit_beyond_its_target_ends_the_loop_and_the_message_says_so(loop, finished_turn):
    told = broken("audit", "not converged because forces_rmse_eV_per_A 0.09, target 0.05")
    audit = {"n_labelled": 4}
    calm = finished_turn(extrapolating=False, n_selected=0, converged=False, audit=audit, **told)
    process = loop(converge={"turns": 2})
    assert end_turn(process, 1, calm) == "VERDICT_NOTHING_SELECTED"
    exit_code = process.conclude()
    assert exit_code.status == 503
    assert "not converged because forces_rmse_eV_per_A 0.09, target 0.05" in exit_code.message


@pytest.mark.parametrize(
    ("name", "more", "goes_on"),
    [
        ("tests", {}, True),
        ("properties", {}, True),
        ("audit", {"audit": {"n_labelled": 0}}, True),
        ("audit", {"audit": {"n_labelled": 2}}, False),
        ("rate", {}, False),
    ],
)
def test_another_look_is_taken_only_where_it_may_change_what_does_not_hold(name, more, goes_on):
    record = {"extrapolating": False, **broken(name, ""), **more}
    assert may_change(record) is goes_on


def test_labels_for_audits_are_kept_back(loop, finished_turn):
    converge = {"turns": 2, "audit_labels": 4, "targets": {"forces_rmse_eV_per_A": 1.0}}
    budget = {"labels": 30, "labels_per_turn": 5, "turns": 9}
    stuck = finished_turn(n_labels=0, n_selected=0, converged=False)
    process = loop(labels_used=22, converge=converge, budget=budget)
    assert end_turn(process, 1, stuck) == "VERDICT_BUDGET_SPENT"


def pay(process, seconds, *, cores=1):
    """Charge a job to the campaign of a loop."""
    job = orm.CalcJobNode(process_type="aiida.calculations:alpot.sample")
    job.set_option("resources", {"num_machines": 1, "tot_num_mpiprocs": cores})
    job.base.attributes.set("job_id", "1")
    job.computer = orm.load_computer("localhost")
    job.base.links.add_incoming(process.node, LinkType.CALL_CALC, f"job_{seconds:g}")
    job.store()
    job.set_process_state(ProcessState.FINISHED)
    result = orm.Dict({"seconds": seconds})
    result.base.links.add_incoming(job, LinkType.CREATE, "result")
    result.store()


HOURS = {"labels": 30, "labels_per_turn": 5, "turns": 9, "core_hours": 2.0}


def test_the_core_hours_end_the_loop_once_they_are_spent(loop, finished_turn):
    process = loop(budget=HOURS)
    pay(process, 1800.0)
    assert end_turn(process, 1, finished_turn()) is None
    assert process.ctx.forecast["core_seconds_left"] == 5400.0
    pay(process, 2700.0, cores=2)
    assert end_turn(process, 2, finished_turn()) == "VERDICT_CORE_HOURS"
    exit_code = process.conclude()
    assert exit_code.status == 506
    assert "2 core-hours of 2 core-hours are spent" in exit_code.message
    assert {"potential", "active_set", "records"} <= set(process.outputs)


def test_core_hours_that_leave_no_room_for_a_label_end_the_loop(loop, finished_turn):
    process = loop(budget=HOURS)
    kept = {"samples": [{"kept": 3}], "n_candidates": 0, "converged": False}
    assert end_turn(process, 1, finished_turn(n_selected=0, **kept)) == "VERDICT_CORE_HOURS"
    assert "not one more label fits" in process.conclude().message


def test_a_turn_that_converges_has_converged_even_with_the_last_core_hour(loop, finished_turn):
    process = loop(budget=HOURS)
    pay(process, 7200.0)
    calm = finished_turn(extrapolating=False, n_selected=0)
    assert end_turn(process, 1, calm) == "converged"


def test_no_turn_begins_once_the_time_is_over(loop):
    process = loop(budget={"labels": 30, "labels_per_turn": 5, "turns": 9, "wall_hours": 1e-9})
    assert not process.may_go_on()
    exit_code = process.conclude()
    assert exit_code.status == 507
    assert process.outputs["potential"].uuid == process.inputs.potential.uuid


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
