# SPDX-License-Identifier: MIT
"""A biased tangent stays a tangent, and goes up the bias as far as the contour lets it."""

import numpy as np
import pytest

from aiida_alpot.bias import tilt


@pytest.fixture
def vectors():
    """A unit normal, a unit tangent and a gradient, of five atoms."""
    rng = np.random.default_rng(2)
    normal, tangent, gradient = rng.standard_normal((3, 5, 3))
    normal /= np.linalg.norm(normal)
    tangent -= np.vdot(tangent, normal) * normal
    return normal, tangent / np.linalg.norm(tangent), gradient


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_the_step_is_a_unit_vector_within_the_contour(vectors, gamma):
    normal, tangent, gradient = vectors
    found = tilt(tangent, gradient, normal, gamma=gamma)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-12)
    assert np.vdot(found, normal) == pytest.approx(0.0, abs=1e-12)


def test_without_gamma_the_tangent_is_untouched(vectors):
    normal, tangent, gradient = vectors
    assert tilt(tangent, gradient, normal, gamma=0.0) is tangent


def test_the_more_gamma_the_more_the_bias_grows_along_the_step(vectors):
    normal, tangent, gradient = vectors
    slopes = [
        np.vdot(tilt(tangent, gradient, normal, gamma=gamma), gradient)
        for gamma in np.linspace(0.0, 1.0, 6)
    ]
    assert slopes == sorted(slopes)
    within = gradient - np.vdot(gradient, normal) * normal
    assert slopes[-1] == pytest.approx(np.linalg.norm(within), rel=1e-12)


def test_it_is_the_formula_where_nothing_vanishes(vectors):
    normal, tangent, gradient = vectors
    sum_of_both = 0.3 * gradient / np.linalg.norm(gradient) + 0.7 * tangent
    sum_of_both -= np.vdot(sum_of_both, normal) * normal
    expected = sum_of_both / np.linalg.norm(sum_of_both)
    found = tilt(tangent, 1e3 * gradient, 7.0 * normal, gamma=0.3)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_where_the_gradient_says_nothing_the_tangent_stays(vectors):
    normal, tangent, _ = vectors
    found = tilt(tangent, np.zeros_like(tangent), normal, gamma=0.5)
    np.testing.assert_allclose(found, tangent, atol=1e-15)
    found = tilt(tangent, 3.0 * normal, normal, gamma=1.0)
    np.testing.assert_allclose(found, tangent, atol=1e-12)
