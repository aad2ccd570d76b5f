# SPDX-License-Identifier: MIT
"""Changes put over a campaign file."""

import pytest

from aiida_alpot.campaign.amendment import amend_text, list_changes, merge
from aiida_alpot.campaign.yaml_file import parse_yaml
from aiida_alpot.errors import CampaignFileError

TEXT = """\
name: copper
species: [Cu]
budget: {labels: 20, turns: 3}
grades: {gamma_select: 2.0}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 1e3}
"""


def amended(changes):
    return parse_yaml(amend_text(TEXT, changes, source="changes.yaml"), source="test")


def test_mappings_are_merged_and_lists_replaced():
    changed = amended({"budget": {"labels": 40}, "explore": [{"name": "cold"}]})
    assert changed["budget"] == {"labels": 40, "turns": 3}
    assert changed["explore"] == [{"name": "cold"}]
    assert changed["grades"] == {"gamma_select": 2.0}


def test_null_takes_a_key_away():
    assert "turns" not in amended({"budget": {"turns": None}})["budget"]
    assert "grades" not in amended({"grades": None})


def test_what_does_not_change_reads_back_as_it_was():
    kept = {key: value for key, value in parse_yaml(TEXT, source="t").items() if key != "seed"}
    assert merge(kept, {"seed": 4}) == amended({"seed": 4})
    assert amended({"seed": 4})["explore"][0]["steps"] == 1000.0


def test_the_name_stays():
    with pytest.raises(CampaignFileError, match="name is 'gold', but the campaign is called"):
        amended({"name": "gold"})
    assert amended({"name": "copper", "seed": 1})["name"] == "copper"


def test_a_file_without_changes_is_refused():
    with pytest.raises(CampaignFileError, match=r"changes\.yaml changes nothing"):
        amended({})


def test_changes_are_listed_by_their_keys_with_both_values():
    before = {"a": {"b": 1, "c": (1, 2)}, "d": None, "e": [1]}
    after = {"a": {"b": 2, "c": [1, 2]}, "d": None, "e": [1, 2], "f": "new"}
    assert list_changes(before, after) == {"a.b": [1, 2], "e": [[1], [1, 2]], "f": [None, "new"]}
