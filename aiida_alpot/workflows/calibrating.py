# SPDX-License-Identifier: MIT
"""Thresholds of a committee that follow from a target error, turn by turn.

With ``target_error`` among the settings of the grades every turn compares the deviations that its
committee told with the errors that its labels show. The histogram of all turns so far is in the
record of each, and the next turn takes its thresholds from it
(:mod:`aiida_alpot.grading.calibration`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_alpot.grading.calibration import Calibration, thresholds_for

CALIBRATED = ("calibrate", "audit")
"""Parts of a record that tell of deviations and errors."""


@calcfunction
def set_thresholds(settings: orm.Dict, **history: orm.Dict) -> orm.Dict:
    """Return the settings of a campaign with the thresholds that its next turn takes.

    Parameters
    ----------
    settings : Dict
        Of the campaign, with ``target_error``.
    **history : Dict
        Records of the turns before.
    """
    records = [history[name].get_dict() for name in sorted(history)]
    return orm.Dict(with_thresholds(settings.get_dict(), records))


def with_thresholds(
    settings: Mapping[str, Any], records: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return settings whose thresholds follow from their target error and the records."""
    grades = dict(settings["grades"])
    found = thresholds_for(grades["target_error"], calibration_so_far(records))
    grades |= {
        "gamma_entry": found.entry,
        "gamma_select": found.select,
        "gamma_break": found.largest,
    }
    return {**settings, "grades": grades}


def calibration_so_far(records: Iterable[Mapping[str, Any]]) -> Calibration:
    """Return what the latest record that tells of it has of all turns."""
    told = [one for one in records if one.get("calibration")]
    if not told:
        return Calibration()
    latest = max(told, key=lambda one: int(one["turn"]))
    return Calibration.from_rows(latest["calibration"]["rows"])


def calibration_of_turn(
    settings: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Any]],
    records: Iterable[Mapping[str, Any]],
) -> dict[str, Any] | None:
    """Return what the record of a turn tells of its calibration, None without a target error.

    ``factor`` and ``coverage`` are those of the turns before on the atoms of this one, ``rows`` the
    histogram of all.
    """
    target = settings["grades"].get("target_error")
    if target is None:
        return None
    before = calibration_so_far(records)
    here = Calibration()
    for name in CALIBRATED:
        here = here + Calibration.from_rows((parts.get(name) or {}).get("calibration") or [])
    factor = before.factor()
    return {
        "target_error": target,
        "threshold": settings["grades"]["gamma_select"],
        "factor": factor,
        "n_atoms": here.n_atoms,
        "coverage": here.coverage(factor) if here.n_atoms else None,
        "rows": (before + here).as_rows(),
    }
