# SPDX-License-Identifier: MIT
"""Parameters that a fit must not move, or should not move far."""

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.fit import fit_potential, restart
from aiida_alpot.fitting.linear import normal_equations, solve_linear
from aiida_alpot.fitting.loss import LossWeights, loss, loss_at, make_targets, penalty_residuals
from aiida_alpot.fitting.restraints import make_restraints
from aiida_alpot.mtp.jacobian import make_environment

from .data import emt_set, random_potential


@pytest.fixture(scope="module")
def training():
    return emt_set(5, seed=1)


@pytest.fixture(scope="module")
def parent(training):
    return fit_potential(training, initial=random_potential(6), max_iterations=3).potential


def fit(training, parent, **settings):
    return fit_potential(
        training, initial=parent, restraints=make_restraints(parent, **settings), max_iterations=4
    )


@pytest.mark.parametrize("method", ["projection", "matrix-free"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_frozen_parameters_keep_every_bit_and_the_others_are_fitted(
    training, parent, share, method
):
    frozen = np.random.default_rng(3).random(parent.n_parameters) < share
    result = fit_potential(
        training,
        initial=parent,
        restraints=make_restraints(parent, frozen=frozen),
        max_iterations=4,
        method=method,
    )
    after = result.potential.parameters
    assert np.array_equal(after[frozen], parent.parameters[frozen])
    assert not np.array_equal(after[~frozen], parent.parameters[~frozen])
    assert result.loss < loss(parent, training)


@pytest.mark.parametrize("block", ["radial", "linear"])
def test_a_whole_half_may_be_frozen(training, parent, block):
    frozen = np.zeros(parent.n_parameters, dtype=bool)
    frozen[: parent.n_radial_parameters] = True
    frozen = frozen if block == "radial" else ~frozen
    start = random_potential(6, seed=5) if block == "radial" else parent
    result = fit(training, start, frozen=frozen)
    assert np.array_equal(result.potential.parameters[frozen], start.parameters[frozen])
    assert result.loss < loss(start, training)
    if block == "radial":  # what remains is linear and solved at once
        assert result.converged
        assert result.n_iterations == 0


def test_freezing_is_fitting_with_fewer_parameters(training, parent):
    """The minimum with frozen parameters is the minimum over the others."""
    frozen = np.zeros(parent.n_parameters, dtype=bool)
    frozen[[*range(parent.n_radial_parameters), -1]] = True
    environment = make_environment(parent, training)
    targets = make_targets(training, LossWeights(), make_restraints(parent, frozen=frozen))
    solved = solve_linear(parent, environment, targets)
    free = np.flatnonzero(~frozen)
    lowest = loss_at(solved, environment, targets)
    rng = np.random.default_rng(0)
    for _ in range(5):
        moved = solved.parameters
        moved[free] += 1e-3 * rng.standard_normal(len(free))
        assert loss_at(solved.with_parameters(moved), environment, targets) > lowest


def test_further_starts_keep_what_is_frozen(parent):
    frozen = np.random.default_rng(3).random(parent.n_parameters) < 0.5
    fresh = restart(parent, make_restraints(parent, frozen=frozen), np.random.default_rng(0))
    assert fresh.scaling == parent.scaling
    assert np.array_equal(fresh.parameters[frozen], parent.parameters[frozen])
    assert not np.array_equal(fresh.parameters[~frozen], parent.parameters[~frozen])


def test_the_gradient_with_a_pull_is_the_derivative_of_the_loss(training, parent):
    n_radial = parent.n_radial_parameters
    pulled = np.arange(parent.n_parameters) % 3 > 0
    restraints = make_restraints(parent, pull=0.7, pulled=pulled)
    targets = make_targets(training, LossWeights(), restraints)
    environment = make_environment(parent, training)
    rng = np.random.default_rng(1)
    point = parent.with_parameters(
        parent.parameters + 0.01 * rng.standard_normal(parent.n_parameters)
    )
    equations = normal_equations(point, environment, targets)
    residuals, jacobian = penalty_residuals(point)
    gradient = -2.0 * equations.gradient
    gradient[:n_radial] += 2.0 * residuals @ jacobian
    assert equations.loss + residuals @ residuals == pytest.approx(
        loss_at(point, environment, targets), rel=1e-12
    )
    for _ in range(4):
        direction = rng.standard_normal(parent.n_parameters)
        ends = [
            loss_at(
                point.with_parameters(point.parameters + step * direction), environment, targets
            )
            for step in (1e-5, -1e-5)
        ]
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(gradient @ direction, rel=1e-5)


def test_a_strong_pull_gives_the_parent_and_a_weak_one_the_fit_to_the_data(training, parent):
    data = training.replace(energy=training.energy + 0.3 * np.arange(5))
    free = fit(data, parent).potential
    distance, losses = [], []
    for pull in (1e12, 1e2, 1e-2, 0.0):
        fitted = fit(data, parent, pull=pull).potential
        distance.append(np.linalg.norm(fitted.parameters - parent.parameters))
        losses.append(loss(fitted, data))
    assert distance[0] < 1e-9
    assert distance == sorted(distance)
    assert losses == sorted(losses, reverse=True)
    assert np.array_equal(fitted.parameters, free.parameters)


def test_senseless_restraints_are_refused(parent):
    with pytest.raises(SettingError, match="Every parameter is frozen"):
        make_restraints(parent, frozen=np.ones(parent.n_parameters, dtype=bool))
    with pytest.raises(SettingError, match=r"pull is -1\.0"):
        make_restraints(parent, pull=-1.0)
