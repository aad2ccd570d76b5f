# SPDX-License-Identifier: MIT
"""The strength of a bias follows the forces, and goes on from where it was."""

import json

import numpy as np
import pytest

from aiida_alpot.bias import FixedStrength, HyperactiveStrength
from aiida_alpot.errors import SettingError


def forces_of_length(length, n=4):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((n, 3))
    return vectors * length / np.linalg.norm(vectors, axis=1, keepdims=True)


def follow(strength, lengths):
    """Observe forces of these lengths, with bias forces of length 2; return the factors before."""
    factors = []
    for length in lengths:
        factors.append(strength.factor)
        strength.observe(forces_of_length(length), forces_of_length(2.0))
    return factors


def test_the_bias_sets_in_after_its_history_with_the_given_share_of_the_forces():
    factors = follow(HyperactiveStrength(0.2, 10), [3.0] * 15)
    assert factors[:11] == [0.0] * 11
    np.testing.assert_allclose(factors[11:], 0.2 * 3.0 / 2.0, rtol=1e-12)


def test_means_are_smoothed_exponentially():
    lengths = np.linspace(1.0, 4.0, 20)
    strength = HyperactiveStrength(0.3, 5)
    factors = follow(strength, lengths)
    mean = lengths[0]
    for step, length in enumerate(lengths[1:], start=1):
        if step > 5:
            assert factors[step] == pytest.approx(0.3 * mean / 2.0, rel=1e-12)
        mean = 0.8 * mean + 0.2 * length


def test_a_state_goes_on_with_the_last_step_to_be_done_again():
    whole = HyperactiveStrength(0.2, 3)
    lengths = [1.0, 5.0, 2.0, 7.0, 3.0, 6.0, 4.0]
    expected = follow(whole, lengths)
    first, second = HyperactiveStrength(0.2, 3), HyperactiveStrength(0.2, 3)
    follow(first, lengths[:4])
    second.restore(json.loads(json.dumps(first.state())))
    assert follow(second, lengths[3:]) == expected[3:]
    assert second.factor == whole.factor


def test_a_new_chain_knows_nothing_of_the_one_before():
    strength = HyperactiveStrength(0.2, 3)
    first = follow(strength, [1.0, 5.0, 2.0, 7.0, 3.0])
    strength.begin()
    assert follow(strength, [1.0, 5.0, 2.0, 7.0, 3.0]) == first


def test_where_the_bias_has_no_force_it_has_no_strength():
    strength = HyperactiveStrength(0.2, 1)
    for _ in range(4):
        strength.observe(forces_of_length(1.0), np.zeros((4, 3)))
    assert strength.factor == 0.0


def test_a_fixed_strength_stays_what_it_is():
    strength = FixedStrength(0.5)
    strength.restore(strength.state())
    assert follow(strength, [1.0, 2.0]) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HyperactiveStrength(-0.1), "'tau_rel' is -0.1; it must be zero or positive"),
        (lambda: HyperactiveStrength(0.1, 0), "'tau_hist' is 0; it must be at least 1"),
        (lambda: FixedStrength(float("nan")), "strength of the bias is nan"),
    ],
)
def test_what_makes_no_strength_is_refused(make, message):
    with pytest.raises(SettingError, match=message):
        make()
