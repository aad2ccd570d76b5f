# SPDX-License-Identifier: MIT
"""The section ``validate``: properties, and how far they may be off."""

from __future__ import annotations

from aiida_alpot.campaign.schema.keys import Limit, OpenSection, key


class PropertyEntry(OpenSection):
    """One property to validate; further keys are the settings of its kind."""

    kind: str = key(..., "Kind of property.", "a kind of property")
    structure: str | None = key(None, "Structure it is computed for.", "a name in start.structures")
    targets: dict[str, Limit] = key(
        {},
        "Largest deviation allowed from the reference, in the unit of the figure or in percent "
        "('2 %'); of errors and counts, the largest value.",
        "figures of that kind with numbers from 0 or percentages",
    )
    before: bool = key(
        True, "Whether it is also computed with the potential of the start alone.", "true or false"
    )
