# SPDX-License-Identifier: MIT
"""The section ``grades``: what counts as extrapolation."""

from __future__ import annotations

from typing import Literal

from aiida_alpot.campaign.schema.keys import Section, key


class GradesSection(Section):
    """What counts as extrapolation."""

    gamma_entry: float = key(
        1.1,
        "Frames above this grade are candidates in a turn that extrapolates.",
        "numbers from 1 to gamma_select",
        ge=1,
    )
    gamma_select: float = key(
        2.0,
        "A turn with a frame above this grade extrapolates.",
        "numbers from 1, below gamma_break",
        ge=1,
    )
    gamma_break: float = key(
        10.0, "A chain stops at this grade.", "numbers above gamma_select", gt=1
    )
    mode: Literal["neighborhood", "configuration"] = key(
        "neighborhood",
        "Whether atoms or whole configurations are graded.",
        "neighborhood or configuration",
    )
    method: Literal["projected", "parity"] = key(
        "projected",
        "How the active set is chosen; 'parity' is MLIP-2's way.",
        "projected or parity",
    )
