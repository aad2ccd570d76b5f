# SPDX-License-Identifier: MIT
"""YAML is read as people write it."""

from __future__ import annotations

import pytest

from aiida_alpot.campaign.yaml_file import parse_yaml
from aiida_alpot.errors import CampaignFileError


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e-3", 0.001),
        ("1.e5", 1e5),
        (".5", 0.5),
        ("-2", -2),
        ("010", 10),  # octal in YAML 1.1
        ("0:10", "0:10"),  # ten seconds in YAML 1.1
        ("::10", "::10"),
        ("No", "No"),  # false in YAML 1.1
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("", None),
        ("2026-01-01", "2026-01-01"),
        ("'1e-3'", "1e-3"),
        ("[1, 2.0, a]", [1, 2.0, "a"]),
    ],
)
def test_scalars_are_read_by_the_core_schema(written, read):
    value = parse_yaml(f"key: {written}", source="test")["key"]
    assert value == read
    assert type(value) is type(read)


def test_a_key_that_stands_twice_is_refused_with_its_lines():
    with pytest.raises(CampaignFileError, match=r"'a' stands twice, in lines 1 and 3"):
        parse_yaml("a: 1\nb: 2\na: 3", source="test")


def test_the_same_key_in_two_sections_is_fine():
    assert parse_yaml("a: {x: 1}\nb: {x: 2}", source="test") == {"a": {"x": 1}, "b": {"x": 2}}


def test_anchors_and_merge_keys_work_as_in_yaml():
    content = parse_yaml("a: &cell {x: 1, y: 2}\nb: {<<: *cell, y: 3}", source="test")
    assert content["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.getcwd []", "a: !!python/name:os.system"]
)
def test_python_objects_are_never_built(text):
    with pytest.raises(CampaignFileError):
        parse_yaml(text, source="test")
