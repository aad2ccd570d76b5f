# SPDX-License-Identifier: MIT
"""A turn without a potential: a calculator of ASE explores and the first potential is fitted."""

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.turn import TurnWorkChain


@pytest.fixture(scope="module")
def first_turn(alpot_code, campaign_settings, named_structures):
    settings = campaign_settings()
    nvt = {**settings["explore"][0], "max_frames": 8}
    exploration = {"calculator": {"ase": "EMT", "settings": {}}, "explore": [nvt], "labels": 5}
    builder = TurnWorkChain.get_builder()
    builder.settings = orm.Dict({**settings, "exploration": exploration, "test_fraction": 0.5})
    builder.structures = ConfigurationsData.from_configurations(named_structures)
    builder.codes = {"alpot": alpot_code}
    builder.turn = orm.Int(0)
    builder.labels_left = orm.Int(30)
    return run_get_node(builder).node


def test_exploration_ends_with_a_first_potential(first_turn):
    assert first_turn.exit_status == 0, first_turn.exit_message
    assert first_turn.outputs.potential.level == 4
    assert first_turn.outputs.active_set.base.attributes.get("n_rows") > 0


def test_exploration_labels_at_most_what_it_may(first_turn):
    n_labels = first_turn.outputs.increment.n_labelled + first_turn.outputs.held_out.n_labelled
    assert n_labels == 5
    assert first_turn.outputs.record["labels_used"] == 5


def test_the_chains_that_are_held_out_are_tested_and_trained_on_in_their_starts_alone(first_turn):
    trained = first_turn.outputs.increment.get_configurations()
    held_out = first_turn.outputs.held_out.get_configurations()
    assert len(trained)
    assert len(held_out)
    assert held_out.step.min() > 0
    assert not set(trained.chain[trained.step > 0]) & set(held_out.chain)
    assert list(first_turn.outputs.record["errors"]["test"]) == ["held_out_000"]


def test_exploration_knows_where_its_frames_came_from(first_turn):
    increment = first_turn.outputs.increment.get_configurations()
    assert set(increment.sampler) == {"nvt"}
    assert set(increment.turn) == {0}
