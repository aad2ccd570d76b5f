# SPDX-License-Identifier: MIT
"""Campaigns that cannot work end at once, with an exit code and one clear line."""

import numpy as np
import pytest
from aiida.engine import run_get_node

from aiida_alpot.configurations import Configurations


@pytest.fixture(scope="module")
def refused(campaign_builder):
    def run(**changes):
        node = run_get_node(campaign_builder(**changes)).node
        assert node.called == []  # nothing was spent
        return node

    return run


def test_a_budget_of_zero(refused):
    node = refused(budget={"labels": 0, "labels_per_turn": 5, "turns": 2})
    assert node.exit_status == 201
    assert "budget.labels is 0" in node.exit_message


def test_an_unknown_key(refused):
    node = refused(surprise=1)
    assert node.exit_status == 201
    assert "surprise" in node.exit_message


def test_a_start_with_labels_of_another_level_of_theory(refused, labelled_copper):
    other = labelled_copper.replace(level_of_theory='{"calculator":"Other"}')
    node = refused(start=other)
    assert node.exit_status == 203
    assert "Other" in node.exit_message


def test_a_sampler_that_starts_from_nowhere(refused, campaign_settings):
    explore = campaign_settings()["explore"]
    explore[0]["starts"] = ["surface"]
    node = refused(explore=explore)
    assert node.exit_status == 202
    assert "surface" in node.exit_message


def test_a_species_that_the_potential_lacks(refused, named_structures):
    iron = named_structures.replace(numbers=np.full(63, 26, dtype=np.int32))
    node = refused(structures=iron)
    assert node.exit_status == 202
    assert "Fe" in node.exit_message


def test_no_start_and_no_exploration(refused):
    node = refused(start=None)
    assert node.exit_status == 202
    assert "exploration" in node.exit_message


def test_first_sets_beyond_the_budget(refused):
    node = refused(budget={"labels": 3, "labels_per_turn": 3, "turns": 2})
    assert node.exit_status == 202
    assert "4 configurations" in node.exit_message


def test_an_empty_start(refused):
    node = refused(start=Configurations.empty())
    assert node.exit_status == 202
    assert "start" in node.exit_message
