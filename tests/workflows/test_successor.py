# SPDX-License-Identifier: MIT
"""Campaigns that go on from others: one that was killed, and one whose settings were changed."""

import copy

import pytest
from aiida import orm
from aiida.engine import submit
from aiida.engine.processes import control

from aiida_alpot.reports.costs import read_costs
from aiida_alpot.reports.progress import read_progress
from aiida_alpot.workflows.accounting import (
    core_hours,
    costs_of_chain,
    costs_of_jobs,
    predecessors_of,
)
from aiida_alpot.workflows.forecasting import make_forecast
from aiida_alpot.workflows.settings import BudgetSettings, check_settings
from aiida_alpot.workflows.successor import needs_fit, read_state, successor_builder

pytestmark = pytest.mark.daemon


def jobs_of(node, kind):
    return [
        child
        for child in node.called_descendants
        if isinstance(child, orm.CalcJobNode) and child.process_type.endswith(f"alpot.{kind}")
    ]


@pytest.fixture(scope="module")
def new_campaign(campaign_builder, unlabelled_copper):
    """Return the inputs of a campaign whose cells no other test labels."""
    start = unlabelled_copper()
    return lambda: campaign_builder(start=start)


@pytest.fixture(scope="module")
def undisturbed(new_campaign, run_in_daemon):
    return run_in_daemon(new_campaign())


@pytest.fixture(scope="module")
def killed(undisturbed, new_campaign, wait_for_process):
    """The same campaign, killed while its first turn selects or labels."""

    def has_sampled(node):
        return any(job.is_finished_ok for job in jobs_of(node, "sample"))

    node = submit(new_campaign())
    wait_for_process(node, condition=has_sampled)
    control.kill_processes([node], timeout=60)
    return wait_for_process(node)


@pytest.fixture(scope="module")
def resumed(killed, run_in_daemon):
    return run_in_daemon(successor_builder(killed))


@pytest.fixture(scope="module")
def amended(undisturbed, run_in_daemon):
    """The campaign that ran through goes on with a higher level and a larger budget."""
    settings = copy.deepcopy(undisturbed.inputs.settings.get_dict())
    settings["potential"]["level"] = 6
    settings["budget"] = {"labels": 40, "labels_per_turn": 5, "turns": 3}
    amendment = {"changes": {"potential.level": [4, 6]}}
    return run_in_daemon(successor_builder(undisturbed, settings=settings, amendment=amendment))


def test_a_campaign_that_was_killed_goes_on_to_the_same_bits(undisturbed, killed, resumed):
    assert killed.is_killed
    assert resumed.exit_status == undisturbed.exit_status, resumed.exit_message
    assert resumed.outputs.potential.content == undisturbed.outputs.potential.content
    assert resumed.outputs.active_set.content == undisturbed.outputs.active_set.content
    first, second = undisturbed.outputs, resumed.outputs
    assert first.turns["turns"][-1]["samples"] == second.turns["turns"][-1]["samples"]
    assert sorted(first.training) == sorted(second.training)


def test_a_campaign_that_goes_on_keeps_one_ledger(undisturbed, killed, resumed):
    hashes = [
        sorted(entry["hash"] for entry in node.outputs.ledger["entries"])
        for node in (undisturbed, resumed)
    ]
    assert hashes[0] == hashes[1]
    assert resumed.outputs.summary["labels_used"] == undisturbed.outputs.summary["labels_used"]
    assert jobs_of(resumed, "label") == []


def test_the_way_back_to_the_predecessor_stands_in_the_provenance(killed, resumed):
    given = resumed.inputs.predecessor
    fits = jobs_of(killed, "fit")
    assert given.potential.creator.uuid in {fit.uuid for fit in fits}
    query = orm.QueryBuilder()
    query.append(orm.Node, filters={"uuid": resumed.outputs.potential.uuid}, tag="potential")
    query.append(orm.CalcJobNode, with_descendants="potential", project="uuid")
    assert fits[0].uuid in query.all(flat=True)


def test_a_raised_level_is_fitted_to_all_labels_before_the_next_turn(undisturbed, amended):
    assert amended.exit_status in (0, 501, 502, 503), amended.exit_message
    assert amended.outputs.potential.level == 6
    fit = jobs_of(amended, "fit")[0]
    assert fit.inputs.initial.uuid == undisturbed.outputs.potential.uuid
    assert set(undisturbed.outputs.training) <= set(amended.outputs.training)
    turns = [record["turn"] for record in amended.outputs.turns["turns"]]
    last = undisturbed.outputs.summary["n_turns"]
    assert turns[: last + 1] == list(range(last + 1))
    assert turns[last + 1] == last  # the fit
    assert turns[-1] == last + 1
    assert amended.inputs.amendment["changes"] == {"potential.level": [4, 6]}


def test_the_fit_before_the_next_turn_is_told_from_the_turn_before_it(undisturbed, amended):
    last = undisturbed.outputs.summary["n_turns"]
    shown = [(turn.turn, turn.shown_stage) for turn in read_progress(amended).turns]
    assert shown[-3:] == [(last, "done"), (last, "refitted"), (last + 1, "done")]


def test_the_budget_of_a_successor_counts_the_labels_of_its_predecessor(undisturbed, amended):
    before, after = undisturbed.outputs.summary, amended.outputs.summary
    own = len(amended.outputs.ledger["entries"]) - len(undisturbed.outputs.ledger["entries"])
    spent = [entry for entry in amended.outputs.ledger["entries"] if entry["status"] != "skipped"]
    assert after["labels_used"] == len(spent)
    assert own >= 0
    assert after["labels_used"] >= before["labels_used"]


def test_the_core_hours_of_a_successor_count_those_of_its_predecessors(undisturbed, amended):
    assert predecessors_of(undisturbed) == []
    assert predecessors_of(amended) == [undisturbed]
    before, own = costs_of_jobs(undisturbed), costs_of_jobs(amended)
    assert before
    assert own
    assert costs_of_chain(amended) == [*before, *own]
    budget = BudgetSettings(labels=40, labels_per_turn=5, turns=3, core_hours=1.0)
    left = make_forecast(amended, budget)["core_seconds_left"]
    assert left == pytest.approx(3600.0 - 3600.0 * (core_hours(before) + core_hours(own)))
    spent = sum(read_progress(amended).core_seconds.values())
    assert spent == pytest.approx(3600.0 - left)
    assert read_costs(amended).core_seconds == pytest.approx(spent)


def test_a_campaign_that_was_killed_is_a_predecessor_too(killed, resumed):
    assert predecessors_of(resumed) == [killed]


def test_a_campaign_without_a_potential_begins_anew_and_keeps_its_sets(
    campaign_builder, copper_cells, run_in_daemon
):
    far = {"name": "EMT", "settings": {"asap_cutoff": "no"}}
    builder = campaign_builder(start=copper_cells)
    settings = builder.settings.get_dict()
    wrong = {**settings, "label": {**settings["label"], "calculator": far}}
    builder.settings = orm.Dict(wrong)
    failed = run_in_daemon(builder)
    assert failed.exit_status not in (0, None)
    assert read_state(failed).potential is None
    again = successor_builder(failed, settings=settings)
    assert again.start.uuid == failed.inputs.start.uuid
    assert "potential" not in again.predecessor


def test_only_changes_of_the_potential_ask_for_a_fit(campaign_settings):
    before = campaign_settings()
    check_settings(before)
    budget = {**before, "budget": {**before["budget"], "labels": 99}}
    threshold = {**before, "grades": {**before["grades"], "gamma_select": 1.5}}
    level = {**before, "potential": {**before["potential"], "level": 6}}
    mode = {**before, "grades": {**before["grades"], "mode": "configuration"}}
    assert [needs_fit(before, one) for one in (budget, threshold, level, mode)] == [
        False,
        False,
        True,
        True,
    ]


def test_a_successor_shows_the_turns_and_labels_of_its_predecessor(undisturbed, amended):
    before, after = read_progress(undisturbed), read_progress(amended)
    assert after.labels_used == amended.outputs.summary["labels_used"]
    assert after.turns[: len(before.turns)] == before.turns
    assert [turn.turn for turn in after.turns] == [
        record["turn"] for record in amended.outputs.turns["turns"]
    ]
