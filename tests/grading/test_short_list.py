# SPDX-License-Identifier: MIT
"""A short list of rows leads to an active set that is dominant over all rows."""

import numpy as np
import pytest

from aiida_alpot.configurations import concatenate
from aiida_alpot.grading import candidate_rows
from aiida_alpot.grading.active_set import build_active_set, extend_active_set
from aiida_alpot.grading.candidate_rows import CandidateRows
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.grading.short_list import NEAR, ShortList
from aiida_alpot.selection import maxvol_selection, select


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(3, seed=1, rattle=0.03)


@pytest.fixture(scope="module")
def candidates(make_cells):
    return concatenate([make_cells(60, seed=2, rattle=0.05), make_cells(60, seed=3, rattle=0.15)])


@pytest.fixture(params=["remembered", "computed anew"])
def memory(request, monkeypatch):
    """With and without space to remember the rows of all candidates."""
    if request.param == "computed anew":
        monkeypatch.setattr(candidate_rows, "REMEMBERED_BYTES", 0)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_no_row_exceeds_the_threshold_whether_listed_or_not(
    potential, training, candidates, mode, monkeypatch
):
    monkeypatch.setattr(maxvol_selection, "MANY_ROWS", 10)
    found = select(potential, candidates, training=training, mode=mode, threshold=1.5, entry=1.2)
    left = ExtrapolationGrader(potential, found.active_set).grade(candidates)
    assert len(found.indices) > 0
    assert left.per_configuration.max() <= 1.2 * (1 + 1e-6)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_selection_with_a_short_list_is_as_good_and_grades_are_the_same(
    potential, training, candidates, mode, monkeypatch
):
    keys = {"training": training, "mode": mode, "threshold": 1.5}
    plain = select(potential, candidates, **keys)
    monkeypatch.setattr(maxvol_selection, "MANY_ROWS", 10)
    listed = select(potential, candidates, **keys)
    np.testing.assert_allclose(listed.grades, plain.grades, rtol=1e-12)
    assert abs(len(listed.indices) - len(plain.indices)) <= 0.3 * len(plain.indices)
    assert listed.active_set.log_det == pytest.approx(plain.active_set.log_det, abs=3.0)
    again = select(potential, candidates, **keys)
    np.testing.assert_array_equal(again.indices, listed.indices)


def test_the_list_holds_few_of_the_rows_and_their_owners(potential, training, candidates):
    start = build_active_set(potential, training)
    rows = CandidateRows(start, potential, candidates)
    short = ShortList(rows)
    short.fill(start, threshold=1.1)
    assert 0 < len(short) < 0.5 * rows.count
    configuration, atom = short.owners()
    everything = np.concatenate(list(rows.blocks()))
    places = candidates.offsets[configuration] + atom
    np.testing.assert_array_equal(np.concatenate(list(short.blocks())), everything[places])
    extended = extend_active_set(start, potential, short, threshold=1.1)
    owners = set(extended.active_set.identifier.tolist())
    assert owners & set(candidates.identifier.tolist())


def test_what_the_list_missed_is_added(potential, training, candidates):
    start = build_active_set(potential, training)
    short = ShortList(CandidateRows(start, potential, candidates))
    added = short.add_above(start, 1.5)
    grades = ExtrapolationGrader(potential, start).grade(candidates).per_atom
    assert added == int((grades > 1.5).sum())
    assert len(short) == int((grades > NEAR).sum())
    assert short.add_above(start, 1.5) == 0


@pytest.mark.usefixtures("memory")
def test_grades_are_taken_while_rows_are_computed(potential, training, candidates):
    start = build_active_set(potential, training, mode="neighborhood")
    rows = CandidateRows(start, potential, candidates)
    expected = ExtrapolationGrader(potential, start).grade(candidates).per_configuration
    np.testing.assert_allclose(rows.grades(), expected, rtol=1e-12)
