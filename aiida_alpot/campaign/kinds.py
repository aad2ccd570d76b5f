# SPDX-License-Identifier: MIT
"""Entries of a campaign that have a kind, whose class decides which keys they may have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida_alpot.campaign.messages import Location, dotted, missing_key, unknown_key
from aiida_alpot.campaign.schema import Section
from aiida_alpot.errors import CampaignFileError, SettingError


def settings_of(entry: Section) -> dict[str, Any]:
    """Return the keys of an entry that belong to its kind."""
    return dict(entry.model_extra or {})


def check_settings_of_class(
    settings_class: type, settings: Mapping[str, Any], source: str, location: Sequence[str | int]
) -> None:
    """Refuse keys that the dataclass of a kind does not have, and name those that it lacks."""
    fields = {field.name: field for field in dataclasses.fields(settings_class)}
    for name in settings:
        if name not in fields:
            raise unknown_key(source, (*location, name), fields)
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and name not in settings:
            raise missing_key(source, (*location, name), field.metadata.get("help", "a value"))


def attempt(action: Callable[[], Any], source: str, location: Location) -> Any:
    """Run ``action`` and put the place in the file before the error it may raise."""
    try:
        return action()
    except (SettingError, CampaignFileError) as error:
        raise CampaignFileError(f"{source}: {dotted(location)}: {error}") from error
