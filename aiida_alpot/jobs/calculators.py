# SPDX-License-Identifier: MIT
"""The calculator of a job, from the few plain words that a request has for it.

``{"potential": "potential.mtp", "active_set": "active_set.npz"}`` is a moment tensor potential,
which grades when its active set is given. With ``"committee": ["potential_000.mtp", ...]`` in place
of the active set it moves the atoms, and the members of the committee grade. ``{"ase": "EMT",
"settings": {}}`` is an ASE calculator of the allow-list of the label job.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida_alpot import errors
from aiida_alpot.errors import SettingError
from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.requests import file_in

POTENTIAL_KEYS = ("potential", "active_set", "committee", "species")
ASE_KEYS = ("ase", "settings")


def load_calculator(content: Mapping[str, Any], folder: Path, *, threads: int = 1) -> Any:
    """Return the ASE calculator that ``content`` describes; its files lie in ``folder``.

    Raises
    ------
    SettingError
        If a key is unknown, or neither or both of 'potential' and 'ase' are given, or an active set
        and a committee, or the calculator is not in the allow-list.
    InputFileError
        If a file is missing or not readable.
    ActiveSetError
        If the active set does not belong to the potential.
    SpeciesError
        If a member of the committee does not know the species of the potential.
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
    from aiida_alpot.grading.committee_calculator import CommitteeMTP
    from aiida_alpot.mtp.calculator import MTP

    path = file_in(folder, str(content["potential"]))
    active_set, committee = content.get("active_set"), content.get("committee")
    species = content.get("species")
    if committee is not None:
        _check_committee(committee, active_set)
        members = [file_in(folder, str(name)) for name in committee]
        return CommitteeMTP(path, members, species=species, threads=threads)
    if active_set is not None:
        active_set = file_in(folder, str(active_set))
    return MTP(path, active_set=active_set, species=species, threads=threads)


def _check_committee(committee: Any, active_set: Any) -> None:
    """Raise unless a committee, and nothing else, is to grade."""
    if active_set is not None:
        raise SettingError(
            "The calculator has an 'active_set' and a 'committee'; one of them grades, give one."
        )
    if not isinstance(committee, list | tuple):
        raise SettingError(f"'committee' of the calculator is {committee!r}; give a list of files.")


def _make_ase_calculator(name: str, settings: Mapping[str, Any], folder: Path) -> Any:
    try:
        return label_driver.make_calculator(name, settings, folder)
    except label_driver.DriverError as error:
        # the driver stands alone, with errors of its own that have the names of ours
        raise getattr(errors, type(error).__name__, SettingError)(str(error)) from error
