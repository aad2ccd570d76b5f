# SPDX-License-Identifier: MIT
"""The calculators that a campaign may name: the allow-list of the label driver.

The driver is a file of its own that imports nothing of this package; here its errors become ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.driver_errors import alpot_errors

NEEDS_CODE = ("GPAW",)
"""Calculators that run in a program of their own, never inside ``alpot``."""


def calculator_names() -> list[str]:
    """Return the names that are allowed."""
    return sorted(label_driver.CALCULATORS)


def setting_names(calculator: str) -> list[str]:
    """Return the settings that a calculator knows."""
    return sorted(label_driver.CALCULATORS[calculator].settings)


def nearest_calculator(name: str) -> str | None:
    """Return the calculator whose name is nearest to ``name``, if one is near."""
    by_lower_case = {known.lower(): known for known in calculator_names()}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[close[0]] if close else None


def needs_code(calculator: str) -> bool:
    """Return whether a calculator needs a code of its own."""
    return calculator in NEEDS_CODE


def check_calculator(calculator: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings in canonical form, defaults filled in.

    Raises
    ------
    SettingError
        If the calculator or a setting is not allowed.
    """
    with alpot_errors():
        return label_driver.check_settings(calculator, settings)
