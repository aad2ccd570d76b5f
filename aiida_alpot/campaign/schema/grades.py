# SPDX-License-Identifier: MIT
"""The section ``grades``: who grades, and what counts as extrapolation."""

from __future__ import annotations

from typing import Literal

from aiida_alpot.campaign.schema.keys import PositiveFloat, Section, key


class GradesSection(Section):
    """What counts as extrapolation."""

    grader: Literal["extrapolation", "committee"] = key(
        "extrapolation",
        "What grades: the extrapolation grade of the active set, or the deviation of forces among "
        "the members of fit.committee.",
        "extrapolation, or committee together with fit.committee",
    )
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
    force_deviation_entry: PositiveFloat = key(
        0.05,
        "With a committee in place of gamma_entry: frames above it are candidates in a turn that "
        "extrapolates. Largest standard deviation of the force on an atom, eV/A.",
        "numbers above 0 to force_deviation_select",
    )
    force_deviation_select: PositiveFloat = key(
        0.1,
        "With a committee in place of gamma_select: a turn with a frame above it extrapolates, "
        "eV/A.",
        "numbers above 0, below force_deviation_break",
    )
    force_deviation_break: PositiveFloat = key(
        0.5,
        "With a committee in place of gamma_break: a chain stops there, eV/A.",
        "numbers above force_deviation_select",
    )
    target_error: PositiveFloat | None = key(
        None,
        "With a committee in place of force_deviation_*: error of the force on an atom that is "
        "not to be exceeded, eV/A. Thresholds follow from how the deviations of earlier turns "
        "went with the errors that their labels showed.",
        "numbers above 0, or nothing",
    )
    mode: Literal["neighborhood", "configuration"] = key(
        "neighborhood",
        "Whether atoms or whole configurations are graded by the active set.",
        "neighborhood or configuration",
    )
    rule: Literal["maxvol", "tail", "uncertainty", "farthest_points", "cur", "random"] | None = key(
        None,
        "Rule that selects among the frames of a turn: what enlarges the volume (maxvol), the tail "
        "of ln(grade), the largest grades, farthest points or leverage scores of rows, or chance. "
        "By default maxvol, and uncertainty with a committee.",
        "maxvol, tail, uncertainty, farthest_points, cur or random",
    )
    tail_k: float | None = key(
        None,
        "With the rule tail: it begins so many second moments above the median of ln(grade), 1.5 "
        "if absent.",
        "numbers from 0, or nothing",
        ge=0,
    )
    tail_kind: Literal["rms", "variance"] | None = key(
        None,
        "With the rule tail: the second moment is the root of the mean square, or the mean square.",
        "rms or variance, or nothing",
    )
    per_cost: bool = key(
        False,
        "Select what gains most information per core-hour, so that small cells come first where "
        "they teach as much.",
        "true or false; not with a committee or the method parity",
    )
    cost_exponent: PositiveFloat | None = key(
        None,
        "With per_cost: power of atoms x k-points with which the cost of a label grows; learnt "
        "in steps of 0.5 from what the campaign's labels have cost if absent, 2 before that.",
        "numbers above 0, or nothing",
    )
    method: Literal["projected", "parity"] = key(
        "projected",
        "How the active set is chosen; 'parity' is MLIP-2's way.",
        "projected or parity",
    )
