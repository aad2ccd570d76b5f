# SPDX-License-Identifier: MIT
"""The section ``converge``: when a campaign is finished."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aiida_alpot.campaign.schema.keys import Count, Limit, NotNegative, OpenSection, Section, key


class StationaryProperty(OpenSection):
    """One property that must not move any more; further keys are the settings of its kind."""

    kind: str = key(..., "Kind of property.", "a kind of property that needs no reference")
    structure: str | None = key(None, "Structure it is computed for.", "a name in start.structures")
    tolerances: Annotated[dict[str, Limit], Field(min_length=1)] = key(
        ...,
        "How far a figure may move over the turns of converge.turns, at least two: in its unit, or "
        "in percent of its value.",
        "figures of that kind with numbers from 0 or percentages",
    )


class ConvergeSection(Section):
    """When a campaign is finished."""

    turns: Count = key(
        2, "Turns in a row, each with seeds of its own, that must hold.", "numbers from 1"
    )
    rate: Annotated[float, Field(gt=0, lt=1)] | None = key(
        None,
        "Limit on the share of independent frames that extrapolate, at 95 % confidence: of none "
        "among N the rate counts as 3/N. Frames of a chain are independent record_every steps "
        "apart. If absent 0.01, or where a turn has fewer than 300 such frames 3/N.",
        "numbers above 0 and below 1, or nothing",
    )
    test_tolerance: Limit = key(
        "10 %",
        "How far energy and force RMSE on each test set may move over these turns, at least two: "
        "in meV/atom and eV/A, or in percent.",
        "numbers from 0 or percentages",
    )
    properties: list[StationaryProperty] = key(
        [],
        "Properties measured with the potential of each turn, which must be stationary too.",
        "a list of properties with tolerances",
    )
    audit_labels: Annotated[int, Field(ge=0)] = key(
        4,
        "Frames of a turn that would hold which are drawn at random, labelled and compared with "
        "what the potential said of them; none where there are no targets. They are never trained "
        "on.",
        "numbers from 0",
    )
    targets: dict[str, NotNegative] = key(
        {},
        "Largest errors on the frames of an audit; those of test_targets if empty.",
        "errors such as forces_rmse_eV_per_A with numbers from 0",
    )
