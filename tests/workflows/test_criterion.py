# SPDX-License-Identifier: MIT
"""The criterion on records of turns: what stands, what is compared, how many turns in a row."""

import pytest

from aiida_alpot.workflows.criterion import judge_turn

TARGETS = {"forces_rmse_eV_per_A": 0.05}
STEADY = {"turns": 2, "rate": 0.01, "test_tolerance": "10 %"}
LATTICE = {
    "properties": [{"kind": "equation_of_state", "structure": "bulk"}],
    "tolerances": [{"lattice_constant_A": 0.001}],
}


def errors(forces, energy=1.0):
    return {
        "energy": {"rmse_meV_per_atom": energy},
        "forces": {"rmse_eV_per_A": forces},
        "stress": {},
    }


def record(*, extrapolating=0, frames=600, forces=None, completed=True):
    chain = {
        "sampler": "nvt",
        "chain": "bulk",
        "completed": completed,
        "reason": "all done" if completed else "grade 12 > gamma_break 10 at step 7",
        "largest_grade": 2.5 if extrapolating else 1.5,
        "graded": 10 * frames,
        "independent_frames": frames,
        "extrapolating_frames": extrapolating,
    }
    tests = None if forces is None else {"training": {}, "test": {"hot": errors(forces)}}
    return {
        "samples": [chain],
        "errors": tests,
        "extrapolating": bool(extrapolating) or not completed,
    }


def measured(lattice, failed=None):
    values = None if failed else {"lattice_constant_A": lattice, "bulk_modulus_GPa": 134.0}
    entry = {"kind": "equation_of_state", "structure": "bulk", "values": values, "failed": failed}
    return {"properties": {"properties": [entry]}}


def audited(forces, n_labelled=4):
    ledger = [{"status": "labelled" if i < n_labelled else "failed"} for i in range(4)]
    return {"ledger_audit": {"entries": ledger}, "audit": {"errors": errors(forces)}}


@pytest.fixture
def judge(campaign_settings):
    """Return records of turns in a row, each judged with those before it."""

    def run(turns, **converge):
        settings = campaign_settings(converge={**STEADY, **converge})
        history = []
        for content, parts in turns:
            history.append({**content, **judge_turn(settings, content, parts, history)})
        return history

    return run


def held(judged):
    return {one["name"]: one["holds"] for one in judged["criterion"]}


def test_two_turns_that_hold_converge(judge):
    first, second = judge([(record(forces=0.01), {}), (record(), {})])
    assert (first["held"], first["converged"]) == (0, False)  # nothing to compare errors with
    assert held(second) == {"chains": True, "rate": True, "tests": True}
    (*_, third) = judge([(record(forces=0.01), {}), (record(), {}), (record(), {})])
    assert third["held"] == 2
    assert third["converged"]
    assert third["reason"] == ""


def test_a_turn_that_does_not_hold_begins_anew(judge):
    turns = [(record(), {}), (record(extrapolating=9), {}), (record(), {})]
    assert [one["held"] for one in judge(turns)] == [1, 0, 1]


def test_a_fit_before_the_turns_of_a_successor_begins_anew(judge):
    refit = {"samples": [], "errors": None, "extrapolating": False}
    turns = [(record(), {}), (refit, {}), (record(), {})]
    assert [one["held"] for one in judge(turns)] == [1, 0, 1]


def test_a_turn_that_holds_counts_though_it_ends_with_a_fit(judge):
    turns = [(record(forces=0.01), {}), (record(), {}), (record(extrapolating=1, forces=0.01), {})]
    *_, last = judge(turns)
    assert (last["held"], last["converged"]) == (2, True)


def test_one_frame_in_many_does_not_keep_a_campaign_from_converging(judge):
    *_, last = judge([(record(extrapolating=1), {})] * 2)
    assert last["rate"] == {
        "extrapolating": 1,
        "independent": 600,
        "bound": pytest.approx(0.00788, rel=1e-3),
    }
    assert last["converged"]


def test_a_chain_that_stopped_early_is_the_reason(judge):
    (only,) = judge([(record(completed=False), {})])
    assert "stopped early" in only["reason"]


def test_errors_stand_until_another_fit(judge):
    turns = [(record(forces=0.010), {}), (record(), {}), (record(forces=0.02), {})]
    first, second, third = judge(turns)
    assert first["figures"]["tests"]["hot: forces_rmse_eV_per_A"] == 0.010
    assert second["figures"] == first["figures"]
    assert held(third)["tests"] is False
    assert "moved by 0.01" in third["reason"]


def test_properties_stand_until_they_are_measured_again(judge):
    turns = [(record(), measured(3.61)), (record(), {}), (record(), measured(3.62))]
    first, second, third = judge(turns, **LATTICE)
    assert first["properties"] == {"equation_of_state, bulk: lattice_constant_A": 3.61}
    assert held(second)["properties"] is True
    assert held(third)["properties"] is False


def test_a_property_that_failed_is_the_reason(judge):
    *_, last = judge([(record(), measured(0.0, failed="no minimum"))], **LATTICE)
    assert "equation_of_state of bulk failed: no minimum" in last["reason"]


@pytest.mark.parametrize(("forces", "holds"), [(0.04, True), (0.06, False)])
def test_the_true_error_on_frames_never_selected_must_be_within_the_target(judge, forces, holds):
    (only,) = judge([(record(), audited(forces))], audit_labels=4, targets=TARGETS)
    assert held(only)["audit"] is holds
    assert only["audit"]["figures"] == {"forces_rmse_eV_per_A": forces}


def test_a_turn_without_its_audit_does_not_hold(judge):
    (only,) = judge([(record(), {})], audit_labels=4, targets=TARGETS)
    assert held(only)["audit"] is False
    (none,) = judge([(record(), audited(0.01, n_labelled=0))], audit_labels=4, targets=TARGETS)
    assert held(none)["audit"] is False


def test_without_a_section_one_turn_without_extrapolation_is_enough(campaign_settings):
    settings = campaign_settings()
    calm = judge_turn(settings, record(frames=2), {}, [])
    assert calm["converged"]
    assert not judge_turn(settings, record(extrapolating=1), {}, [])["converged"]


def test_the_start_is_no_turn_that_can_hold(campaign_settings):
    start = {"samples": [], "errors": None, "extrapolating": True}
    judged = judge_turn(campaign_settings(converge=STEADY), start, {}, [])
    assert judged["criterion"] == []
    assert not judged["converged"]
