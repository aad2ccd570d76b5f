# SPDX-License-Identifier: MIT
"""Which candidates are selected for labels."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import BudgetError, SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.selection.budget import check_budget
from aiida_alpot.selection.maxvol_selection import fill_by_configuration, select


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(6, seed=1)


@pytest.fixture(scope="module")
def candidates(make_cells):
    gentle = make_cells(20, seed=2)
    return concatenate([gentle, make_cells(20, seed=3, rattle=0.12, strain=0.05)])


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_with_the_selected_ones_known_no_candidate_exceeds_the_entry(
    potential, training, candidates, mode
):
    selection = select(
        potential, candidates, training=training, mode=mode, threshold=2.0, entry=1.3
    )
    assert 0 < len(selection.indices) < len(candidates)
    assert selection.largest_grade > 2.0
    final = ExtrapolationGrader(potential, selection.active_set).grade(candidates)
    assert final.per_configuration.max() <= 1.3 + 1e-9
    # and the same with an active set that is built from what is known then
    known = concatenate([training, candidates.select(selection.indices)])
    rebuilt = build_active_set(potential, known, mode=mode)
    grades = ExtrapolationGrader(potential, rebuilt).grade(candidates).per_configuration
    assert grades.max() <= 2.0


def test_the_threshold_decides_whether_and_the_entry_how_many(potential, training, candidates):
    arguments = {"training": training}
    many = select(potential, candidates, entry=1.05, **arguments)
    few = select(potential, candidates, entry=2.0, **arguments)
    assert 0 < len(few.indices) < len(many.indices)
    high = select(potential, candidates, threshold=1.01 * few.largest_grade, **arguments)
    assert len(high.indices) == 0
    # a threshold below the entry replaces it
    low = select(potential, candidates, threshold=1.2, entry=5.0, **arguments)
    same = select(potential, candidates, threshold=1.2, entry=1.2, **arguments)
    assert low.indices.tolist() == same.indices.tolist()


def test_whole_configurations_need_fewer_labels_than_rows_have_owners(
    potential, training, candidates
):
    selection = select(potential, candidates, training=training, threshold=1.1)
    owners = select(potential, candidates, training=training, threshold=1.1, method="parity")
    assert len(selection.indices) < len(owners.indices)
    assert (selection.gains > 0.0).all()


def test_grades_are_those_before_anything_was_selected(potential, training, candidates):
    selection = select(potential, candidates, training=training)
    active_set = build_active_set(potential, training)
    grades = ExtrapolationGrader(potential, active_set).grade(candidates).per_configuration
    np.testing.assert_array_equal(selection.grades, grades)
    assert selection.grades[selection.indices[0]] == grades.max()


def test_a_limit_keeps_those_that_gain_most(potential, training, candidates):
    every = select(potential, candidates, training=training, threshold=1.1)
    few = select(potential, candidates, training=training, threshold=1.1, limit=3)
    assert len(every.indices) > 3
    assert few.indices.tolist() == every.indices[:3].tolist()
    assert few.over_limit.tolist() == every.indices[3:].tolist()

    def volume(indices):
        known = concatenate([training, candidates.select(indices)])
        return build_active_set(potential, known).log_det

    assert volume(every.indices[:3]) > volume(every.indices[-3:])


def test_what_is_known_or_given_twice_is_not_selected(potential, training, candidates):
    doubled = concatenate([training, candidates, candidates])
    selection = select(potential, doubled, training=training)
    hashes = [doubled.hashes()[index] for index in selection.indices]
    assert len(set(hashes)) == len(hashes)
    assert not set(hashes) & set(training.hashes())


def test_nothing_is_selected_where_everything_interpolates(potential, training):
    selection = select(potential, training, training=training)
    assert len(selection.indices) == 0
    assert selection.largest_grade <= 1.0 + 1e-6
    empty = select(potential, Configurations.empty(), training=training)
    assert len(empty.indices) == 0
    assert empty.largest_grade == 0.0


def test_candidates_compete_with_each_other_where_nothing_is_known(potential, candidates):
    selection = select(potential, candidates, training=None)
    assert 0 < len(selection.indices) < 10
    assert selection.active_set.n_initialized == selection.active_set.rank


def test_as_in_mlip_any_gain_counts_once_one_candidate_is_above_the_threshold(
    potential, training, candidates
):
    arguments = {"training": training, "mode": "configuration", "method": "parity"}
    selection = select(potential, candidates, threshold=1.1, **arguments)
    final = ExtrapolationGrader(potential, selection.active_set).grade(candidates)
    assert final.per_configuration.max() <= 1.0 + 1e-6
    names = {origin.identifier for origin in selection.active_set.origins}
    selected = {str(name) for name in candidates.identifier[selection.indices]}
    assert selected == names - {""} - {str(name) for name in training.identifier}
    high = select(potential, candidates, threshold=2.0 * selection.largest_grade, **arguments)
    assert len(high.indices) == 0


def test_the_same_is_selected_every_time(potential, training, candidates):
    first = select(potential, candidates, training=training)
    second = select(potential, candidates, training=training)
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.gains, second.gains)


def test_before_the_first_fit_as_many_are_selected_as_were_asked_for(potential, candidates):
    nothing = Configurations.empty()
    selection = select(potential, candidates)
    filled = fill_by_configuration(selection, potential, candidates, training=nothing, limit=15)
    assert len(selection.indices) < 15
    assert len(filled.indices) == 15
    assert len(set(filled.indices.tolist())) == 15
    np.testing.assert_array_equal(filled.indices[: len(selection.indices)], selection.indices)
    same = fill_by_configuration(selection, potential, candidates, training=nothing, limit=1)
    assert same is selection


@pytest.mark.parametrize(("setting", "value"), [("threshold", 0.9), ("entry", 0.9), ("limit", 0)])
def test_settings_out_of_range_are_refused(potential, candidates, setting, value):
    with pytest.raises(SettingError, match=str(value)):
        select(potential, candidates, **{setting: value})


def test_a_budget_below_the_rank_is_refused_in_configuration_mode_only(potential):
    with pytest.raises(BudgetError, match="at least 23 labels"):
        check_budget(potential, mode="configuration", labels=22)
    assert check_budget(potential, mode="configuration", labels=23) == 23
    assert check_budget(potential, mode="neighborhood", labels=1) == 23
    with pytest.raises(SettingError, match="atoms"):
        check_budget(potential, mode="atoms", labels=23)
