# SPDX-License-Identifier: MIT
"""The criterion: bounds that cover, conditions that hold exactly when they should."""

import numpy as np
import pytest
from scipy.stats import binom

from aiida_alpot.campaign.convergence import (
    Rate,
    count_frames,
    judge_audit,
    judge_chains,
    judge_rate,
    judge_stationary,
    rate_bound,
    reason_not_converged,
)


@pytest.mark.parametrize("n", [3, 10, 100, 10_000])
def test_none_of_many_bounds_the_rate_by_three_over_their_number(n):
    assert rate_bound(0, n) == pytest.approx(3 / n)
    # the rule of three is the exact bound, rounded to the safe side
    assert rate_bound(0, n) >= 1 - 0.05 ** (1 / n)


@pytest.mark.parametrize(("k", "n"), [(1, 5), (1, 600), (7, 40), (39, 40)])
def test_at_the_bound_so_few_events_come_in_one_case_of_twenty(k, n):
    assert binom.cdf(k, n, rate_bound(k, n)) == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize("true_rate", [0.002, 0.03, 0.3])
def test_the_bound_covers_the_true_rate_in_at_least_95_cases_of_100(true_rate):
    n = 200
    covers = [rate_bound(k, n) >= true_rate for k in range(n + 1)]
    assert binom.pmf(np.arange(n + 1), n, true_rate)[covers].sum() >= 0.95


def test_the_bound_grows_with_events_and_falls_with_trials():
    assert np.all(np.diff([rate_bound(k, 50) for k in range(51)]) > 0)
    bounds = [rate_bound(2, n) for n in range(2, 400)]
    assert np.all(np.diff(bounds) < 0)
    assert rate_bound(5, 5) == rate_bound(0, 0) == 1.0


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 2)])
def test_more_events_than_trials_are_refused(k, n):
    with pytest.raises(ValueError, match="events"):
        rate_bound(k, n)


def chain(**changes):
    found = {"sampler": "nvt", "chain": "bulk", "completed": True, "reason": "all done"}
    return {**found, "largest_grade": 1.2, "graded": 101, **changes}


def test_frames_are_counted_as_the_job_counted_them():
    counted = {"independent_frames": 11, "extrapolating_frames": 2}
    rate = count_frames([chain(**counted)] * 3, record_every={"nvt": 10}, gamma_select=2.0)
    assert (rate.extrapolating, rate.independent) == (6, 33)


def test_where_the_job_did_not_count_a_block_of_frames_stands_for_one():
    chains = [chain(), chain(largest_grade=2.5), chain(graded=None, largest_grade=None)]
    rate = count_frames(chains, record_every={"nvt": 10}, gamma_select=2.0)
    assert (rate.extrapolating, rate.independent) == (1, 22)


@pytest.mark.parametrize(
    ("k", "n", "limit", "holds"),
    [
        (0, 300, 0.01, True),
        (0, 299, 0.01, False),
        (1, 600, 0.01, True),
        (2, 600, 0.01, False),
        (0, 600, 0.001, False),
        (0, 0, 0.5, False),
        (0, 2, None, False),
        (0, 24, None, True),  # few frames cannot show 1 %: none of them may extrapolate
        (1, 24, None, False),
        (1, 600, None, True),
    ],
)
def test_the_rate_holds_if_its_bound_is_within_the_limit(k, n, limit, holds):
    condition = judge_rate(Rate(k, n, rate_bound(k, n)), limit)
    assert condition.holds is holds
    assert f"{k} of {n} independent frames" in condition.detail


def test_chains_that_are_too_short_to_show_the_limit_are_told_how_long():
    assert "300 frames" in judge_rate(Rate(0, 24, rate_bound(0, 24)), 0.01).detail


def test_so_few_frames_that_they_show_nothing_are_said_to_be_too_few():
    assert "too few to show a rate" in judge_rate(Rate(1, 1, 1.0), None).detail


def test_a_chain_that_stopped_early_is_named():
    early = chain(completed=False, chain="vacancy", reason="grade 12 > gamma_break 10")
    condition = judge_chains([chain(), early])
    assert not condition.holds
    assert "nvt from vacancy (grade 12 > gamma_break 10)" in condition.detail
    assert judge_chains([chain()]).holds
    assert not judge_chains([]).holds


def test_a_chain_that_ran_only_what_was_left_of_it_holds_no_turn():
    condition = judge_chains([chain(), chain(chain="vacancy", first_step=650)])
    assert not condition.holds
    assert "1 of 2 chains ran only what the turn before had left" in condition.detail
    assert "nvt from vacancy (from step 650)" in condition.detail
    assert judge_chains([chain(first_step=0)]).holds


@pytest.mark.parametrize(
    ("values", "tolerance", "holds"),
    [
        ([0.020, 0.019], "10 %", True),
        ([0.020, 0.0179], "10 %", False),
        ([0.0179, 0.020], "10 %", False),
        ([9.0, 0.020, 0.019], "10 %", True),  # what lies further back does not count
        ([3.61, 3.6101], 0.001, True),
        ([3.61, 3.612], 0.001, False),
        ([0.0, 0.0], "1 %", True),
    ],
)
def test_figures_are_stationary_if_they_moved_less_than_their_tolerance(values, tolerance, holds):
    history = [{"a": value} for value in values]
    condition = judge_stationary("tests", history, {"a": tolerance}, n_turns=2)
    assert condition.holds is holds
    assert "a moved by" in condition.detail


def test_the_figure_that_moved_most_is_named():
    history = [{"a": 1.0, "b": 1.0}, {"a": 1.01, "b": 2.0}]
    assert "b moved by 1" in judge_stationary("tests", history, {"*": "5 %"}, n_turns=2).detail


@pytest.mark.parametrize("history", [[], [{}, {}], [{"a": 1.0}], [{"b": 1.0}, {"a": 1.0}]])
def test_what_is_not_known_over_all_turns_is_not_stationary(history):
    assert not judge_stationary("tests", history, {"*": "5 %"}, n_turns=2).holds


def test_a_test_set_that_joined_late_does_not_hold_the_others_up():
    history = [{"a": 1.0}, {"a": 1.0, "late": 7.0}]
    assert judge_stationary("tests", history, {"*": "5 %"}, n_turns=2).holds


def test_figures_that_are_not_finite_are_not_stationary():
    history = [{"a": float("nan")}, {"a": 1.0}]
    assert not judge_stationary("tests", history, {"*": "5 %"}, n_turns=2).holds


@pytest.mark.parametrize(("error", "holds"), [(0.04, True), (0.05, True), (0.06, False)])
def test_an_audit_holds_if_every_error_is_within_its_target(error, holds):
    errors = {"forces_rmse_eV_per_A": error, "energy_rmse_meV_per_atom": 1.0}
    targets = {"forces_rmse_eV_per_A": 0.05}
    assert judge_audit(errors, targets, 4, 4).holds is holds


def test_an_audit_without_labels_does_not_hold():
    assert not judge_audit({}, {}, 0, 4).holds
    assert not judge_audit({"a": None}, {"a": 1.0}, 2, 4).holds


def test_why_it_has_not_converged_is_told_by_what_does_not_hold():
    conditions = [
        {"name": "rate", "holds": True, "detail": "fine"},
        {"name": "audit", "holds": False, "detail": "too large"},
    ]
    assert reason_not_converged(conditions, held=0, asked=2) == "not converged because too large"
    held = reason_not_converged(conditions[:1], held=1, asked=2)
    assert held == "not converged because the criterion held in 1 turn of 2 in a row"
    assert reason_not_converged(conditions[:1], held=2, asked=2) == ""
