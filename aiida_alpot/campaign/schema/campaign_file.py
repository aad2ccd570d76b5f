# SPDX-License-Identifier: MIT
"""The campaign file as a whole."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from aiida_alpot.campaign.schema.budget import BudgetSection
from aiida_alpot.campaign.schema.carve import CarveSection
from aiida_alpot.campaign.schema.converge import ConvergeSection
from aiida_alpot.campaign.schema.explore import SamplerEntry
from aiida_alpot.campaign.schema.fit import FitSection
from aiida_alpot.campaign.schema.grades import GradesSection
from aiida_alpot.campaign.schema.keys import NAME, Name, Section, Symbol, key
from aiida_alpot.campaign.schema.label import LabelSection
from aiida_alpot.campaign.schema.potential import PotentialSection
from aiida_alpot.campaign.schema.start import StartSection, StructureItem
from aiida_alpot.campaign.schema.validation import PropertyEntry


class CampaignFile(Section):
    """A whole campaign file."""

    name: Name = key(..., "Name of the campaign.", NAME)
    species: list[Symbol] = key(
        ..., "Chemical species; their order is that of the types.", "chemical symbols", min_length=1
    )
    seed: int = key(0, "Seed of all random numbers.", "numbers from 0", ge=0)
    potential: PotentialSection = key(
        PotentialSection(), "The potential.", "level, cutoff, min_distance, zbl"
    )
    start: StartSection = key(
        ..., "Where it starts.", "training, potential, structures, calculator"
    )
    explore: list[SamplerEntry] = key(..., "The samplers.", "a list of samplers", min_length=1)
    grades: GradesSection = key(
        GradesSection(),
        "What counts as extrapolation.",
        "grader, gamma_entry, gamma_select, gamma_break, mode, method, ...",
    )
    carve: CarveSection | None = key(
        None,
        "Label chunks of frames that are too large to be labelled as a whole.",
        "above_atoms, radius, vacuum, kind, passivate, per_structure, or nothing",
    )
    label: LabelSection = key(..., "Who labels.", "calculator, settings, code, ...")
    fit: FitSection = key(FitSection(), "How to fit.", "weights, max_iterations, ...")
    budget: BudgetSection = key(
        ..., "What may be spent.", "labels, labels_per_turn, turns, core_hours, wall_hours"
    )
    converge: ConvergeSection = key(
        ConvergeSection(),
        "When it is finished.",
        "turns, rate, test_tolerance, properties, audit_labels, targets",
    )
    gate: dict[str, Any] = key(
        {}, "Sanity checks before a label is paid for.", "settings of the gate"
    )
    test_sets: dict[Name, list[StructureItem]] = key(
        {},
        "Frozen test sets, labelled once and never trained on.",
        "names with lists of structures",
    )
    test_targets: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = key(
        {},
        "Largest errors allowed on every test set at the end.",
        "errors such as forces_rmse_eV_per_A with numbers from 0",
    )
    test_fraction: float = key(
        0.0,
        "Share of the chains whose selected frames are held out as tests.",
        "numbers from 0, below 1",
        ge=0,
        lt=1,
    )
    validation: list[PropertyEntry] = key(
        [],
        "Properties compared with the calculator of the labels at the end.",
        "a list of properties",
        alias="validate",
    )
    machines: str | None = key(
        None, "File that maps the roles fit, sample and label to codes.", "the path of a file"
    )
