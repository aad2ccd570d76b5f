# SPDX-License-Identifier: MIT
"""Whether the inputs of a campaign fit together, before anything is spent on them.

Each check returns in words what is wrong and what to do, or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.settings import PotentialSettings, read_samplers, read_section

Sets = Mapping[str, ConfigurationsData]


def find_mixed_levels(sets: Sets, level_of_theory: str) -> str | None:
    """Return which set has labels of another level of theory than the campaign."""
    for name, node in sets.items():
        if node.n_labelled and node.level_of_theory != level_of_theory:
            return (
                f"{name} has {node.n_labelled} labels of "
                f"{node.level_of_theory or 'a level of theory that is not recorded'}, the campaign "
                f"labels with {level_of_theory}. Drop those labels or label at that level."
            )
    return None


def find_misfit(settings: Mapping[str, Any], inputs: Any, first_sets: Sets) -> str | None:
    """Return what is missing among the inputs of a campaign, or does not fit its settings."""
    goes_on = "potential" in inputs.get("predecessor", {})
    if "start" not in inputs and settings.get("exploration") is None and not goes_on:
        return "Give `start`, or an `exploration` in the settings that makes the first cells."
    if "alpot" not in inputs.codes:
        return "Give the code `codes.alpot`."
    return (
        _find_unusable_set({"structures": inputs.structures, **first_sets}, settings["species"])
        or _find_missing_start(settings, inputs.structures)
        or find_unfit_potential(settings, inputs)
        or _find_overspending(first_sets, settings["budget"]["labels"])
    )


def _find_unusable_set(sets: Sets, species: list[str]) -> str | None:
    for name, node in sets.items():
        if node.n_configurations == 0:
            return f"{name} holds no configuration; give at least one."
        foreign = sorted(set(node.species) - set(species))
        if foreign:
            return f"{name} holds {foreign[0]}, the potential is for {', '.join(species)}."
    return None


def _find_missing_start(settings: Mapping[str, Any], structures: ConfigurationsData) -> str | None:
    known = {str(one) for one in structures.get_configurations().identifier}
    samplers = read_samplers(settings, exploration=False)
    if settings.get("exploration") is not None:
        samplers = samplers + read_samplers(settings, exploration=True)
    for sampler in samplers:
        missing = sorted(set(sampler.starts) - known)
        if missing:
            return f"Sampler {sampler.name} starts from {missing[0]!r}, which is no structure."
    return None


def find_unfit_potential(settings: Mapping[str, Any], inputs: Mapping[str, Any]) -> str | None:
    """Return why the first fit cannot go on from the potential that is given, if it cannot."""
    if "initial" not in inputs:
        return None
    potential, form = inputs["initial"], read_section(settings, PotentialSettings)
    foreign = sorted(set(potential.species) - set(settings["species"]))
    if foreign:
        return f"initial is for {foreign[0]} too; add it to the species, or give another potential."
    if potential.cutoff != form.cutoff:
        return f"initial has the cutoff {potential.cutoff:g} A, the campaign {form.cutoff:g} A."
    if (potential.level or 0) > form.level:
        return f"initial has level {potential.level}, the campaign {form.level}; levels only rise."
    return None


def _find_overspending(first_sets: Sets, budget: int) -> str | None:
    n_first = sum(node.n_configurations for node in first_sets.values())
    if n_first > budget:
        return (
            f"The first sets hold {n_first} configurations, the budget is {budget} labels. Raise "
            "`budget.labels` or give fewer."
        )
    return None
