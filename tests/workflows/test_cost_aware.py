# SPDX-License-Identifier: MIT
"""A campaign that selects per cost: costs follow from what the labeller would count."""

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_alpot.calculations import SelectCalculation
from aiida_alpot.campaign.forecast import costs_of_labels, fit_cost_law
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.turn import TurnWorkChain


@pytest.fixture(scope="module")
def selection(alpot_code, campaign_settings, named_structures):
    """Return the select job of a turn that explores with EMT from two cells."""
    settings = campaign_settings()
    nvt = {**settings["explore"][0], "max_frames": 4}
    settings["exploration"] = {
        "calculator": {"ase": "EMT", "settings": {}},
        "explore": [nvt],
        "labels": 2,
    }
    settings["grades"] |= {"per_cost": True, "cost_exponent": 3.0}
    builder = TurnWorkChain.get_builder()
    builder.settings = orm.Dict(settings)
    builder.structures = ConfigurationsData.from_configurations(named_structures)
    builder.codes = {"alpot": alpot_code}
    builder.turn = orm.Int(0)
    builder.labels_left = orm.Int(30)
    turn = run_get_node(builder).node
    assert turn.exit_status == 0, turn.exit_message
    (job,) = [one for one in turn.called if one.process_class is SelectCalculation]
    return job


def test_the_select_job_is_told_what_each_candidate_costs(selection):
    request = selection.inputs.settings.get_dict()
    sets = [selection.inputs.candidates[name] for name in sorted(selection.inputs.candidates)]
    n_atoms = [n for node in sets for n in node.get_configurations().n_atoms.tolist()]
    assert set(n_atoms) == {31, 32}
    assert request["costs"] == pytest.approx([(n / 31) ** 3 for n in n_atoms])
    assert selection.outputs.selected.n_configurations == 2


def test_the_power_is_learnt_from_what_labels_have_cost():
    works = [8, 16, 32, 64, 128]
    law = fit_cost_law(works, [w**3.1 for w in works])
    assert costs_of_labels([8, 16], law) == pytest.approx([1.0, 8.0])
    assert costs_of_labels([8, 16], law, exponent=1.0) == pytest.approx([1.0, 2.0])
    assert costs_of_labels([8, 16], None) == pytest.approx([1.0, 4.0])
    assert costs_of_labels([], None) == []


@pytest.fixture(scope="module")
def campaign(campaign_builder, campaign_settings, copper_cells):
    """A campaign of two turns that selects by information per core-hour, run to its end."""
    settings = campaign_settings()
    grades = {**settings["grades"], "gamma_select": 1.5, "per_cost": True, "cost_exponent": None}
    node = run_get_node(
        campaign_builder(
            start=copper_cells.select([0, 1]), grades=grades, explore=settings["explore"][:1]
        )
    ).node
    assert node.exit_status in (0, 501, 502, 503), node.exit_message
    return node


def test_a_campaign_with_costs_ends_with_a_potential_and_a_ledger(campaign):
    assert campaign.outputs.potential.level == 4
    turns = campaign.outputs.turns["turns"]
    assert turns[1]["n_selected"] > 0
    labelled = turns[1]["n_labelled"] + turns[1]["n_looked_up"]  # by a test that ran before
    assert labelled == turns[1]["n_selected"]
    ledger = campaign.outputs.ledger["entries"]
    paid = [one for one in ledger if one["status"] == "labelled" and one["turn"] > 0]
    assert all(one["core_seconds"] > 0 and one["work"] in (31, 32) for one in paid)


def test_each_turn_of_a_campaign_with_costs_tells_them(campaign):
    jobs = [one for one in campaign.called_descendants if one.process_class is SelectCalculation]
    assert jobs
    for job in jobs:
        sets = [job.inputs.candidates[name] for name in sorted(job.inputs.candidates)]
        works = [n for node in sets for n in node.get_configurations().n_atoms.tolist()]
        costs = job.inputs.settings["costs"]
        assert len(costs) == len(works)
        assert min(costs) == pytest.approx(1.0)
        dear = {cost for cost, work in zip(costs, works, strict=True) if work == max(works)}
        assert len(dear) == 1
        assert dear.pop() >= 1.0
