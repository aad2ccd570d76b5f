# SPDX-License-Identifier: MIT
"""Checks of a campaign that look at more than one key, or at what a kind of sampler can be told.

Each check raises :class:`CampaignFileError` with one line that names the key, its value and what is
allowed. None of them reads a file or starts anything.
"""

from __future__ import annotations

import dataclasses
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from aiida_alpot.campaign import calculators
from aiida_alpot.campaign.messages import Location, dotted, missing_key, unknown_key, wrong_value
from aiida_alpot.campaign.schema import CampaignFile, PropertyEntry, Section, StructureItem
from aiida_alpot.errors import BudgetError, CampaignFileError, SettingError

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

_ONLY_OF_FILES = ("index", "labels")
_ONLY_OF_CRYSTALS = ("formula", "a", "b", "c", "cubic")


def check_campaign(campaign: CampaignFile, source: str) -> None:
    """Run all checks; ``source`` names the file in messages.

    Raises
    ------
    CampaignFileError
        On the first thing that does not fit.
    """
    for check in (
        _check_species,
        _check_items,
        _check_start,
        _check_samplers,
        _check_thresholds,
        _check_budget,
        _check_gate,
        _check_label,
        _check_validation,
        _check_test_targets,
    ):
        check(campaign, source)


def items_of(campaign: CampaignFile) -> Iterator[tuple[tuple[str | int, ...], StructureItem]]:
    """Yield every structure item of the campaign with its place in the file."""
    for index, item in enumerate(campaign.start.training):
        yield ("start", "training", index), item
    for name, item in campaign.start.structures.items():
        yield ("start", "structures", name), item
    for name, items in campaign.test_sets.items():
        for index, item in enumerate(items):
            yield ("test_sets", name, index), item


def check_settings_of_class(
    settings_class: type, settings: Mapping[str, Any], source: str, location: Sequence[str | int]
) -> None:
    """Refuse keys that the dataclass of a kind does not have, and name those that it lacks."""
    fields = {field.name: field for field in dataclasses.fields(settings_class)}
    for name in settings:
        if name not in fields:
            raise unknown_key(source, (*location, name), fields)
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and name not in settings:
            raise CampaignFileError(
                f"{missing_key(source, (*location, name), None)}".partition(";")[0]
                + f"; allowed: {field.metadata.get('help', 'a value')}."
            )


def attempt(
    action: Callable[[], Any], source: str, location: Location, allowed: str | None = None
) -> Any:
    """Run ``action`` and put the place in the file before the error it may raise."""
    try:
        return action()
    except (SettingError, CampaignFileError) as error:
        raise CampaignFileError(f"{source}: {dotted(location)}: {error}") from error


def _check_species(campaign: CampaignFile, source: str) -> None:
    repeated = [name for name, count in Counter(campaign.species).items() if count > 1]
    if repeated:
        raise wrong_value(source, ("species",), campaign.species, "each chemical symbol once")
    smallest, cutoff = campaign.potential.min_distance, campaign.potential.cutoff
    if smallest is not None and smallest >= cutoff:
        raise wrong_value(
            source, ("potential", "min_distance"), smallest, f"numbers below the cutoff, {cutoff}"
        )


def _check_items(campaign: CampaignFile, source: str) -> None:
    for location, item in items_of(campaign):
        if (item.file is None) == (item.crystal is None):
            given = item.model_dump(include={"file", "crystal"})
            raise wrong_value(source, location, given, "either a file or a crystal, one of them")
        foreign = _ONLY_OF_CRYSTALS if item.file else _ONLY_OF_FILES
        for name in foreign:
            if name in item.model_fields_set:
                kind = "file" if item.file else "crystal"
                raise wrong_value(
                    source,
                    (*location, name),
                    getattr(item, name),
                    f"nothing, since this item is a {kind}",
                )
        _check_item_contents(campaign, source, location, item)
    for name, items in campaign.test_sets.items():
        if not items:
            raise wrong_value(source, ("test_sets", name), items, "at least one item")


def _check_item_contents(
    campaign: CampaignFile, source: str, location: Location, item: StructureItem
) -> None:
    if item.crystal and item.formula is None and len(campaign.species) > 1:
        raise CampaignFileError(
            f"{missing_key(source, (*location, 'formula'), None)}".partition(";")[0]
            + f"; allowed: a formula of {', '.join(campaign.species)}."
        )
    for symbol in item.substitute:
        if symbol not in campaign.species:
            raise wrong_value(
                source, (*location, "substitute"), symbol, ", ".join(campaign.species)
            )
    if sum(item.substitute.values()) > 1 + 1e-9:
        raise wrong_value(
            source, (*location, "substitute"), item.substitute, "shares of at most 1 together"
        )
    if isinstance(item.index, str) and not _is_slice(item.index):
        raise wrong_value(source, (*location, "index"), item.index, "a number or start:stop:step")


def _is_slice(text: str) -> bool:
    parts = text.split(":")
    return len(parts) in (2, 3) and all(
        part.strip() == "" or part.strip().lstrip("-").isdigit() for part in parts
    )


def _check_start(campaign: CampaignFile, source: str) -> None:
    start = campaign.start
    if not start.training and start.calculator is None:
        raise wrong_value(
            source,
            ("start", "training"),
            start.training,
            "at least one item, or a start.calculator that explores first",
        )
    if not start.structures:
        raise wrong_value(
            source, ("start", "structures"), {}, "at least one named structure for the samplers"
        )
    if start.calculator is not None:
        names = [sampler.name for sampler in campaign.explore]
        for name in start.calculator.samplers:
            if name not in names:
                raise wrong_value(
                    source, ("start", "calculator", "samplers"), name, ", ".join(names)
                )


def _check_samplers(campaign: CampaignFile, source: str) -> None:
    from aiida_alpot.sampling.registry import SAMPLERS, make_sampler

    counts = Counter(sampler.name for sampler in campaign.explore)
    for index, sampler in enumerate(campaign.explore):
        place = ("explore", index)
        if counts[sampler.name] > 1:
            raise wrong_value(source, (*place, "name"), sampler.name, "a name that stands once")
        if sampler.kind not in SAMPLERS:
            raise wrong_value(source, (*place, "kind"), sampler.kind, ", ".join(SAMPLERS))
        for start in sampler.starts:
            if start not in campaign.start.structures:
                known = ", ".join(campaign.start.structures)
                raise wrong_value(source, (*place, "starts"), start, known)
        settings = settings_of(sampler)
        check_settings_of_class(SAMPLERS[sampler.kind][1], settings, source, place)
        attempt(partial(make_sampler, sampler.kind, settings), source, place)


def settings_of(entry: Section) -> dict[str, Any]:
    """Return the keys of an entry that belong to its kind."""
    return dict(entry.model_extra or {})


def _check_thresholds(campaign: CampaignFile, source: str) -> None:
    grades = campaign.grades
    if grades.gamma_entry > grades.gamma_select:
        raise wrong_value(
            source,
            ("grades", "gamma_entry"),
            grades.gamma_entry,
            f"numbers from 1 to grades.gamma_select, which is {grades.gamma_select:g}",
        )
    if grades.gamma_select >= grades.gamma_break:
        raise wrong_value(
            source,
            ("grades", "gamma_select"),
            grades.gamma_select,
            f"numbers from 1 and below grades.gamma_break, which is {grades.gamma_break:g}",
        )


def _check_budget(campaign: CampaignFile, source: str) -> None:
    budget = campaign.budget
    if budget.labels_per_turn > budget.labels:
        raise wrong_value(
            source,
            ("budget", "labels_per_turn"),
            budget.labels_per_turn,
            f"numbers from 1 to budget.labels, which is {budget.labels}",
        )
    if campaign.grades.mode == "configuration":
        _check_rank(campaign, source)


def _check_rank(campaign: CampaignFile, source: str) -> None:
    """Refuse a budget that can never span the row space, with one row for each label."""
    import numpy as np

    from aiida_alpot.mtp.potential import initial_potential
    from aiida_alpot.selection.budget import check_budget

    settings = campaign.potential
    cutoff = settings.cutoff
    untrained = initial_potential(
        settings.level,
        cutoff,
        species=campaign.species,
        min_distance=settings.min_distance or cutoff / 2,
        rng=np.random.default_rng(0),
    )
    try:
        check_budget(untrained, mode=campaign.grades.mode, labels=campaign.budget.labels)
    except BudgetError as error:
        raise CampaignFileError(f"{source}: budget.labels: {error}") from error


def _check_gate(campaign: CampaignFile, source: str) -> None:
    from aiida_alpot.selection.gate import GateSettings

    check_settings_of_class(GateSettings, campaign.gate, source, ("gate",))
    attempt(lambda: GateSettings.from_mapping(campaign.gate), source, ("gate",))


def _check_label(campaign: CampaignFile, source: str) -> None:
    label = campaign.label
    check_calculator_entry(
        label.calculator, label.settings, source, ("label", "calculator"), ("label", "settings")
    )
    first = campaign.start.calculator
    if first is not None:
        place = ("start", "calculator")
        check_calculator_entry(
            first.name, first.settings, source, (*place, "name"), (*place, "settings")
        )
        if calculators.needs_code(first.name):
            allowed = [n for n in calculators.calculator_names() if not calculators.needs_code(n)]
            raise wrong_value(source, (*place, "name"), first.name, ", ".join(allowed))


def check_calculator_entry(
    name: str, settings: Mapping[str, Any], source: str, name_at: Location, settings_at: Location
) -> None:
    """Refuse a calculator that is not on the allow-list, and settings that it does not know."""
    names = calculators.calculator_names()
    if name not in names:
        close = calculators.nearest_calculator(name)
        hint = f" (did you mean {close}?)" if close else ""
        raise wrong_value(source, name_at, name, ", ".join(names) + hint)
    for key in settings:
        if key not in calculators.setting_names(name):
            raise unknown_key(source, (*settings_at, key), calculators.setting_names(name))
    attempt(lambda: calculators.check_calculator(name, settings), source, settings_at)


def _check_validation(campaign: CampaignFile, source: str) -> None:
    from aiida_alpot.properties.registry import PROPERTIES, make_property_settings

    for index, entry in enumerate(campaign.validation):
        place = ("validate", index)
        if entry.kind not in PROPERTIES:
            raise wrong_value(source, (*place, "kind"), entry.kind, ", ".join(PROPERTIES))
        if entry.structure is not None and entry.structure not in campaign.start.structures:
            known = ", ".join(campaign.start.structures)
            raise wrong_value(source, (*place, "structure"), entry.structure, known)
        settings = settings_of(entry)
        check_settings_of_class(PROPERTIES[entry.kind][1], settings, source, place)
        attempt(partial(make_property_settings, entry.kind, settings), source, place)
        _check_reference(campaign, entry, source, place)
        _check_targets(entry, source, place)


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
    if not calculators.needs_code(calculator):
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


def _check_test_targets(campaign: CampaignFile, source: str) -> None:
    for name in campaign.test_targets:
        if name not in TEST_FIGURES:
            raise unknown_key(source, ("test_targets", name), TEST_FIGURES)
    if campaign.test_targets and not campaign.test_sets and not campaign.test_fraction:
        raise wrong_value(
            source, ("test_targets",), campaign.test_targets, "none without test sets"
        )
