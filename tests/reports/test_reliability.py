# SPDX-License-Identifier: MIT
"""What the uncertainty of a campaign was worth stands in its report."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from aiida_alpot.fitting.prediction import labelled_with
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.calibration import Calibration
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.reports.html import render_report
from aiida_alpot.reports.reliability import TurnReliability, compare
from aiida_alpot.reports.reliability_plot import reliability_plot


@pytest.fixture(scope="module")
def labelled(make_cells, make_potential):
    """Cells with labels of another potential, one atom masked."""
    cells = make_cells(4)
    cells = labelled_with(cells, evaluate(make_potential(8, seed=3), cells))
    mask = cells.force_mask.copy()
    mask[0] = False
    return cells.replace(force_mask=mask)


def turns(measure):
    rng = np.random.default_rng(0)
    found = []
    for turn, factor in ((1, math.nan if measure == "extrapolation" else 2.58), (2, 2.0)):
        deviations = 10.0 ** rng.uniform(-3, -1, 200)
        errors = np.abs(rng.normal(0.0, deviations))
        found.append(TurnReliability(turn, measure, Calibration.of(deviations, errors), factor))
    return tuple(found)


def test_uncertainties_are_compared_with_the_errors_of_the_potential(
    labelled, potential, make_potential
):
    grader = CommitteeGrader([potential, make_potential(8, seed=1)])
    found = compare(potential, grader, labelled)
    assert found.n_atoms == len(labelled.numbers) - 1, "a masked force is no label"
    errors = np.linalg.norm(evaluate(potential, labelled).forces - labelled.forces, axis=1)[1:]
    expected = Calibration.of(grader.grade(labelled).per_atom[1:], errors)
    assert found.as_rows() == expected.as_rows()


def test_grades_of_whole_configurations_say_nothing_of_atoms(labelled, potential):
    by_atom = build_active_set(potential, labelled)
    assert compare(potential, ExtrapolationGrader(potential, by_atom), labelled).n_atoms > 0
    whole = build_active_set(potential, labelled, mode="configuration")
    assert compare(potential, ExtrapolationGrader(potential, whole), labelled).n_atoms == 0


@pytest.mark.parametrize("measure", ["committee", "extrapolation"])
def test_the_report_shows_factor_and_coverage_of_each_turn(report_data, measure):
    data = dataclasses.replace(report_data, reliability=turns(measure))
    text = render_report(data)
    section = text.partition("What the uncertainty was worth")[2].partition("</section>")[0]
    assert "<svg" in section
    assert section.count("<tr>") == 3
    assert ("2.58" in section) == (measure == "committee")
    expected = data.reliability[1].coverage
    assert 0.9 < expected < 1.0
    assert f"{expected:.3g}" in section
    assert "What the uncertainty was worth" not in render_report(report_data)


def test_the_plot_is_the_same_each_time():
    assert reliability_plot(turns("committee")) == reliability_plot(turns("committee"))


def test_few_atoms_are_shown_one_by_one_with_their_bound():
    """A chunk shows the error of one atom: a campaign of chunks may have three of them."""
    few = Calibration.of(np.array([0.1, 0.2, 0.4]), np.array([0.02, 0.05, 0.07]))
    svg = reliability_plot([TurnReliability(1, "committee", few, 2.58)])
    assert "PathCollection_1" in svg
    alone = Calibration.of(np.full(9, 0.1), np.full(9, 0.02))
    svg = reliability_plot([TurnReliability(1, "committee", alone, 2.58)])
    assert "PathCollection_1" in svg
