# SPDX-License-Identifier: MIT
"""Sums over all labels: what they cost in memory, and that threads do not change them."""

import tracemalloc

import numpy as np
import pytest

from aiida_alpot.configurations import concatenate
from aiida_alpot.fitting.loss import LossWeights, make_targets
from aiida_alpot.fitting.normal_equations import normal_equations
from aiida_alpot.mtp.jacobian import make_environment

from .data import emt_set, random_potential

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def some():
    return emt_set(40, seed=1, repeat=2)


@pytest.fixture(scope="module")
def potential():
    return random_potential(12)


def sums(potential, training, **settings):
    environment = make_environment(potential, training)
    return normal_equations(
        potential, environment, make_targets(training, LossWeights()), **settings
    )


def peak_memory(potential, training, **settings):
    environment = make_environment(potential, training)
    targets = make_targets(training, LossWeights())
    normal_equations(potential, environment, targets, **settings)
    tracemalloc.start()
    normal_equations(potential, environment, targets, **settings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("threads", [1, 2])
def test_memory_does_not_grow_with_the_number_of_labels(potential, some, threads):
    many = concatenate([some] * 5)
    few_bytes = peak_memory(potential, some, threads=threads)
    many_bytes = peak_memory(potential, many, threads=threads)
    n_labels = 7 * len(many) + 3 * len(many.numbers)
    assert many_bytes < 1.1 * few_bytes + 0.05 * MEBIBYTE
    # what the whole Jacobian would take
    assert many_bytes < 0.2 * 8 * n_labels * potential.n_parameters


def test_sums_are_those_of_the_parts(potential, some):
    whole = sums(potential, some)
    parts = [sums(potential, some.select([index])) for index in range(len(some))]
    n = len(parts)
    np.testing.assert_allclose(whole.matrix, sum(part.matrix for part in parts) / n, rtol=1e-9)
    np.testing.assert_allclose(
        whole.gradient,
        sum(part.gradient for part in parts) / n,
        rtol=1e-7,
        atol=1e-12 * np.abs(whole.gradient).max(),
    )
    assert whole.loss == pytest.approx(sum(part.loss for part in parts) / n, rel=1e-10)


def test_linear_equations_are_a_part_of_those_of_all_parameters(potential, some):
    whole, linear = sums(potential, some), sums(potential, some, with_radial=False)
    n_radial = potential.n_radial_parameters
    np.testing.assert_allclose(linear.matrix, whole.matrix[n_radial:, n_radial:], rtol=1e-12)
    np.testing.assert_allclose(linear.gradient, whole.gradient[n_radial:], rtol=1e-12)
    assert linear.loss == whole.loss


def test_the_matrix_is_symmetric_and_its_bits_do_not_depend_on_threads(potential, some):
    one, three = sums(potential, some), sums(potential, some, threads=3)
    assert np.array_equal(one.matrix, one.matrix.T)
    assert np.array_equal(one.matrix, three.matrix)
    assert np.array_equal(one.gradient, three.gradient)
    assert one.loss == three.loss
