# SPDX-License-Identifier: MIT
"""Requests are checked before anything expensive starts; results are plain JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.jobs.requests import (
    Request,
    file_in,
    parse_request,
    read_request,
    to_plain_json,
    write_result,
)


@dataclass(frozen=True)
class Example(Request):
    files: tuple[str, ...]
    level: int
    cutoff: float
    initial: str | None = None
    bounds: tuple[float, float] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    mode: Literal["configuration", "neighborhood"] = "neighborhood"
    names: list[str] = field(default_factory=list)
    anything: Any = None
    limit: int | float | None = None
    flag: bool = False


VALID = {"schema": 1, "job": "example", "files": ["a.npz"], "level": 8, "cutoff": 5}


def test_values_of_json_become_the_types_of_the_fields():
    request = parse_request(
        Example, VALID | {"bounds": [1, 2], "weights": {"energy": 1}, "limit": 3, "names": ["x"]}
    )
    assert request == Example(
        files=("a.npz",),
        level=8,
        cutoff=5.0,
        bounds=(1.0, 2.0),
        weights={"energy": 1.0},
        limit=3,
        names=["x"],
    )
    assert type(request.cutoff) is type(request.bounds[0]) is float
    assert type(request.weights["energy"]) is float
    assert type(request.limit) is int


def test_a_null_is_taken_where_the_field_allows_it():
    assert parse_request(Example, VALID | {"initial": None, "limit": None}).initial is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levle": 8}, "Unknown key 'levle' in the request; allowed are anything, bounds, cutoff"),
        ({"level": "8"}, "Key 'level' of the request is '8', which is not of type int"),
        ({"level": True}, "Key 'level' of the request is True, which is not of type int"),
        ({"level": 8.0}, "Key 'level' of the request is 8.0"),
        ({"cutoff": None}, "Key 'cutoff' of the request is None, which is not of type float"),
        ({"files": "a.npz"}, "Key 'files' of the request is 'a.npz'"),
        ({"files": [1]}, "Key 'files'"),
        ({"bounds": [1, 2, 3]}, "Key 'bounds'"),
        ({"weights": {"energy": "1"}}, "Key 'weights'"),
        ({"weights": [1]}, "Key 'weights'"),
        ({"mode": "atoms"}, "Key 'mode' of the request is 'atoms'"),
        ({"names": [None]}, "Key 'names'"),
        ({"flag": 1}, "Key 'flag'"),
        ({"schema": 2}, "schema 2, this version reads 1"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(change, message):
    with pytest.raises(SettingError) as caught:
        parse_request(Example, VALID | change)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named():
    with pytest.raises(SettingError, match="The request lacks the key 'level'"):
        parse_request(Example, {key: VALID[key] for key in VALID if key != "level"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "Cannot read"),
        ("{", "not valid JSON"),
        ("[1]", "must hold one JSON object"),
        ('{"level": 8, "level": 10}', "the key 'level' stands twice"),
        ('{"cutoff": NaN}', "NaN is no number of JSON"),
        ('{"cutoff": -Infinity}', "-Infinity is no number of JSON"),
    ],
)
def test_a_request_that_is_no_plain_json_object_is_refused(tmp_path, text, message):
    path = tmp_path / "request.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError) as caught:
        read_request(path)
    assert message in str(caught.value)


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "request.json").write_bytes(b'{"name": "\xff"}')
    with pytest.raises(InputFileError, match="not valid JSON"):
        read_request(tmp_path / "request.json")


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "link", "a/../../secret"])
def test_a_request_reaches_no_file_outside_its_folder(tmp_path, name):
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    folder = tmp_path / "job"
    (folder / "a").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputFileError, match="outside its folder"):
        file_in(folder, name)


@pytest.mark.parametrize("name", ["absent.npz", ".", "a\0b"])
def test_a_name_that_is_no_file_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(InputFileError, match="The request names the file"):
        file_in(tmp_path, name)


def test_a_file_in_a_subfolder_of_the_job_is_found(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.npz").write_text("x", encoding="utf-8")
    assert file_in(tmp_path, "data/a.npz").read_text(encoding="utf-8") == "x"


def test_results_hold_null_in_place_of_numbers_that_are_not_finite(tmp_path):
    content = {
        "nan": math.nan,
        "array": np.array([1.0, np.inf]),
        "scalar": np.float64(2.5),
        "flag": np.bool_(True),
        3: (np.int64(4), {"deep": [-math.inf]}),
        "request": Example(("a",), 2, 5.0),
    }
    write_result(tmp_path, content)
    read = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert read == to_plain_json(content)
    assert read["nan"] is None
    assert read["array"] == [1.0, None]
    assert read["scalar"] == 2.5
    assert read["flag"] is True
    assert read["3"] == [4, {"deep": [None]}]
    assert read["request"]["files"] == ["a"]


def test_a_result_that_cannot_be_written_leaves_the_earlier_one(tmp_path):
    write_result(tmp_path, {"loss": 1.0})
    with pytest.raises(TypeError):
        write_result(tmp_path, {"loss": object()})
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == {"loss": 1.0}
