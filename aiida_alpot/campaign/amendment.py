# SPDX-License-Identifier: MIT
"""Changes of a campaign: a file with the keys that change, put over the campaign file.

Mappings are merged key by key. Everything else, lists too, takes the place of what was there; null
takes a key away, so that its default holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from aiida_alpot.errors import CampaignFileError

FIXED = ("name",)
"""Keys that stay: a campaign and its successors are one under their name."""


def amend_text(text: str, changes: Mapping[str, Any], *, source: str) -> str:
    """Return the text of a campaign file after ``changes``.

    Parameters
    ----------
    text : str
        The campaign file as it was written.
    changes : mapping
        Keys with their new values.
    source : str
        Names the file of the changes in messages.

    Raises
    ------
    CampaignFileError
        If there is no change, or one of a key that stays.
    """
    from aiida_alpot.campaign.yaml_file import parse_yaml

    if not changes:
        raise CampaignFileError(f"{source} changes nothing; give the keys that are to change.")
    before = parse_yaml(text, source="the campaign file")
    for key in FIXED:
        if key in changes and changes[key] != before.get(key):
            raise CampaignFileError(
                f"{source}: {key} is {changes[key]!r}, but the campaign is called "
                f"{before.get(key)!r}; submit a new campaign for another {key}."
            )
    return str(yaml.safe_dump(merge(before, changes), sort_keys=False, allow_unicode=True))


def merge(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``before`` with ``changes`` put over it; see the module for the rules."""
    merged = dict(before)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def list_changes(before: Any, after: Any, place: str = "") -> dict[str, list[Any]]:
    """Return what differs between two settings: dotted key -> [before, after]; None is absent."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: dict[str, list[Any]] = {}
        for key in sorted({*before, *after}):
            name = f"{place}.{key}" if place else str(key)
            found |= list_changes(before.get(key), after.get(key), name)
        return found
    return {} if _plain(before) == _plain(after) else {place: [before, after]}


def _plain(value: Any) -> Any:
    """Return a value with tuples as lists, which is how they come back from the database."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
