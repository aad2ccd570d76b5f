# SPDX-License-Identifier: MIT
"""Forecasts: a planted power law is found, intervals cover, and are wide where nothing is known."""

import numpy as np
import pytest

from aiida_alpot.campaign.forecast import CostEstimate, affordable_labels, fit_cost_law


def planted(exponent, n, *, scatter=0.1, seed=0, sizes=(4, 200)):
    rng = np.random.default_rng(seed)
    works = np.exp(rng.uniform(*np.log(sizes), n))
    return works, 0.02 * works**exponent * np.exp(scatter * rng.normal(size=n))


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_the_exponent_of_a_power_law_is_found(exponent):
    law = fit_cost_law(*planted(exponent, 200))
    assert law.exponent == pytest.approx(exponent, abs=0.05)
    assert law.scatter == pytest.approx(0.1, rel=0.3)
    assert law.estimate([100.0]).middle == pytest.approx(0.02 * 100**exponent, rel=0.1)


def test_one_size_tells_its_own_cost_and_nothing_of_the_exponent():
    law = fit_cost_law([32.0] * 8, [5.0] * 8)
    assert law.estimate([32.0]).middle == pytest.approx(5.0, rel=0.05)
    assert law.exponent == pytest.approx(2.0)
    assert law.spread(320.0) > 4 * law.spread(32.0)


def test_the_interval_holds_68_of_100_new_labels():
    inside = []
    for seed in range(300):
        works, seconds = planted(2.2, 12, scatter=0.3, seed=seed)
        law = fit_cost_law(works[:10], seconds[:10])
        for work, second in zip(works[10:], seconds[10:], strict=True):
            estimate = law.estimate([work])
            inside.append(estimate.low <= second <= estimate.high)
    assert 0.62 < np.mean(inside) < 0.80


def test_many_labels_scatter_less_than_one():
    law = fit_cost_law(*planted(2.0, 100, scatter=0.5))
    one, many = law.estimate([50.0]), law.estimate([50.0] * 64)
    assert many.middle == pytest.approx(64 * one.middle)
    assert many.high / many.middle < one.high / one.middle


def test_a_unit_of_time_or_work_changes_nothing_but_itself():
    works, seconds = planted(2.5, 20)
    law, other = fit_cost_law(works, seconds), fit_cost_law(7 * works, 60 * seconds)
    assert other.exponent == pytest.approx(law.exponent)
    assert other.estimate([700.0]).middle == pytest.approx(60 * law.estimate([100.0]).middle)


def test_labels_that_cost_nothing_say_nothing():
    assert fit_cost_law([10.0, 0.0], [0.0, 3.0]) is None
    assert fit_cost_law([10.0, 10.0], [0.0, 3.0]).n_labels == 1


def test_as_many_are_affordable_as_the_upper_end_of_the_forecast_allows():
    law = fit_cost_law(*planted(2.0, 50))
    works = [30.0, 60.0, 90.0, 40.0]
    for n in range(len(works) + 1):
        enough = law.estimate(works[:n]).high
        assert affordable_labels(law, works, enough * 1.001) == n
    assert affordable_labels(law, works, 0.0) == 0


def test_independent_estimates_add_with_their_squares():
    total = CostEstimate(10.0, 7.0, 13.0) + CostEstimate(20.0, 16.0, 24.0)
    assert (total.middle, total.low, total.high) == (30.0, 25.0, 35.0)
