# SPDX-License-Identifier: MIT
"""Targets are judged against the reference, or as largest values, before and after."""

from __future__ import annotations

import pytest

from aiida_alpot.campaign.validation import TEST_FIGURES, figures_of
from aiida_alpot.cli.outcome import outcome_lines
from aiida_alpot.properties.registry import PROPERTIES
from aiida_alpot.reports.outcome import SHOWN, assess, plain_name, unit_of


def figure(outcome, name):
    (found,) = [one for one in outcome.figures if one.name == name]
    return found


def test_a_deviation_from_the_reference_is_compared_with_the_target(outcome_parts):
    vacancy = figure(assess(**outcome_parts), "formation energy")
    assert vacancy.met is True
    assert vacancy.met_before is False
    assert vacancy.deviation(vacancy.after) == pytest.approx(-0.01)
    assert vacancy.target_text == "within 0.02 eV"


@pytest.mark.parametrize(("target", "met"), [("1 %", True), ("0.5 %", False), (0.005, False)])
def test_percentages_count_of_the_reference(target, met, outcome_parts):
    outcome_parts["targets"] = [{"formation_energy_eV": target}]
    assert figure(assess(**outcome_parts), "formation energy").met is met


def test_errors_are_compared_as_largest_values(outcome_parts):
    forces = figure(assess(**outcome_parts), "forces RMSE")
    assert (forces.before, forces.after) == (0.02, 0.02)
    assert forces.met is True
    outcome_parts["test_targets"] = {"forces_rmse_eV_per_A": 0.01}
    outcome = assess(**outcome_parts)
    assert figure(outcome, "forces RMSE").met is False
    assert not outcome.targets_met


def test_a_property_that_failed_misses_its_targets(outcome_parts):
    entry = outcome_parts["after"]["properties"][0]
    outcome_parts["after"] = {
        "properties": [{**entry, "values": None, "reference": None, "failed": "no minimum"}]
    }
    outcome = assess(**outcome_parts)
    assert outcome.failures == ("vacancy, bulk: no minimum",)
    assert not outcome.targets_met
    assert "Failed: vacancy, bulk: no minimum" in outcome_lines(outcome)


def test_a_validation_that_is_missing_misses_its_targets(outcome_parts):
    outcome_parts["after"] = {}
    assert not assess(**outcome_parts).targets_met
    assert assess(**outcome_parts, ended=False).failures == ()


def test_figures_without_a_target_are_neither_met_nor_missed(outcome_parts):
    outcome_parts["targets"] = [{}]
    outcome = assess(**outcome_parts)
    assert figure(outcome, "formation energy").met is None
    assert outcome.targets_met


def test_the_table_tells_what_passed_and_what_the_start_misses(outcome_parts):
    lines = outcome_lines(assess(**outcome_parts))
    (row,) = [line for line in lines if "formation energy, eV" in line]
    assert row.split()[-1] == "pass"
    assert lines[-1] == "2 of 2 targets met; the start alone misses 1 of them."


@pytest.mark.parametrize("kind", PROPERTIES)
def test_the_figures_that_are_shown_exist(kind):
    assert set(SHOWN[kind]) <= set(figures_of(kind))


@pytest.mark.parametrize(
    ("name", "plain", "unit"),
    [
        ("lattice_constant_A", "lattice constant", "A"),
        ("energy_rmse_meV_per_atom", "energy RMSE", "meV/atom"),
        ("largest_force_error_eV_per_A", "largest force error", "eV/A"),
        ("n_above_gamma_break", "frames above gamma break", ""),
        ("volume_per_atom_A3", "volume per atom", "A^3"),
        ("largest_grade", "largest grade", ""),
    ],
)
def test_names_of_figures_are_told_in_words_with_their_unit(name, plain, unit):
    assert (plain_name(name), unit_of(name)) == (plain, unit)


def test_every_test_figure_has_a_unit():
    assert all(unit_of(name) for name in TEST_FIGURES)
