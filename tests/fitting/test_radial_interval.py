# SPDX-License-Identifier: MIT
"""Radial functions on another interval."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.radial_interval import change_interval, expansion_matrix
from aiida_alpot.mtp.evaluate import evaluate

from .data import random_potential, rattled_cells


def radial_functions(potential, r):
    """(n_radial, n_r) of the only pair."""
    lower, cutoff = potential.min_distance, potential.cutoff
    argument = (2.0 * r - (lower + cutoff)) / (cutoff - lower)
    coefficients = potential.radial_coefficients[0, 0]
    values = chebyshev.chebval(argument, coefficients.T)
    return potential.scaling * values * (cutoff - r) ** 2


@pytest.mark.parametrize("lower", [1.2, 1.7, 1.99, 2.01, 2.6])
def test_the_functions_are_the_same_within_and_beyond_the_intervals(lower):
    potential = random_potential(16)
    r = np.linspace(min(lower, potential.min_distance), potential.cutoff, 200)
    before = radial_functions(potential, r)
    after = radial_functions(change_interval(potential, lower), r)
    # beyond its interval a sum of Chebyshev polynomials is large and cancels
    largest = np.abs(before).max(axis=1, keepdims=True)
    assert np.abs(after - before).max() < 1e-12 * max(1.0, largest.max())
    np.testing.assert_allclose(after / largest, before / largest, atol=1e-12)


@pytest.mark.parametrize("lower", [1.7, 2.3])
def test_energies_forces_and_stresses_are_the_same(lower):
    cells = Configurations.from_atoms(rattled_cells(4, species=["Cu", "Au"]))
    potential = random_potential(12, ["Cu", "Au"])
    before = evaluate(potential, cells)
    after = evaluate(change_interval(potential, lower), cells)
    for name in ("energy", "forces", "stress"):
        values = getattr(before, name)
        np.testing.assert_allclose(
            getattr(after, name), values, rtol=0.0, atol=1e-12 * np.abs(values).max()
        )


def test_there_and_back_is_the_same_potential():
    potential = random_potential(16)
    back = change_interval(change_interval(potential, 1.5), potential.min_distance)
    np.testing.assert_allclose(
        back.radial_coefficients, potential.radial_coefficients, rtol=0.0, atol=1e-12
    )


def test_polynomials_of_the_old_argument_are_sums_of_those_of_the_new_one():
    old_lower, new_lower, cutoff, size = 2.0, 1.6, 5.0, 8
    matrix = expansion_matrix(size, old_lower, new_lower, cutoff)
    assert np.array_equal(matrix, np.tril(matrix))
    new = np.linspace(-1.0, 1.0, 50)
    r = 0.5 * (new * (cutoff - new_lower) + new_lower + cutoff)
    old = (2.0 * r - (old_lower + cutoff)) / (cutoff - old_lower)
    np.testing.assert_allclose(
        chebyshev.chebvander(new, size - 1) @ matrix.T,
        chebyshev.chebvander(old, size - 1),
        rtol=1e-12,
        atol=1e-12,
    )
    assert np.array_equal(expansion_matrix(size, 2.0, 2.0, cutoff), np.eye(size))


@pytest.mark.parametrize("lower", [0.0, -1.0, 4.5, 9.0])
def test_an_interval_that_is_none_is_refused(lower):
    with pytest.raises(SettingError, match="must lie between 0 and the cutoff"):
        change_interval(random_potential(6), lower)
