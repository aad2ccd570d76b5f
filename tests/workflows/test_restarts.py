# SPDX-License-Identifier: MIT
"""A chain that the first turn stopped goes on from its last known frame in the second."""

import copy

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_alpot.errors import SettingError
from aiida_alpot.reports.provenance import training_configurations
from aiida_alpot.workflows.settings import check_settings
from aiida_alpot.workflows.successor import called_by_link, read_state, successor_builder

HEATING = {
    "name": "heat",
    "starts": ["bulk", "vacancy"],
    "sampler": {"kind": "molecular_dynamics", "temperature_K": [50, 3000], "steps": 200},
    "max_frames": 10,
    "record_every": 2,
    "starts_per_job": 2,
    "restart": "last_good_frame",
}
RELAXATION = {
    "name": "relax",
    "starts": ["bulk"],
    "sampler": {"kind": "relaxation", "steps": 5},
    "max_frames": 5,
    "record_every": 5,
    "starts_per_job": 1,
}
GRADES = {
    "gamma_entry": 1.1,
    "gamma_select": 2.0,
    "gamma_break": 3.0,
    "mode": "neighborhood",
    "method": "projected",
}


@pytest.fixture(scope="module")
def campaign(campaign_builder):
    builder = campaign_builder(
        explore=[HEATING, RELAXATION],
        grades=GRADES,
        budget={"labels": 30, "labels_per_turn": 4, "turns": 2},
    )
    return run_get_node(builder).node


@pytest.fixture(scope="module")
def turns(campaign):
    steps = called_by_link(called_by_link(campaign)["learn"])
    return [steps[f"turn_{number:03d}"] for number in (1, 2)]


def jobs_of(turn):
    return called_by_link(called_by_link(turn)["sample"])


def chains_of(turn, name="heat_000"):
    return {one["chain"]: one for one in jobs_of(turn)[name].outputs.result["chains"]}


def test_the_second_turn_begins_with_the_frames_that_the_first_one_left(turns):
    first, second = turns
    left = first.outputs.restarts.heat_000
    assert left.creator.uuid == jobs_of(first)["heat_000"].uuid
    job = jobs_of(second)["heat_000"]
    assert job.inputs.restarts.uuid == left.uuid
    frames = left.get_configurations()
    known = dict(zip(frames.chain.tolist(), frames.step.tolist(), strict=True))
    stopped = {n for n, one in chains_of(first).items() if one["stop"] == "gamma_break"}
    assert known
    assert set(known) <= stopped
    assert all(0 < known[name] <= chains_of(first)[name]["steps"] for name in known)
    assert (frames.grade <= GRADES["gamma_select"]).all()
    for name, chain in chains_of(second).items():
        assert chain["first_step"] == known.get(name, 0)
        assert chain["steps"] >= chain["first_step"]


def test_other_samplers_begin_at_their_starts(turns):
    for turn in turns:
        assert "restarts" not in jobs_of(turn)["relax_000"].inputs
        assert "relax_000" not in turn.outputs.restarts


def test_frames_of_a_chain_that_went_on_are_traced_to_its_start(campaign, turns):
    known = turns[0].outputs.restarts.heat_000.get_configurations()
    steps = dict(zip(known.chain.tolist(), known.step.tolist(), strict=True))
    later = [
        one
        for one in training_configurations(campaign.outputs.potential)
        if one.turn == 2 and one.sampler == "heat"
    ]
    assert later
    assert {one.chain for one in later} <= {"bulk", "vacancy"}
    assert all(one.step >= steps.get(one.chain, 0) for one in later)
    descendants = orm.QueryBuilder()
    descendants.append(orm.Node, filters={"uuid": turns[0].outputs.restarts.heat_000.uuid}, tag="x")
    descendants.append(orm.Node, with_ancestors="x", project="uuid")
    assert campaign.outputs.potential.uuid in descendants.all(flat=True)


def test_the_record_says_where_chains_began(campaign, turns):
    [record] = [one for one in campaign.outputs.turns["turns"] if one["turn"] == 2]
    told = {
        one["chain"]: one["first_step"] for one in record["samples"] if one["job"] == "heat_000"
    }
    assert told == {name: one["first_step"] for name, one in chains_of(turns[1]).items()}


def test_a_successor_goes_on_from_the_last_turn_unless_its_samplers_are_others(campaign, turns):
    state = read_state(campaign)
    last = dict(turns[1].outputs.restarts.items()) if "restarts" in turns[1].outputs else {}
    assert {name: node.uuid for name, node in state.restarts.items()} == {
        name: node.uuid for name, node in last.items()
    }
    state.restarts = dict(turns[0].outputs.restarts.items())
    settings = copy.deepcopy(campaign.inputs.settings.get_dict())
    settings["budget"]["turns"] = 4
    builder = successor_builder(campaign, settings=settings, state=copy.copy(state))
    assert builder.predecessor["restarts"]["heat_000"].uuid == state.restarts["heat_000"].uuid
    settings["explore"][0]["sampler"]["steps"] = 300
    builder = successor_builder(campaign, settings=settings, state=copy.copy(state))
    assert not builder.predecessor["restarts"]


def test_settings_refuse_samplers_that_cannot_go_on(campaign_settings):
    changed = {**RELAXATION, "sampler": {"kind": "rattled"}, "restart": "last_good_frame"}
    with pytest.raises(SettingError, match="'rattled' cannot go on"):
        check_settings(campaign_settings(explore=[changed]))
