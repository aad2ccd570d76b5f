# SPDX-License-Identifier: MIT
"""Every mistake in a campaign file is answered by one line: the key, the value, what is allowed."""

from __future__ import annotations

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.errors import CampaignFileError

# (what is written, in place of what, words that the message must hold)
MISTAKES = {
    "unknown key": (
        "budgett: {labels: 20}",
        "budget: {labels: 20}",
        ["budgett", "did you mean 'budget'"],
    ),
    "unknown key inside": (
        "cutof: 5.0",
        "cutoff: 5.0",
        ["potential.cutof", "did you mean 'cutoff'"],
    ),
    "missing key": ("", "label: {calculator: EMT}\n", ["label is missing", "calculator"]),
    "text for a number": ("level: high", "level: 8", ["potential.level", '"high"', "2 to 28"]),
    "odd level": ("level: 7", "level: 8", ["potential.level is 7", "even numbers"]),
    "number for text": ("name: 3", "name: test", ["name is 3", "letters"]),
    "true for a number": (
        "labels: true",
        "labels: 20",
        ["budget.labels is true", "numbers from 1"],
    ),
    "no budget": ("labels: 0", "labels: 20", ["budget.labels is 0", "numbers from 1"]),
    "budget below the start": (
        "labels: 1, labels_per_turn: 1",
        "labels: 20",
        ["budget.labels is 1", "at least 2"],
    ),
    "turn above the budget": (
        "labels: 5",
        "labels: 20",
        ["budget.labels_per_turn is 10", "which is 5"],
    ),
    "unknown calculator": (
        "calculator: EMTT",
        "calculator: EMT",
        ["label.calculator", '"EMTT"', "did you mean EMT"],
    ),
    "unknown calculator setting": (
        "calculator: EMT, settings: {ecut: 3}",
        "calculator: EMT",
        ["label.settings.ecut", "asap_cutoff"],
    ),
    "wrong calculator setting": (
        "calculator: LennardJones, settings: {sigma: -1}",
        "calculator: EMT",
        ["sigma", "-1", "> 0"],
    ),
    "missing code": (
        "calculator: GPAW, settings: {ecut: 300, kpts: [1, 1, 1]}",
        "calculator: EMT",
        ["label.code is missing", "gpaw@localhost"],
    ),
    "not a number": ("cutoff: .nan", "cutoff: 5.0", ["potential.cutoff", ".nan", "1 to 20"]),
    "missing machines file": (
        "name: test\nmachines: nothing.yaml",
        "name: test",
        ["nothing.yaml", "no such file"],
    ),
    "duplicate key": (
        "name: test\nname: other",
        "name: test",
        ["'name' stands twice", "lines 1 and 2"],
    ),
    "duplicate key inside": ("labels: 20, labels: 30", "labels: 20", ["'labels' stands twice"]),
    "broken YAML": ("species: [Cu", "species: [Cu]", ["line"]),
    "a list": ("[", "name: test", ["line"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_key_value_and_remedy(mistake, assert_refused):
    assert_refused(*MISTAKES[mistake])


def test_a_missing_campaign_file_is_named(tmp_path):
    with pytest.raises(CampaignFileError, match=r"no\.yaml: No such file"):
        load_campaign(tmp_path / "no.yaml")


def test_a_binary_campaign_file_is_refused(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CampaignFileError, match="not a text file"):
        load_campaign(path)


def test_an_empty_campaign_file_is_refused(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text("")
    with pytest.raises(CampaignFileError, match="keys and values"):
        load_campaign(path)


def test_a_misspelt_required_key_is_named_rather_than_the_missing_one(write_campaign):
    with pytest.raises(CampaignFileError, match=r"unknown key nam; did you mean 'name'"):
        load_campaign(write_campaign(("name: test", "nam: test")))
