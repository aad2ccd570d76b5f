# SPDX-License-Identifier: MIT
"""Fits without normal equations."""

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.fitting.linear import solve_linear
from aiida_alpot.fitting.loss import LossWeights, loss, loss_at, make_targets
from aiida_alpot.fitting.matrix_free import parameter_units
from aiida_alpot.fitting.restraints import make_restraints
from aiida_alpot.fitting.search import MATRIX_FREE, PROJECTION, choose_method
from aiida_alpot.mtp.jacobian import make_environment

from .data import emt_set, labelled_by, random_potential, rattled_cells

LEVEL, CUTOFF = 6, 4.5


@pytest.fixture(scope="module")
def training():
    return emt_set(8, seed=1)


@pytest.fixture(scope="module")
def initial(training):
    return start_potential(training, level=LEVEL, cutoff=CUTOFF)


@pytest.fixture(scope="module")
def fitted(training, initial):
    return fit_potential(training, initial=initial, method=MATRIX_FREE, tolerance=3e-2)


def test_more_than_the_linear_coefficients_is_found(training, initial, fitted):
    targets = make_targets(training, LossWeights())
    solved = solve_linear(initial, make_environment(initial, training), targets)
    assert fitted.converged
    assert fitted.loss < 0.5 * loss(solved, training)
    assert loss(fitted.potential, training) == pytest.approx(fitted.loss, rel=1e-12)


def test_every_report_is_lower_and_bits_do_not_depend_on_threads(training, initial, fitted):
    assert (np.diff(fitted.loss_history) < 0.0).all()
    again = fit_potential(training, initial=initial, method=MATRIX_FREE, tolerance=3e-2, threads=2)
    assert np.array_equal(again.potential.parameters, fitted.potential.parameters)


def test_steps_are_limited(training, initial):
    result = fit_potential(training, initial=initial, method=MATRIX_FREE, max_iterations=2)
    assert not result.converged
    assert result.n_iterations <= 2


def test_frozen_parameters_keep_every_bit(training):
    start = random_potential(LEVEL)
    frozen = np.arange(start.n_parameters) % 3 == 0
    restraints = make_restraints(start, frozen=frozen)
    result = fit_potential(
        training, initial=start, restraints=restraints, method=MATRIX_FREE, max_iterations=2
    )
    before, after = start.parameters, result.potential.parameters
    assert np.array_equal(after[frozen], before[frozen])
    assert (after[~frozen] != before[~frozen]).all()


def test_a_unit_of_each_parameter_changes_labels_by_about_one():
    truth = random_potential(8, ["Au", "Cu"])
    cells = labelled_by(truth, rattled_cells(3, species=["Au", "Cu"]))
    environment, targets = make_environment(truth, cells), make_targets(cells, LossWeights())
    units = parameter_units(truth, environment, targets)
    at_truth = loss_at(truth, environment, targets)
    for index in np.flatnonzero(units < 100 * units.min()):
        moved = truth.parameters
        moved[index] += 1e-4 * units[index]
        change = loss_at(truth.with_parameters(moved), environment, targets) - at_truth
        assert 0.3e-8 < change < 3e-8


def test_the_method_follows_from_the_size_and_can_be_chosen():
    assert choose_method(None, 2_000, 16) == PROJECTION
    assert choose_method(None, 20_000, 4) == MATRIX_FREE
    assert choose_method(MATRIX_FREE, 10, 1) == MATRIX_FREE
    with pytest.raises(SettingError, match="'newton'; give 'projection' or 'matrix-free'"):
        choose_method("newton", 10, 1)
