# SPDX-License-Identifier: MIT
"""Reading ``result.json``, which comes back from another machine and is not believed.

What the parsers and the processes after them take from a result is checked here, so that a file
that is damaged or was tampered with ends in an exit code and not in an exception of the daemon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.jobs.requests import SCHEMA, parse_json

_NUMBER = (int, float, type(None))
_VERDICT = {"identifier": str, "hash": str, "status": str, "reason": str, "seconds": _NUMBER}
_CHAIN = {
    "chain": str,
    "steps": int,
    "frames": int,
    "kept": int,
    "stop": str,
    "reason": str,
    "completed": bool,
    "largest_grade": _NUMBER,
}
_LISTS: dict[tuple[str, str], Mapping[str, Any]] = {
    ("label", "verdicts"): _VERDICT,
    ("sample", "chains"): _CHAIN,
}


def parse_result(content: bytes, *, job: str, source: str) -> dict[str, Any]:
    """Return what a result holds.

    Parameters
    ----------
    content : bytes
        Of ``result.json``.
    job : str
        The job that should have written it.
    source : str
        Names it in messages.

    Raises
    ------
    InputFileError
        If it is no JSON object, is of another job, or what others rely on is not there.
    SettingError
        If it has a schema that is not known.
    """
    result = parse_json(content, source)
    if result.get("job") != job:
        raise InputFileError(f"{source} is not of the job '{job}'.")
    if result.get("schema") != SCHEMA:
        raise SettingError(
            f"{source} has schema {result.get('schema')!r:.40}, this version reads {SCHEMA}; use "
            "the same version of aiida-alpot on both sides."
        )
    error = result.get("error")
    if "error" in result and not (isinstance(error, dict) and {"class", "message"} <= set(error)):
        raise InputFileError(f"{source} holds an error without class and message.")
    for (verb, key), types in _LISTS.items():
        if verb == job and key in result:
            _require_entries(result[key], types, f"{source}: {key}")
    for key in ("seconds", "n_configurations"):
        if not isinstance(result.get(key), _NUMBER) or isinstance(result.get(key), bool):
            raise InputFileError(f"{source}: {key} is not a number.")
    return result


def _require_entries(entries: Any, types: Mapping[str, Any], place: str) -> None:
    if not isinstance(entries, list):
        raise InputFileError(f"{place} is not a list.")
    for index, entry in enumerate(entries):
        for key, kind in types.items():
            if not (isinstance(entry, dict) and key in entry and isinstance(entry[key], kind)):
                raise InputFileError(f"{place}[{index}] has no usable '{key}'.")
