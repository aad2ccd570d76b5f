# SPDX-License-Identifier: MIT
"""Selection by an uncertainty: the largest first, nothing twice, no more than is allowed."""

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.selection import select_uncertain


@pytest.fixture(scope="module")
def grader(make_potential):
    return CommitteeGrader([make_potential(4, seed=seed) for seed in range(3)])


@pytest.fixture(scope="module")
def candidates(make_cells):
    return concatenate(
        [make_cells(6, seed=2, repeats=(2,)), make_cells(6, seed=3, rattle=0.15, repeats=(2,))]
    )


@pytest.fixture(scope="module")
def grades(grader, candidates):
    return grader.grade(candidates).per_configuration


def test_the_most_uncertain_come_first(grader, candidates, grades):
    found = select_uncertain(grader, candidates, threshold=1e-9, entry=1e-9)
    np.testing.assert_array_equal(found.indices, np.argsort(-grades))
    np.testing.assert_array_equal(found.grades, grades)


def test_a_limit_takes_the_first_and_names_the_others(grader, candidates, grades):
    found = select_uncertain(grader, candidates, threshold=1e-9, entry=1e-9, limit=4)
    order = np.argsort(-grades)
    np.testing.assert_array_equal(found.indices, order[:4])
    np.testing.assert_array_equal(found.over_limit, order[4:])


def test_nothing_is_selected_unless_one_exceeds_the_threshold(grader, candidates, grades):
    entry = float(np.median(grades))
    calm = select_uncertain(grader, candidates, threshold=float(grades.max()), entry=entry)
    assert len(calm.indices) == len(calm.over_limit) == len(calm.alike) == 0
    below = np.nextafter(grades.max(), 0.0)
    found = select_uncertain(grader, candidates, threshold=float(below), entry=entry)
    assert set(found.indices) == set(np.flatnonzero(grades > entry))


def test_of_candidates_that_are_alike_the_most_uncertain_is_taken(grader, candidates):
    nudged = candidates.replace(
        positions=candidates.positions
        + np.random.default_rng(0).uniform(-0.001, 0.001, candidates.positions.shape)
    )
    both = concatenate([candidates, nudged])
    found = select_uncertain(grader, both, threshold=1e-9, entry=1e-9)
    n = len(candidates)
    assert len(found.indices) == len(found.alike) == n
    assert sorted(found.indices % n) == sorted(found.alike % n) == list(range(n))
    for index in found.indices:
        assert found.grades[index] >= found.grades[(index + n) % (2 * n)]
    all_of_them = select_uncertain(grader, both, threshold=1e-9, entry=1e-9, alike_within=0.0)
    assert len(all_of_them.indices) == 2 * n


def test_no_candidates_give_no_selection(grader):
    found = select_uncertain(grader, Configurations.empty(), threshold=0.1, entry=0.1)
    assert len(found.indices) == len(found.grades) == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"threshold": 0.0}, "threshold of the uncertainty is 0"),
        ({"entry": -1.0}, "entry of the uncertainty is -1"),
        ({"entry": float("nan")}, "entry of the uncertainty is nan"),
        ({"limit": 0}, "At most 0"),
        ({"alike_within": -0.1}, "alike within -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(grader, candidates, settings, named):
    with pytest.raises(SettingError, match=named):
        select_uncertain(grader, candidates, **({"threshold": 0.1, "entry": 0.1} | settings))
