# SPDX-License-Identifier: MIT
"""What a campaign is measured by: properties and test sets, their figures and their targets."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from functools import partial

from aiida_alpot.campaign import calculators
from aiida_alpot.campaign.kinds import attempt, check_settings_of_class, settings_of
from aiida_alpot.campaign.messages import unknown_key, wrong_value
from aiida_alpot.campaign.schema import CampaignFile, PropertyEntry, StationaryProperty

TEST_FIGURES = {
    "energy_rmse_meV_per_atom": ("energy", "rmse_meV_per_atom"),
    "energy_mae_meV_per_atom": ("energy", "mae_meV_per_atom"),
    "forces_rmse_eV_per_A": ("forces", "rmse_eV_per_A"),
    "forces_mae_eV_per_A": ("forces", "mae_eV_per_A"),
    "forces_mean_angle_deg": ("forces", "mean_angle_deg"),
    "stress_rmse_GPa": ("stress", "rmse_GPa"),
    "stress_mae_GPa": ("stress", "mae_GPa"),
}
"""Errors on a test set by the name of their target: where they stand in the errors of a fit."""


def check_validation(campaign: CampaignFile, source: str) -> None:
    """Refuse properties, references and targets that cannot be had; ``source`` names the file.

    Raises
    ------
    CampaignFileError
        On the first one.
    """
    from aiida_alpot.properties.registry import PROPERTIES

    for index, entry in enumerate(campaign.validation):
        place = ("validate", index)
        _check_property(campaign, entry, list(PROPERTIES), source, place)
        _check_reference(campaign, entry, source, place)
        _check_targets(entry, source, place)


def _check_property(
    campaign: CampaignFile,
    entry: PropertyEntry | StationaryProperty,
    usable: Sequence[str],
    source: str,
    place: tuple[str | int, ...],
) -> None:
    """Refuse a kind, a structure or settings that there are not."""
    from aiida_alpot.properties.registry import PROPERTIES, make_property_settings

    if entry.kind not in usable:
        raise wrong_value(source, (*place, "kind"), entry.kind, ", ".join(usable))
    if entry.structure is not None and entry.structure not in campaign.start.structures:
        known = ", ".join(campaign.start.structures)
        raise wrong_value(source, (*place, "structure"), entry.structure, known)
    settings = settings_of(entry)
    check_settings_of_class(PROPERTIES[entry.kind][1], settings, source, place)
    attempt(partial(make_property_settings, entry.kind, settings), source, place)


def _check_reference(
    campaign: CampaignFile, entry: PropertyEntry, source: str, place: tuple[str | int, ...]
) -> None:
    """Refuse what needs the calculator of the labels where that cannot run beside the potential."""
    from aiida_alpot.properties.registry import (
        PROPERTIES,
        compares_with_reference,
        needs_reference,
    )

    calculator = campaign.label.calculator
    if calculators.runs_beside_potential(calculator, campaign.label.workchain):
        return
    without = [kind for kind in PROPERTIES if not needs_reference(kind)]
    if entry.kind not in without:
        allowed = f"with label.calculator {calculator}: {', '.join(without)}"
        raise wrong_value(source, (*place, "kind"), entry.kind, allowed)
    if entry.targets and not compares_with_reference(entry.kind):
        allowed = f"none with label.calculator {calculator}, which cannot be compared with here"
        raise wrong_value(source, (*place, "targets"), dict(entry.targets), allowed)


def _check_targets(entry: PropertyEntry, source: str, place: tuple[str | int, ...]) -> None:
    from aiida_alpot.properties.registry import compares_with_reference

    known = figures_of(entry.kind)
    for name, limit in entry.targets.items():
        if name not in known:
            raise unknown_key(source, (*place, "targets", name), known)
        if isinstance(limit, str) and compares_with_reference(entry.kind):
            raise wrong_value(source, (*place, "targets", name), limit, "numbers from 0")


def figures_of(kind: str) -> list[str]:
    """Return the names of the single numbers that a property gives."""
    from aiida_alpot.properties.registry import PROPERTIES

    result = typing.get_type_hints(PROPERTIES[kind][0])["return"]
    hints = typing.get_type_hints(result)
    return [field.name for field in dataclasses.fields(result) if hints[field.name] in (float, int)]


def check_converge(campaign: CampaignFile, source: str) -> None:
    """Refuse properties that cannot be measured in every turn, and figures that there are not.

    Raises
    ------
    CampaignFileError
        On the first one.
    """
    from aiida_alpot.properties.registry import PROPERTIES, needs_reference

    usable = [kind for kind in PROPERTIES if not needs_reference(kind)]
    for index, entry in enumerate(campaign.converge.properties):
        place = ("converge", "properties", index)
        _check_property(campaign, entry, usable, source, place)
        for name in entry.tolerances:
            if name not in figures_of(entry.kind):
                raise unknown_key(source, (*place, "tolerances", name), figures_of(entry.kind))
    for name in campaign.converge.targets:
        if name not in TEST_FIGURES:
            raise unknown_key(source, ("converge", "targets", name), TEST_FIGURES)


def check_test_targets(campaign: CampaignFile, source: str) -> None:
    """Refuse targets on test sets that do not exist, and targets without a test set.

    Raises
    ------
    CampaignFileError
        On the first one.
    """
    for name in campaign.test_targets:
        if name not in TEST_FIGURES:
            raise unknown_key(source, ("test_targets", name), TEST_FIGURES)
    if campaign.test_targets and not campaign.test_sets and not campaign.test_fraction:
        raise wrong_value(
            source, ("test_targets",), campaign.test_targets, "none without test sets"
        )
