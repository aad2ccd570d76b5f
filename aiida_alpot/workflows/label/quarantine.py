# SPDX-License-Identifier: MIT
"""Configurations whose label failed for good: kept as nodes, and found again by later turns.

Quarantined is what its own calculation could not label in all its attempts. What was refused,
lost with its node or never reached is not: there the machine failed, not the configuration. The
sets belong to a level of theory, so that every campaign of the profile that labels at that level
finds them; the gate refuses what is like them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.label.recipes import (
    CRASHED,
    FAILED,
    MAGNETIC_STATE,
    NOT_FINITE,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    UNCONVERGED,
)

QUARANTINED = "quarantined"
"""Link of the set from the calcfunction that collects labels."""
_OWN_FAULT = (CRASHED, MAGNETIC_STATE, NOT_FINITE, UNCONVERGED)
_OWN_FAULT_IF_ALONE = (OUT_OF_MEMORY, OUT_OF_TIME)


def is_own_fault(cause: str, *, alone: bool, works: bool = True) -> bool:
    """Return whether a failure is that of the configuration, not of the machine or the set-up.

    Parameters
    ----------
    cause : str
        Of :mod:`aiida_alpot.workflows.label.recipes`.
    alone : bool
        Whether the configuration was alone in the last job that tried it.
    works : bool
        Whether the calculator labelled anything else; an error of another kind may be that of its
        installation otherwise.
    """
    if cause == FAILED:
        return works
    return cause in _OWN_FAULT or (alone and cause in _OWN_FAULT_IF_ALONE)


def find_quarantined(settings: Mapping[str, Any]) -> dict[str, ConfigurationsData]:
    """Return the quarantined sets that concern a campaign, named for the inputs of a job.

    Parameters
    ----------
    settings : mapping
        Of the campaign; without a ``quarantine_distance`` in its gate nothing is looked for.
    """
    if settings["gate"].get("quarantine_distance", 0.0) is None:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.CalcFunctionNode, tag="collection")
    query.append(
        ConfigurationsData,
        with_incoming="collection",
        edge_filters={"label": QUARANTINED},
        filters={"attributes.level_of_theory": settings["label"]["level_of_theory"]},
        tag="set",
    )
    query.order_by({"set": {"id": "asc"}})
    return {f"set_{number:03d}": node for number, node in enumerate(query.all(flat=True))}
