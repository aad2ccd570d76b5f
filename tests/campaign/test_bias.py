# SPDX-License-Identifier: MIT
"""Bias and target error in a campaign: taken as they stand, or refused in one line."""

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.errors import CampaignFileError

GRADES = "grades: {gamma_select: 2, gamma_break: 10}"
BY_COMMITTEE = "fit: {committee: {members: 3}}\ngrades: {grader: committee}"


def biased(words):
    return ("steps: 10", f"steps: 10, bias: {words}")


def test_a_target_error_stands_in_place_of_thresholds(write_campaign):
    grades = "fit: {committee: {}}\ngrades: {grader: committee, target_error: 0.258}"
    found = load_campaign(write_campaign((GRADES, grades))).as_settings()["grades"]
    assert found["target_error"] == 0.258
    names = ("gamma_entry", "gamma_select", "gamma_break")
    assert [found[name] for name in names] == pytest.approx([0.05, 0.1, 0.5])
    assert "target_error" not in load_campaign(write_campaign()).as_settings()["grades"]


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        ("grades: {target_error: 0.1}", "target_error is 0.1; .*extrapolation, which tells no"),
        (
            "fit: {committee: {}}\n"
            "grades: {grader: committee, target_error: 0.1, force_deviation_select: 0.2}",
            "force_deviation_select is 0.2; .*follows from grades.target_error",
        ),
    ],
)
def test_a_target_error_that_does_not_fit_is_refused(write_campaign, grades, message):
    with pytest.raises(CampaignFileError, match=message):
        load_campaign(write_campaign((GRADES, grades)))


def test_a_bias_reaches_the_sample_job_as_it_stands(write_campaign):
    campaign = load_campaign(write_campaign(biased("{kind: grade, tau_rel: 0.2}")))
    (entry,) = campaign.as_settings()["explore"]
    assert entry["sampler"]["bias"] == {"kind": "grade", "tau_rel": 0.2}


def test_a_committee_that_grades_can_drive(write_campaign):
    path = write_campaign(biased("{kind: committee, alpha: 1}"), (GRADES, BY_COMMITTEE))
    (entry,) = load_campaign(path).as_settings()["explore"]
    assert entry["sampler"]["bias"] == {"kind": "committee", "alpha": 1}


@pytest.mark.parametrize(
    ("words", "others", "message"),
    [
        (
            "{kind: committee, alpha: 1}",
            [],
            r"explore\[0\].bias.kind is .committee.; .*grade, since grades.grader is extrapolation",
        ),
        (
            "{kind: grade, alpha: 1}",
            [(GRADES, BY_COMMITTEE)],
            r"bias.kind is .grade.; .*committee, since grades.grader is committee",
        ),
        ("{kind: grade, alpha: -1}", [], r"explore\[0\]: 'alpha' is -1.0; .* zero or positive"),
        ("{kind: grade, alpha: .nan}", [], "'alpha' of bias is .*nan"),
        ("{kind: grade}", [], r"explore\[0\]: The bias 'grade' has neither"),
        ("{kind: grade, gamma: 0.5}", [], r"explore\[0\]: .* needs alpha or tau_rel"),
        ("{kind: grade, alfa: 1}", [], "Unknown key 'alfa' of bias; allowed are kind, alpha"),
        (
            "{kind: grade, alpha: 1}",
            [("start:\n", "start:\n  calculator: {name: EMT}\n")],
            r"explore\[0\].bias is .grade.; .*before there is a potential",
        ),
    ],
)
def test_a_bias_that_does_not_fit_is_refused_in_one_line(write_campaign, words, others, message):
    with pytest.raises(CampaignFileError, match=message) as caught:
        load_campaign(write_campaign(biased(words), *others))
    assert "\n" not in str(caught.value)
