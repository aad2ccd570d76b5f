# SPDX-License-Identifier: MIT
"""Fits without normal equations."""

import dataclasses

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting import curvature_sample
from aiida_alpot.fitting.curvature import curvature_product
from aiida_alpot.fitting.curvature_sample import CurvatureSample
from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.fitting.linear import PositiveSystem, solve_linear
from aiida_alpot.fitting.loss import LossWeights, loss, make_targets, penalty_residuals
from aiida_alpot.fitting.matrix_free import solve_by_products
from aiida_alpot.fitting.normal_equations import normal_equations
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
    return fit_potential(training, initial=initial, method=MATRIX_FREE)


def test_more_than_the_linear_coefficients_is_found(training, initial, fitted):
    targets = make_targets(training, LossWeights())
    solved = solve_linear(initial, make_environment(initial, training), targets)
    assert fitted.converged
    assert fitted.loss < 0.5 * loss(solved, training)
    assert loss(fitted.potential, training) == pytest.approx(fitted.loss, rel=1e-12)


def test_every_report_is_lower_and_bits_do_not_depend_on_threads(training, initial, fitted):
    assert (np.diff(fitted.loss_history) < 0.0).all()
    again = fit_potential(training, initial=initial, method=MATRIX_FREE, threads=2)
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


def two_species():
    truth = random_potential(8, ["Au", "Cu"])
    cells = labelled_by(truth, rattled_cells(20, species=["Au", "Cu"], repeat=1))
    return truth, make_environment(truth, cells), make_targets(cells, LossWeights())


def test_products_are_those_of_the_normal_equations():
    _, environment, targets = two_species()
    point = random_potential(8, ["Au", "Cu"], seed=3)
    matrix = normal_equations(point, environment, targets).matrix
    direction = np.random.default_rng(0).standard_normal(point.n_parameters)
    n_radial = point.n_radial_parameters
    for part in (slice(n_radial), slice(n_radial, None), slice(None)):
        vector = np.zeros_like(direction)
        vector[part] = direction[part]
        product = curvature_product(point, environment, targets, vector)
        expected = matrix @ vector
        np.testing.assert_allclose(product, expected, rtol=0, atol=1e-9 * abs(expected).max())


def reduced(point, environment, targets):
    """Return S, the penalty and the pull included, from the normal equations."""
    matrix = normal_equations(point, environment, targets).matrix
    n_radial = point.n_radial_parameters
    mixed = matrix[n_radial:, :n_radial]
    schur = matrix[:n_radial, :n_radial] - mixed.T @ PositiveSystem(
        matrix[n_radial:, n_radial:]
    ).solve(mixed)
    penalty = penalty_residuals(point)[1]
    return schur + penalty.T @ penalty


@pytest.mark.parametrize("pull", [0.0, 1e-3])
def test_the_whole_set_estimates_its_own_curvature_in_full(pull):
    point, environment, targets = two_species()
    targets = dataclasses.replace(targets, restraints=make_restraints(point, pull=pull))
    sample = CurvatureSample(point, environment, targets)
    found = sample.precondition(point)
    expected = reduced(point, environment, targets)
    assert np.array_equal(sample.free, np.arange(point.n_radial_parameters))
    (block,) = found.blocks
    np.testing.assert_allclose(block, expected, rtol=0, atol=1e-6 * abs(expected).max())
    right = np.random.default_rng(0).standard_normal(len(expected))
    solved = found.factorise(0.1)(right)
    left = block @ solved + 0.1 * found.diagonal * solved
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-8 * abs(right).max())


def test_large_estimates_fall_into_blocks_of_one_type_of_centre(monkeypatch):
    point, environment, targets = two_species()
    monkeypatch.setattr(curvature_sample, "LARGEST_BLOCK", 1)
    found = CurvatureSample(point, environment, targets).precondition(point)
    expected = reduced(point, environment, targets)
    half = point.n_radial_parameters // 2
    assert found.slices == [slice(0, half), slice(half, 2 * half)]
    for part, block in zip(found.slices, found.blocks, strict=True):
        np.testing.assert_allclose(
            block, expected[part, part], rtol=0, atol=1e-6 * abs(expected).max()
        )


def test_coefficients_of_pairs_that_do_not_occur_are_left_alone(training):
    start = start_potential(training, level=6, cutoff=4.5, species=["Cu", "Au"])
    result = fit_potential(training, initial=start, method=MATRIX_FREE, max_iterations=2)
    before, after = start.radial_coefficients, result.potential.radial_coefficients
    is_copper = np.zeros((2, 2), dtype=bool)
    is_copper[0, 0] = True
    assert np.array_equal(after[~is_copper], before[~is_copper])
    assert (after[is_copper] != before[is_copper]).all()


def test_conjugate_gradients_carry_along_what_is_linear():
    rng = np.random.default_rng(0)
    root, other = rng.standard_normal((6, 6)), rng.standard_normal((3, 6))
    matrix, right = root @ root.T + np.eye(6), rng.standard_normal(6)
    solution, residual, carried = solve_by_products(
        lambda vector: (matrix @ vector, other @ vector), right, lambda vector: vector
    )
    assert np.linalg.norm(residual) <= 0.1 * np.linalg.norm(right)
    np.testing.assert_allclose(matrix @ solution + residual, right, atol=1e-12)
    np.testing.assert_allclose(other @ solution, carried, atol=1e-12)


def test_it_finds_as_deep_a_minimum_as_with_normal_equations(training, initial, fitted):
    assert fitted.loss < 1.05 * fit_potential(training, initial=initial).loss


def test_the_method_follows_from_the_size_and_can_be_chosen():
    assert choose_method(None, 2_000, 16) == PROJECTION
    assert choose_method(None, 20_000, 4) == MATRIX_FREE
    assert choose_method(MATRIX_FREE, 10, 1) == MATRIX_FREE
    with pytest.raises(SettingError, match="'newton'; give 'projection' or 'matrix-free'"):
        choose_method("newton", 10, 1)
