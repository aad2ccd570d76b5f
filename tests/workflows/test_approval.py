# SPDX-License-Identifier: MIT
"""A campaign that waits for a person before it labels, through the daemon and its restart.

Each turn pauses, says for what, survives a restart of the daemon, and goes on when it is approved;
on the way its audits, its criterion and its costs are looked at.
"""

import json

import pytest
from aiida.engine import submit
from click.testing import CliRunner

from aiida_alpot.cli import main
from aiida_alpot.reports.costs import read_costs
from aiida_alpot.reports.paused import paused_processes, waiting_for_approval
from aiida_alpot.reports.progress import read_progress

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(900)]

CONVERGE = {
    "turns": 1,
    "audit_labels": 2,
    "targets": {"forces_rmse_eV_per_A": 10.0},
    "properties": [{"kind": "equation_of_state", "structure": "bulk"}],
    "tolerances": [{"lattice_constant_A": "1 %"}],
}


def alpot(profile, *words):
    return CliRunner().invoke(main, [*map(str, words), "-p", profile.name])


def waits_or_ended(node):
    return node.is_terminated or bool(waiting_for_approval(node))


@pytest.fixture(scope="module")
def told():
    """What was seen on the way."""
    return {"approvals": 0}


@pytest.fixture(scope="module")
def waiting_campaign(campaign_builder, copper_cells):
    """A campaign whose turns wait before they label; no other test labels its cells."""
    start = copper_cells.replace(positions=copper_cells.positions + 0.217)
    frozen = copper_cells.select([0]).replace(positions=copper_cells.select([0]).positions * 1.001)
    return campaign_builder(
        start=start,
        test={"frozen": frozen},
        converge=CONVERGE,
        pause_before="label",
        budget={"labels": 30, "labels_per_turn": 5, "turns": 3, "core_hours": 100.0},
    )


@pytest.fixture(scope="module")
def approved(waiting_campaign, daemon, aiida_profile, wait_for_process, told):
    """The campaign, approved of in every turn; the daemon was restarted while it waited first."""
    node = submit(waiting_campaign)
    wait_for_process(node, condition=waits_or_ended)
    told["progress"] = read_progress(node)
    told["status"] = alpot(aiida_profile, "status", node.pk).output
    told["paused by a fault"] = paused_processes(node)
    daemon.stop_daemon(wait=True)
    daemon.start_daemon(number_workers=1)
    told["after the restart"] = [one.process_status for one in waiting_for_approval(node)]
    while not node.is_terminated:
        answer = alpot(aiida_profile, "approve", node.pk)
        assert answer.exit_code == 0, answer.output
        told.setdefault("answer", answer.output)
        told["approvals"] += 1
        wait_for_process(node, condition=waits_or_ended)
    told["too late"] = alpot(aiida_profile, "approve", node.pk)
    return node


def test_it_says_for_what_it_waits_and_what_that_costs(approved, told):
    waiting = told["progress"].waiting
    assert waiting.startswith("paused before labelling ")
    assert "configuration" in waiting
    assert "core-seconds" in waiting
    assert waiting.endswith(": alpot approve")
    assert waiting in told["status"]
    assert told["paused by a fault"] == []


def test_it_still_waits_after_a_restart_of_the_daemon(approved, told):
    assert told["after the restart"] == [told["progress"].waiting]


def test_it_goes_on_when_it_is_approved(approved, told):
    assert "goes on with labelling" in told["answer"]
    assert approved.is_finished
    assert approved.exit_status in (0, 502, 503), approved.exit_message
    assert told["approvals"] >= 1


def test_what_has_ended_waits_for_nobody(approved, told):
    assert told["too late"].exit_code != 0
    assert "does not wait for approval" in told["too late"].output


def turns(node):
    return [one for one in node.outputs.turns.get_dict()["turns"] if one["turn"] > 0]


def test_every_turn_says_which_conditions_hold(approved):
    for turn in turns(approved):
        names = [one["name"] for one in turn["criterion"]]
        assert names == ["chains", "rate", "tests", "properties", "audit"]
        assert turn["rate"]["independent"] > 0
        assert turn["properties"]["equation_of_state, bulk: lattice_constant_A"] > 3
        assert turn["core_seconds"]["sample"] > 0
    if approved.exit_status:
        assert "not converged because" in approved.exit_message


def test_audited_frames_are_tested_and_never_trained_on(approved):
    trained = {
        one
        for node in approved.outputs.training.values()
        for one in node.get_configurations().hashes()
    }
    audits = [node for name, node in approved.outputs.test.items() if name.startswith("audit_")]
    assert len(audits) == sum(bool(turn["audit"]) for turn in turns(approved))
    for node in audits:
        assert not set(node.get_configurations().hashes()) & trained
        assert node.n_labelled == node.n_configurations == 2


def test_the_ledger_tells_the_size_and_the_cost_of_each_label(approved):
    entries = approved.outputs.ledger.get_dict()["entries"]
    paid = [one for one in entries if one["status"] == "labelled"]
    assert paid
    for one in paid:
        assert one["n_atoms"] in (31, 32)
        assert one["work"] == one["n_atoms"]
        assert one["core_seconds"] == pytest.approx(one["seconds"])


def test_costs_are_the_same_by_stage_and_by_turn(approved, aiida_profile, tmp_path):
    costs = read_costs(approved)
    assert sum(costs.stages.values()) == pytest.approx(costs.core_seconds)
    assert sum(costs.turns.values()) == pytest.approx(costs.core_seconds)
    answer = alpot(aiida_profile, "costs", approved.pk, "--json", tmp_path / "costs.json")
    assert answer.exit_code == 0, answer.output
    assert "By size of cell" in answer.output
    content = json.loads((tmp_path / "costs.json").read_text())
    assert content["core_seconds"] == pytest.approx(costs.core_seconds)
    assert {one["n_atoms"] for one in content["sizes"]} <= {31, 32}
