# SPDX-License-Identifier: MIT
"""The exact solution for the linear coefficients."""

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.linear import PositiveSystem, solve_linear
from aiida_alpot.fitting.loss import LossWeights, loss_at, make_targets
from aiida_alpot.fitting.normal_equations import (
    add_weighted_products,
    linear_coefficients,
    normal_equations,
)
from aiida_alpot.mtp.jacobian import block_jacobian, make_environment

from .data import emt_set, labelled_by, random_potential, rattled_cells


@pytest.mark.parametrize("level", [8, 12])
def test_no_change_of_the_linear_coefficients_lowers_the_loss(level):
    training = emt_set(4, seed=1)
    potential = random_potential(level)
    environment, targets = (
        make_environment(potential, training),
        make_targets(training, LossWeights()),
    )
    solved = solve_linear(potential, environment, targets)
    lowest = loss_at(solved, environment, targets)
    rng = np.random.default_rng(0)
    n_radial = potential.n_radial_parameters
    assert np.array_equal(solved.parameters[:n_radial], potential.parameters[:n_radial])
    for size in (1e-3, 1e-1):
        for _ in range(10):
            moved = solved.parameters
            linear = moved[n_radial:]
            linear *= 1.0 + size * rng.standard_normal(len(linear))
            assert loss_at(solved.with_parameters(moved), environment, targets) > lowest


def test_linear_coefficients_are_recovered_from_their_own_labels():
    truth = random_potential(12, ["Au", "Cu"])
    training = labelled_by(truth, rattled_cells(30, species=["Au", "Cu"]))
    parameters = truth.parameters
    parameters[truth.n_radial_parameters :] = 0.0
    environment = make_environment(truth, training)
    targets = make_targets(training, LossWeights())
    solved = solve_linear(truth.with_parameters(parameters), environment, targets)
    assert loss_at(solved, environment, targets) < 1e-12 + loss_at(truth, environment, targets)


def test_sums_do_not_depend_on_the_number_of_threads():
    training = emt_set(5, seed=2, repeat=3)
    potential = random_potential(8)
    environment = make_environment(potential, training)
    targets = make_targets(training, LossWeights())
    assert len(environment.blocks()) > 1
    one = normal_equations(potential, environment, targets)
    two = normal_equations(potential, environment, targets, threads=2)
    assert np.array_equal(one.matrix, two.matrix)
    assert np.array_equal(one.gradient, two.gradient)
    assert one.loss == two.loss


def test_singular_equations_are_solved_where_they_can_be():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((10, 6)) * 10.0 ** np.arange(6)
    rows[:, 3] = rows[:, 1] + rows[:, 2]  # dependent
    rows[:, 5] = 0.0  # unknown
    truth = rng.standard_normal(6)
    right = rows.T @ (rows @ truth)
    solution = PositiveSystem(rows.T @ rows).solve(right)
    assert solution[5] == 0.0
    np.testing.assert_allclose(rows @ solution, rows @ truth, rtol=1e-6, atol=1e-6)
    several = PositiveSystem(rows.T @ rows).solve(np.stack([right, 2 * right], axis=1))
    np.testing.assert_allclose(several, np.stack([solution, 2 * solution], axis=1), rtol=1e-9)


def test_equations_made_indefinite_by_rounding_are_solved():
    matrix = np.array([[1.0, 1.0 + 1e-9], [1.0 + 1e-9, 1.0]])
    solution = PositiveSystem(matrix).solve(np.array([1.0, 1.0]))
    np.testing.assert_allclose(matrix @ solution, 1.0, rtol=1e-6)


@pytest.mark.parametrize(("level", "species"), [(2, ["Cu"]), (8, ["Au", "Cu"]), (12, ["Cu"])])
def test_products_of_weighted_rows_are_those_of_numpy(level, species):
    rng = np.random.default_rng(0)
    potential = random_potential(level, species)
    cells = Configurations.from_atoms(rattled_cells(2, species=species))
    jacobian = block_jacobian(potential, make_environment(potential, cells), (0, 2))
    rows = jacobian.rows
    labels, scales = rng.standard_normal((2, rows.shape[1]))
    scales[::3] = 0.0
    linear = linear_coefficients(potential)
    expected = np.vstack([rows, labels - linear @ rows[-len(linear) :]]) * scales
    products = np.ones((jacobian.n_lanes, jacobian.n_lanes))
    add_weighted_products(jacobian, linear, labels, scales, products)
    lanes = np.append(jacobian.lanes, jacobian.residual_lane)
    left, right = np.tril_indices(len(lanes))
    lower = np.maximum(lanes[left], lanes[right]), np.minimum(lanes[left], lanes[right])
    np.testing.assert_allclose(
        products[lower] - 1.0, (expected @ expected.T)[left, right], rtol=1e-10, atol=1e-8
    )
