# SPDX-License-Identifier: MIT
"""The campaign file: reading, checking, and what is built from it.

Names are loaded when they are used, since the structures need the numerical packages.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign
    from aiida_alpot.campaign.load import load_campaign
    from aiida_alpot.campaign.machines import load_machines
    from aiida_alpot.campaign.structures import build_structures

__all__ = ["Campaign", "build_structures", "load_campaign", "load_machines"]

_MODULES = {
    "Campaign": "campaign",
    "load_campaign": "load",
    "load_machines": "machines",
    "build_structures": "structures",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
