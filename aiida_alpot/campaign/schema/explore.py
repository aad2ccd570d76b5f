# SPDX-License-Identifier: MIT
"""The section ``explore``: the samplers."""

from __future__ import annotations

from typing import Literal

from aiida_alpot.campaign.schema.keys import NAME, Count, Name, OpenSection, key


class SamplerEntry(OpenSection):
    """One sampler; further keys are the settings of its kind."""

    name: Name = key(..., "Name of the sampler, once in the campaign.", NAME)
    kind: str = key(..., "Kind of sampler.", "a kind of sampler")
    starts: list[str] = key(
        ...,
        "Structures it starts from; each is a chain.",
        "names in start.structures",
        min_length=1,
    )
    max_frames: Count = key(
        50, "Most frames that a chain hands to the selection.", "numbers from 1"
    )
    record_every: Count = key(10, "Steps between two recorded frames.", "numbers from 1")
    starts_per_job: Count = key(
        1,
        "Chains that share a job; starts that belong together, as the ends of a path, always do.",
        "numbers from 1",
    )
    restart: Literal["start", "last_good_frame"] = key(
        "start",
        "Where a chain that its grade stopped begins in the next turn: at its start, or at the "
        "last frame whose grade was at most grades.gamma_select.",
        "start or last_good_frame",
    )
