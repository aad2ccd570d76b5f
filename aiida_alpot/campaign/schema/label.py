# SPDX-License-Identifier: MIT
"""The section ``label``: who labels."""

from __future__ import annotations

from typing import Any

from aiida_alpot.campaign.schema.keys import Count, PositiveFloat, Section, key


class LabelSection(Section):
    """Who computes energies, forces and stresses, and how."""

    calculator: str = key(..., "Calculator of the labels.", "a calculator")
    workchain: str | None = key(
        None,
        "Entry point of the WorkChain that labels, where it is not one of this package; it says "
        "which settings its calculator has.",
        "an entry point in aiida.workflows",
    )
    settings: dict[str, Any] = key({}, "Settings of the calculator.", "settings of the calculator")
    code: str | None = key(
        None, "Code in AiiDA that labels, such as gpaw@localhost.", "the label of a code"
    )
    gamma_code: str | None = key(
        None,
        "Code that labels cells for which Gamma is the only k-point, such as vasp_gam@cluster.",
        "the label of a code",
    )
    batch_size: Count = key(50, "Most configurations of one job.", "numbers from 1")
    max_attempts: Count = key(2, "How often a failed configuration is tried.", "numbers from 1")
    min_success: float = key(
        0.5, "Least share of a turn's labels that must succeed.", "numbers from 0 to 1", ge=0, le=1
    )
    turn_deadline_hours: PositiveFloat | None = key(
        None,
        "Hours after which the labels of a turn close with those that are there; jobs still "
        "queued or running are left alone, and their labels join the next turn.",
        "numbers above 0, or nothing",
    )
    options: dict[str, Any] = key(
        {},
        "Options of the scheduler for label jobs, over those of the machines file.",
        "metadata.options of an AiiDA CalcJob",
    )
    retry_options: dict[str, Any] = key(
        {},
        "Options, over the others, of the next attempt after one that ran out of time or memory: "
        "another queue, a longer time.",
        "metadata.options of an AiiDA CalcJob",
    )
