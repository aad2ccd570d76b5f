# SPDX-License-Identifier: MIT
"""Requests and results: how a job is asked for and how it answers, as plain JSON.

A request is ``{"schema": 1, "job": VERB, ...}``. Each job module defines a frozen dataclass of its
keys, a subclass of :class:`Request`; :func:`parse_request` checks names and types, so that a wrong
request fails before anything expensive starts. File names in a request are relative to its folder
and may not leave it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.whole_files import read_content, write_whole

SCHEMA = 1
REQUEST_FILE = "request.json"
RESULT_FILE = "result.json"


@dataclass(frozen=True)
class Request:
    """Base of all requests."""


RequestType = TypeVar("RequestType", bound=Request)


def parse_request(cls: type[RequestType], content: Mapping[str, Any]) -> RequestType:
    """Build the request ``cls`` from JSON, refusing unknown keys, absent keys and wrong types.

    Raises
    ------
    SettingError
        If the schema is not known, or a key is unknown, missing or of the wrong type.
    """
    keys = {key: value for key, value in content.items() if key not in ("schema", "job")}
    if content.get("schema", SCHEMA) != SCHEMA:
        raise SettingError(
            f"The request has schema {content['schema']}, this version reads {SCHEMA}. Use the "
            "same version of aiida-alpot on both sides."
        )
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in keys:
        if key not in fields:
            raise SettingError(
                f"Unknown key '{key}' in the request; allowed are {', '.join(sorted(fields))}."
            )
    hints = typing.get_type_hints(cls)
    for name, field in fields.items():
        optional = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if name not in keys and not optional:
            raise SettingError(f"The request lacks the key '{name}'.")
        if name in keys and not _matches(keys[name], hints[name]):
            raise SettingError(
                f"Key '{name}' of the request is {keys[name]!r}, which is not of type "
                f"{_type_name(hints[name])}."
            )
    converted = {key: _convert(value, hints[key]) for key, value in keys.items()}
    return cls(**converted)


def read_request(path: Path) -> dict[str, Any]:
    """Read the JSON of a request.

    Raises
    ------
    InputFileError
        If the file is missing, is not a JSON object, or has a key twice or a number that is not
        finite.
    """
    return parse_json(read_content(path), str(path))


def parse_json(content: bytes, source: str) -> dict[str, Any]:
    """Return the JSON object that ``content`` holds; ``source`` names it in messages.

    Raises
    ------
    InputFileError
        As :func:`read_request`, and if it is nested deeply or holds text that no database takes.
    """
    try:
        found = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_without_repeated_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        _check_texts(found)
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{source} is not valid JSON ({error!s:.200}).") from error
    if not isinstance(found, dict):
        raise InputFileError(f"{source} must hold one JSON object.")
    return found


def file_in(folder: Path, name: str) -> Path:
    """Return the path of a file that a request names, which must lie inside its folder.

    Raises
    ------
    InputFileError
        If the name leads out of the folder or there is no such file.
    """
    try:
        path = (folder / name).resolve()
        is_file = path.is_file()
    # a zero, half a character, too long a name, links in a circle
    except (ValueError, OSError, RuntimeError) as error:
        raise InputFileError(
            f"The request names the file {name[:100]!r}, which is no file name."
        ) from error
    if not path.is_relative_to(folder.resolve()):
        raise InputFileError(f"The file {name!r} of the request lies outside its folder.")
    if not is_file:
        raise InputFileError(f"The request names the file {name!r}, which is not in {folder}.")
    return path


def write_result(folder: Path, content: Mapping[str, Any]) -> None:
    """Write ``result.json``, whole or not at all; NaN becomes null."""
    text = json.dumps(to_plain_json(content), indent=1, sort_keys=True, allow_nan=False)
    write_whole(folder / RESULT_FILE, f"{text}\n".encode())


def to_plain_json(value: Any) -> Any:
    """Return dataclasses, arrays and NumPy scalars as plain JSON; NaN and infinity become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_plain_json(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): to_plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_plain_json(value.tolist())
    if isinstance(value, np.generic):
        return to_plain_json(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key '{max(keys, key=keys.count)}' stands twice")
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _check_texts(value: Any, depth: int = 0) -> None:
    """Raise ValueError for half characters and zeros in texts, and for deep nesting."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        value.encode("utf-8")
        if "\0" in value:
            raise ValueError("a text holds a zero")
    elif isinstance(value, dict):
        for key, one in value.items():
            _check_texts(key, depth)
            _check_texts(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, (str, dict, list)):
                _check_texts(one, depth + 1)


def _matches(value: Any, hint: Any) -> bool:
    """Whether a JSON value has the type of a field: text, numbers, lists, mappings, unions."""
    origin = typing.get_origin(hint) or hint
    arguments = typing.get_args(hint)
    if hint is Any:
        return True
    if origin in _UNIONS:
        return any(_matches(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments and type(value) in {type(choice) for choice in arguments}
    if origin in _LISTS:
        return isinstance(value, (list, tuple)) and _items_match(value, arguments)
    if origin in (dict, Mapping):
        values = arguments[1] if arguments else Any
        return isinstance(value, Mapping) and all(_matches(v, values) for v in value.values())
    if origin in (int, float):
        numbers = (int,) if origin is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    return isinstance(value, type(None) if hint is None else origin)


def _items_match(value: Sequence[Any], arguments: tuple[Any, ...]) -> bool:
    if _is_fixed_length(arguments):
        return len(value) == len(arguments) and all(
            _matches(item, argument) for item, argument in zip(value, arguments, strict=True)
        )
    return all(_matches(item, arguments[0]) for item in value) if arguments else True


def _is_fixed_length(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) > 1 and arguments[-1] is not ...


def _convert(value: Any, hint: Any) -> Any:
    """Return a value that matches ``hint`` with lists as tuples and whole numbers as floats."""
    origin = typing.get_origin(hint) or hint
    arguments = typing.get_args(hint)
    if origin in _UNIONS:
        # a whole number stays one where both int and float are allowed
        exact = [argument for argument in arguments if type(value) is argument]
        matching = exact or [argument for argument in arguments if _matches(value, argument)]
        return _convert(value, matching[0])
    if origin in _LISTS and arguments:
        hints = arguments if _is_fixed_length(arguments) else [arguments[0]] * len(value)
        items = [_convert(item, item_hint) for item, item_hint in zip(value, hints, strict=True)]
        return items if origin is list else tuple(items)
    if origin in (dict, Mapping) and arguments:
        return {key: _convert(item, arguments[1]) for key, item in value.items()}
    return float(value) if hint is float else value


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


_DEEPEST = 50
_UNIONS = (typing.Union, types.UnionType)
_LISTS = (tuple, list, Sequence)
