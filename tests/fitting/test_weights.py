# SPDX-License-Identifier: MIT
"""Weights of configurations in a fit."""

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.fitting.loss import loss

from .data import emt_set


@pytest.fixture(scope="module")
def training():
    return emt_set(8, seed=1)


@pytest.fixture(scope="module")
def initial(training):
    return start_potential(training, level=6, cutoff=4.5)


def assert_same_fit(one, other, training, initial):
    """Equal losses step by step; parameters have soft directions in which rounding shows."""
    assert loss(initial, one) == pytest.approx(loss(initial, other), rel=1e-12)
    first, second = (
        fit_potential(data, initial=initial, max_iterations=3) for data in (one, other)
    )
    assert first.loss_history == pytest.approx(second.loss_history, rel=1e-6)
    assert loss(first.potential, training) == pytest.approx(
        loss(second.potential, training), rel=1e-5
    )


def test_weight_zero_is_leaving_out(training, initial):
    weight = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    weighted = training.replace(weight=weight)
    # an absurd label must not count either
    weighted = weighted.replace(energy=np.where(weight > 0.0, training.energy, 1e6))
    kept = training.select(weight > 0.0)
    assert_same_fit(weighted, kept, kept, initial)


def test_weight_two_is_having_twice(training, initial):
    weighted = training.replace(weight=np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0]))
    repeated = training.select([0, 1, 1, 2, 3, 3, 3, 4, 5, 6, 7])
    assert_same_fit(weighted, repeated, training, initial)


def test_only_ratios_of_weights_count(training, initial):
    weight = np.array([1.0, 0.5, 0.25, 1.0, 4.0, 1.0, 2.0, 3.0])
    one, other = (training.replace(weight=factor * weight) for factor in (1.0, 8.0))
    assert loss(initial, one) == pytest.approx(loss(initial, other), rel=1e-14)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_weight_that_is_none_is_refused(training, initial, wrong):
    weighted = training.replace(weight=np.array([1.0, 1.0, wrong, 1.0, 1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(SettingError, match=r"Configuration 2\b.* has the weight"):
        fit_potential(weighted, initial=initial)
