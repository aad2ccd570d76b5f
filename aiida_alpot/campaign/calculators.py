# SPDX-License-Identifier: MIT
"""The calculators that a campaign may name, and what their labels are worth.

Calculators of ASE and GPAW are the allow-list of the label driver, a file of its own that imports
nothing of this package; here its errors become ours. VASP runs through aiida-vasp. A campaign
that names a WorkChain of its own (``label.workchain``) names its calculator as it likes: that
WorkChain checks the settings.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida_alpot.campaign.vasp_settings import VaspSettings, check_vasp_settings, vasp_level
from aiida_alpot.errors import SettingError
from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.driver_errors import alpot_errors
from aiida_alpot.level_of_theory import level_of_theory

VASP = "VASP"
NEEDS_CODE = ("GPAW", VASP)
"""Calculators that run in a program of their own, never inside ``alpot``."""
WORKCHAINS = {"GPAW": "gpaw", VASP: "vasp"}
"""WorkChain that labels with a calculator; that of the others is ``ase``."""


def calculator_names() -> list[str]:
    """Return the names that are allowed."""
    return sorted([*label_driver.CALCULATORS, VASP])


def setting_names(calculator: str) -> list[str]:
    """Return the settings that a calculator knows."""
    if calculator == VASP:
        return sorted(VaspSettings.model_fields)
    return sorted(label_driver.CALCULATORS[calculator].settings)


def nearest_calculator(name: str) -> str | None:
    """Return the calculator whose name is nearest to ``name``, if one is near."""
    by_lower_case = {known.lower(): known for known in calculator_names()}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[close[0]] if close else None


def needs_code(calculator: str) -> bool:
    """Return whether a calculator needs a code of its own, as all do that are not ASE's."""
    return calculator in NEEDS_CODE or calculator not in label_driver.CALCULATORS


def runs_beside_potential(calculator: str, workchain: str | None = None) -> bool:
    """Return whether the calculator of the labels can be compared with a potential in one job."""
    return workchain is None and not needs_code(calculator)


def workchain_of(calculator: str, workchain: str | None = None) -> str:
    """Return the WorkChain that labels: the one that is named, else that of the calculator."""
    return workchain or WORKCHAINS.get(calculator, "ase")


def check_calculator(calculator: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings in canonical form, defaults filled in.

    Raises
    ------
    SettingError
        If the calculator or a setting is not allowed.
    """
    if calculator == VASP:
        return check_vasp_settings(settings)
    with alpot_errors():
        return label_driver.check_settings(calculator, settings)


def level_of_label(
    calculator: str,
    settings: Mapping[str, Any],
    *,
    workchain: str | None = None,
    folder: str | Path | None = None,
) -> str:
    """Return the level of theory of labels as far as a campaign file alone tells it.

    What only an AiiDA profile knows, such as the POTCAR files of a family, is added when the
    campaign is submitted.

    Raises
    ------
    SettingError
        If the calculator or a setting is not allowed.
    InputFileError
        If a file named by the settings is missing.
    """
    if workchain is not None:
        return plain_level(calculator, settings)
    if calculator == VASP:
        return vasp_level(settings)
    return level_of_theory(calculator, settings, folder=folder)


def plain_level(calculator: str, settings: Mapping[str, Any]) -> str:
    """Return the level of theory of a calculator of which every setting decides the label.

    Raises
    ------
    SettingError
        If the settings are not plain JSON.
    """
    level = {"calculator": calculator, "settings": _with_floats(settings)}
    try:
        return json.dumps(level, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SettingError(
            f"The settings of {calculator} are not plain numbers, texts, lists and mappings: "
            f"{error}."
        ) from error


def _with_floats(value: Any) -> Any:
    """Return JSON in which 300 and 300.0 are the same."""
    if isinstance(value, Mapping):
        return {name: _with_floats(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_floats(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
