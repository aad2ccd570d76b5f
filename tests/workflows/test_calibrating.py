# SPDX-License-Identifier: MIT
"""Thresholds follow from a target error and from what the records of earlier turns tell."""

import numpy as np
import pytest

from aiida_alpot.grading.calibration import Calibration
from aiida_alpot.workflows.calibrating import (
    calibration_of_turn,
    calibration_so_far,
    with_thresholds,
)

SETTINGS = {
    "name": "test",
    "grades": {
        "grader": "committee",
        "gamma_entry": 0.1,
        "gamma_select": 0.2,
        "gamma_break": 1.0,
        "target_error": 0.258,
    },
}


def rows(scale, n=400, seed=0):
    rng = np.random.default_rng(seed)
    deviations = 10.0 ** rng.uniform(-3, -1, n)
    return Calibration.of(deviations, scale * deviations).as_rows()


def test_before_any_label_errors_count_as_normal():
    grades = with_thresholds(SETTINGS, [{"turn": 0}])["grades"]
    assert grades["gamma_select"] == pytest.approx(0.1)
    assert grades["gamma_entry"] == pytest.approx(0.05)
    assert grades["gamma_break"] == pytest.approx(0.5)
    assert SETTINGS["grades"]["gamma_select"] == 0.2, "the settings stay what they are"


def test_the_more_is_wrong_the_lower_are_the_thresholds():
    found = [
        with_thresholds(SETTINGS, [{"turn": 1, "calibration": {"rows": rows(scale)}}])["grades"]
        for scale in (0.5, 1.0, 4.0)
    ]
    limits = [one["gamma_select"] for one in found]
    np.testing.assert_allclose(limits, [0.258 / scale for scale in (0.5, 1.0, 4.0)], rtol=0.05)


def test_a_record_adds_its_labels_to_those_before_and_judges_them_by_the_old_factor():
    first = calibration_of_turn(SETTINGS, {"calibrate": {"calibration": rows(1.0)}}, [])
    assert first["factor"] == 2.58
    assert first["coverage"] == pytest.approx(1.0)
    records = [{"turn": 0}, {"turn": 1, "calibration": first}]
    parts = {"calibrate": {"calibration": rows(3.0)}, "audit": {"calibration": rows(0.5, n=100)}}
    second = calibration_of_turn(SETTINGS, parts, records)
    assert second["factor"] == pytest.approx(1.0, rel=0.05)
    assert second["n_atoms"] == 500
    assert second["coverage"] == pytest.approx(0.2)
    assert sum(row[2] for row in second["rows"]) == 900
    assert calibration_so_far([*records, {"turn": 2, "calibration": second}]).n_atoms == 900


def test_a_turn_without_labels_hands_on_what_it_knows():
    first = calibration_of_turn(SETTINGS, {"calibrate": {"calibration": rows(1.0)}}, [])
    second = calibration_of_turn(SETTINGS, {}, [{"turn": 1, "calibration": first}])
    assert (second["n_atoms"], second["coverage"]) == (0, None)
    assert second["rows"] == first["rows"]


def test_without_a_target_error_nothing_is_told():
    grades = {name: value for name, value in SETTINGS["grades"].items() if name != "target_error"}
    assert calibration_of_turn({"grades": grades}, {}, []) is None
