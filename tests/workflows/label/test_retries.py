# SPDX-License-Identifier: MIT
"""What is tried again, with which change, and how often."""

from aiida_alpot.workflows.label.recipes import (
    CRASHED,
    GPAW_RECIPES,
    OUT_OF_TIME,
    REFUSED,
    UNCONVERGED,
    UNREACHED,
)
from aiida_alpot.workflows.label.retries import plan_retries


def attempt(number=1, **job):
    """An attempt at four configurations."""
    plain = {"indices": [0, 1, 2, 3], "changes": {}, "recipe": "", "tried": {}}
    return {"name": "batch_000", "attempt": number, "job": {**plain, **job}}


def planned(entry, causes, max_attempts=2):
    return plan_retries(entry, causes, GPAW_RECIPES, max_attempts=max_attempts)


def test_a_batch_that_ran_out_of_time_is_tried_in_halves():
    again = planned(attempt(), dict.fromkeys(range(3), OUT_OF_TIME))
    assert [one["name"] for one in again] == ["batch_000_a", "batch_000_b"]
    assert [one["job"]["indices"] for one in again] == [[0, 1], [2]]
    assert {one["job"]["changes"]["options"] for one in again} == {"retry"}
    assert {one["attempt"] for one in again} == {2}


def test_each_cause_is_tried_again_in_a_job_of_its_own():
    again = planned(attempt(), {0: CRASHED, 2: UNCONVERGED, 3: CRASHED})
    assert {tuple(one["job"]["indices"]): one["job"]["recipe"] for one in again} == {
        (0, 3): "alone",
        (2,): "more steps",
    }


def test_changes_of_failed_attempts_add_up():
    first = planned(attempt(), {1: OUT_OF_TIME}, max_attempts=3)
    second = planned(first[0], {1: UNCONVERGED}, max_attempts=3)
    assert second[0]["job"]["changes"] == {
        "batch": "halved",
        "options": "retry",
        "settings": {"maxiter": 1000},
    }
    assert second[0]["job"]["tried"] == {OUT_OF_TIME: 1, UNCONVERGED: 1}
    assert second[0]["name"] == "batch_000"


def test_what_was_refused_is_not_tried_again():
    assert planned(attempt(), {0: REFUSED}) == []


def test_attempts_end_at_their_number_but_for_those_that_never_came_to_a_configuration():
    assert planned(attempt(2), {0: UNCONVERGED}) == []
    spared = planned(attempt(2), {0: UNREACHED})
    assert spared[0]["job"]["spared"] == 1
    assert planned(spared[0], {0: UNCONVERGED}, max_attempts=3)
    assert planned(spared[0], {0: UNCONVERGED}) == []
