# SPDX-License-Identifier: MIT
"""The calculator of a job, from the few plain words that a request has for it.

``{"potential": "potential.mtp", "active_set": "active_set.npz"}`` is a moment tensor potential,
which grades when its active set is given; ``{"ase": "EMT", "settings": {}}`` is an ASE calculator
of the allow-list of the label job.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida_alpot import errors
from aiida_alpot.errors import SettingError
from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.requests import file_in

POTENTIAL_KEYS = ("potential", "active_set", "species")
ASE_KEYS = ("ase", "settings")


def load_calculator(content: Mapping[str, Any], folder: Path, *, threads: int = 1) -> Any:
    """Return the ASE calculator that ``content`` describes; its files lie in ``folder``.

    Raises
    ------
    SettingError
        If a key is unknown, or neither or both of 'potential' and 'ase' are given, or the
        calculator is not in the allow-list.
    InputFileError
        If a file is missing or not readable.
    ActiveSetError
        If the active set does not belong to the potential.
    """
    if ("potential" in content) == ("ase" in content):
        raise SettingError(
            f"The calculator is {dict(content)!r}; it must have exactly one of the keys "
            "'potential' (a file) and 'ase' (a name)."
        )
    allowed = POTENTIAL_KEYS if "potential" in content else ASE_KEYS
    for key in content:
        if key not in allowed:
            raise SettingError(
                f"Unknown key '{key}' of the calculator; allowed are {', '.join(allowed)}."
            )
    if "potential" in content:
        return _load_potential(content, folder, threads)
    return _make_ase_calculator(str(content["ase"]), content.get("settings") or {}, folder)


def _load_potential(content: Mapping[str, Any], folder: Path, threads: int) -> Any:
    from aiida_alpot.mtp.calculator import MTP

    active_set = content.get("active_set")
    return MTP(
        file_in(folder, str(content["potential"])),
        active_set=None if active_set is None else file_in(folder, str(active_set)),
        species=content.get("species"),
        threads=threads,
    )


def _make_ase_calculator(name: str, settings: Mapping[str, Any], folder: Path) -> Any:
    try:
        return label_driver.make_calculator(name, settings, folder)
    except label_driver.DriverError as error:
        # the driver stands alone, with errors of its own that have the names of ours
        raise getattr(errors, type(error).__name__, SettingError)(str(error)) from error
