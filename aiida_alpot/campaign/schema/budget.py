# SPDX-License-Identifier: MIT
"""The section ``budget``: what a campaign may spend."""

from __future__ import annotations

from aiida_alpot.campaign.schema.keys import Count, PositiveFloat, Section, key


class BudgetSection(Section):
    """What the campaign may spend."""

    labels: Count = key(
        ...,
        "Labels in all: start, test sets, and those that were known already included.",
        "numbers from 1",
    )
    labels_per_turn: Count = key(10, "Label calls of one turn.", "numbers from 1")
    turns: Count = key(6, "Turns of the loop.", "numbers from 1")
    core_hours: PositiveFloat | None = key(
        None,
        "Core-hours of all jobs, those of campaigns that this one goes on from included: by the "
        "accounting of the scheduler, else wall time times cores. A turn whose forecast exceeds "
        "what is left selects fewer.",
        "numbers above 0, or nothing",
    )
    wall_hours: PositiveFloat | None = key(
        None,
        "Hours since the campaign was submitted after which no further turn begins.",
        "numbers above 0, or nothing",
    )
