# SPDX-License-Identifier: MIT
"""Members of a committee, before they are fitted."""

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.committee import CommitteeSettings, bootstrap_counts, committee_members

from .data import emt_set, random_potential


@pytest.fixture(scope="module")
def training():
    return emt_set(8, seed=1).replace(weight=np.array([1.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.5, 1.0]))


def members(training, number=4, *, seed=0, **settings):
    return list(
        committee_members(
            training, random_potential(6), CommitteeSettings(number, **settings), seed=seed
        )
    )


def test_a_bootstrap_sample_is_as_large_as_what_it_is_drawn_from():
    drawn = np.array([True, False, True, True, True])
    counts = np.array([bootstrap_counts(drawn, np.random.default_rng(n)) for n in range(400)])
    assert (counts.sum(axis=1) == 4).all()
    assert not counts[:, 1].any()
    # with replacement: each is left out of (3/4)^4 of the samples
    assert np.mean(counts[:, drawn] == 0) == pytest.approx(0.75**4, abs=0.03)


def test_samples_multiply_the_weights_of_the_data(training):
    for member in members(training):
        known = training.weight > 0.0
        ratio = member.weight[known] / training.weight[known]
        assert np.array_equal(ratio, np.round(ratio))
        assert ratio.sum() == known.sum()
        assert not member.weight[~known].any()


def test_members_differ_in_what_is_asked_for(training):
    sampled = members(training, random_starts=False)
    assert all(one.initial is sampled[0].initial for one in sampled)
    weights = {tuple(one.weight) for one in sampled}
    assert len(weights) == 4
    started = members(training, bootstrap=False)
    assert all(np.array_equal(one.weight, training.weight) for one in started)
    parameters = {one.initial.parameters.tobytes() for one in started}
    assert len(parameters) == 4


def test_a_larger_committee_contains_the_smaller_one(training):
    few, many, other = members(training, 2), members(training, 5), members(training, 2, seed=1)
    for one, same in zip(few, many, strict=False):
        assert np.array_equal(one.weight, same.weight)
        assert np.array_equal(one.initial.parameters, same.initial.parameters)
    assert not np.array_equal(few[0].weight, other[0].weight)


@pytest.mark.parametrize("seed", range(20))
def test_samples_of_few_configurations_differ_from_each_other_and_from_the_whole(training, seed):
    few = training.select([0, 3, 4])
    drawn = [one.weight for one in members(few, seed=seed, random_starts=False)]
    assert len({tuple(weight) for weight in [*drawn, few.weight]}) == 5


def test_samples_that_cannot_differ_need_random_starts(training):
    with pytest.raises(SettingError, match="1 configurations are too few for 4 bootstrap samples"):
        members(training.select([0]), random_starts=False)
    parameters = [one.initial.parameters for one in members(training.select([0]))]
    assert not np.array_equal(parameters[0], parameters[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"members": 1}, "committee of 1 cannot disagree"),
        ({"bootstrap": False, "random_starts": False}, "would all be the same"),
    ],
)
def test_committees_that_cannot_disagree_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        CommitteeSettings(**settings)
