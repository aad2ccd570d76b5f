# SPDX-License-Identifier: MIT
"""What samplers of a campaign ask for is compared with the rest of it before anything is run."""

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.errors import CampaignFileError

HOT = "- {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}"
GRADES = "grades: {gamma_select: 2, gamma_break: 10}"
TOGETHER = "- {name: all, kind: batched_relaxation, starts: [bulk]}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("kind: derived_structures, species: [Cu, Ag]", r"explore\[0\].species is .*Ag"),
        (
            "kind: derived_structures, probabilities: {interstitials: 1}, "
            "interstitial_species: [H]",
            r"explore\[0\].interstitial_species is .*H",
        ),
        ("kind: random_structures, formula: CuAg", r"explore\[0\].formula is .CuAg."),
        ("kind: random_crystals, formula: Ag", r"explore\[0\].formula is .Ag."),
        ("kind: decorations, species: [Cu, Ag]", r"explore\[0\].species is .*Ag"),
        ("kind: lattice_monte_carlo, temperature_K: 300, species: [Cu, Ag]", "species is .*Ag"),
    ],
)
def test_structures_of_species_that_the_potential_will_lack_are_refused(
    write_campaign, settings, message
):
    path = write_campaign((HOT, f"- {{name: made, starts: [bulk], {settings}}}"))
    with pytest.raises(CampaignFileError, match=message) as raised:
        load_campaign(path)
    assert "species of the campaign (Cu)" in str(raised.value)


def test_species_of_the_campaign_are_taken(write_campaign):
    path = write_campaign((HOT, "- {name: a, kind: random_crystals, starts: [bulk], formula: Cu}"))
    [entry] = load_campaign(path).as_settings()["explore"]
    assert entry["sampler"]["formula"] == "Cu"


@pytest.mark.parametrize(
    "others",
    [
        [(GRADES, "fit: {committee: {}}\ngrades: {grader: committee, target_error: 0.1}")],
        [("start:\n", "start:\n  calculator: {name: EMT, labels: 4}\n")],
    ],
)
def test_starts_are_relaxed_together_only_where_an_active_set_grades(write_campaign, others):
    assert load_campaign(write_campaign((HOT, TOGETHER)))
    with pytest.raises(CampaignFileError, match=r"batched_relaxation.; allowed: relaxation, since"):
        load_campaign(write_campaign((HOT, TOGETHER), *others))
