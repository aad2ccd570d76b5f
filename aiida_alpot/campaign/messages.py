# SPDX-License-Identifier: MIT
"""One line for a mistake in a campaign file: the key, its value and what is allowed.

Keys are named by dotted paths such as ``explore[0].starts``. An unknown key is answered with the
nearest one that exists.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from aiida_alpot.errors import CampaignFileError

Location = Sequence[str | int]


def wrong_value(source: str, location: Location, value: Any, allowed: str) -> CampaignFileError:
    """Return the error of a value that is not allowed."""
    return CampaignFileError(f"{source}: {dotted(location)} is {shown(value)}; allowed: {allowed}.")


def unknown_key(source: str, location: Location, known: Iterable[str]) -> CampaignFileError:
    """Return the error of a key that does not exist; the last part of ``location`` is the key."""
    known = sorted(known)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return CampaignFileError(
        f"{source}: unknown key {dotted(location)}; {hint}Allowed here: {', '.join(known)}."
    )


def missing_key(
    source: str, location: Location, allowed: str, *, purpose: str = ""
) -> CampaignFileError:
    """Return the error of a key that must be there."""
    told = f" ({purpose.removesuffix('.')})" if purpose else ""
    return CampaignFileError(
        f"{source}: the key {dotted(location)} is missing{told}; allowed: {allowed}."
    )


def from_validation(
    source: str, model: type[BaseModel], error: ValidationError
) -> CampaignFileError:
    """Translate the first finding of pydantic into one line, saying how many more there are."""
    findings = _without_repetition(error.errors(include_url=False))
    # a key that is misspelt shows up twice, and the misspelling is what helps
    findings.sort(key=lambda finding: finding["type"] != "extra_forbidden")
    translated = str(_translate(source, model, findings[0]))
    if len(findings) > 1:
        translated += f" ({len(findings) - 1} more after that.)"
    return CampaignFileError(translated)


def _translate(source: str, model: type[BaseModel], finding: Any) -> CampaignFileError:
    location = _without_branches(model, finding["loc"])
    if finding["type"] == "extra_forbidden":
        parent = _model_at(model, location[:-1])
        return unknown_key(source, location, field_names(parent) if parent else ())
    field = _field_at(model, location)
    if finding["type"] == "missing":
        purpose = field.description or "" if field is not None else ""
        return missing_key(source, location, allowed_by(field), purpose=purpose)
    if "[key]" in finding["loc"]:
        return wrong_value(
            source,
            location[:-1],
            location[-1],
            "names made of letters, digits, '-' and '_', or chemical symbols",
        )
    return wrong_value(source, location, finding["input"], allowed_by(field))


def dotted(location: Location) -> str:
    """Return a location as text: ``("explore", 0, "kind")`` is ``explore[0].kind``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def shown(value: Any) -> str:
    """Return a value as it may stand in a message, shortened if it is long."""
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def allowed_by(field: FieldInfo | None) -> str:
    """Return what a key allows, in words."""
    extra = field.json_schema_extra if field is not None else None
    return str(extra["allowed"]) if isinstance(extra, dict) else "keys and values of that section"


def field_names(model: type[BaseModel]) -> list[str]:
    """Return the keys of a section as they stand in a file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section that an annotation such as ``list[Section]`` holds, if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return None
    for argument in typing.get_args(annotation):
        found = section_in(argument)
        if found is not None:
            return found
    return None


def _field_at(model: type[BaseModel], location: Location) -> FieldInfo | None:
    """Return the innermost field on the way along ``location``."""
    current: type[BaseModel] | None = model
    found: FieldInfo | None = None
    for part in location:
        fields = {f.alias or name: f for name, f in current.model_fields.items()} if current else {}
        if part in fields:
            found = fields[str(part)]
            current = section_in(found.annotation)
    return found


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    field = _field_at(model, location)
    return model if field is None else section_in(field.annotation)


def _without_branches(model: type[BaseModel], location: Location) -> list[str | int]:
    """Drop the names that pydantic adds for the branches of a union."""
    kept: list[str | int] = []
    for position, part in enumerate(location):
        field = _field_at(model, kept)
        last = position == len(location) - 1
        if part == "[key]" or (last and isinstance(part, str) and _has_branches(field)):
            continue
        kept.append(part)
    return kept


def _has_branches(field: FieldInfo | None) -> bool:
    if field is None or section_in(field.annotation) is not None:
        return False
    return typing.get_origin(field.annotation) in (typing.Union, types.UnionType)


def _without_repetition(findings: Sequence[Any]) -> list[Any]:
    """Keep one finding for each place, since a union reports one for each of its branches."""
    kept: dict[tuple[Any, ...], Any] = {}
    for finding in findings:
        kept.setdefault((*finding["loc"][:-1], id(finding["input"])), finding)
    return list(kept.values())
