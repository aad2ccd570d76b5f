# SPDX-License-Identifier: MIT
"""Checks of a campaign that look at more than one key, or at what a kind of sampler can be told.

Each check raises :class:`CampaignFileError` with one line that names the key, its value and what is
allowed. None of them reads a file or starts anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from aiida_alpot.campaign import calculators
from aiida_alpot.campaign.carve_checks import check_carve
from aiida_alpot.campaign.fit_checks import check_fit, check_grades
from aiida_alpot.campaign.kinds import attempt, check_settings_of_class
from aiida_alpot.campaign.messages import Location, missing_key, unknown_key, wrong_value
from aiida_alpot.campaign.sampler_checks import check_samplers
from aiida_alpot.campaign.schema import CampaignFile, StructureItem, ZblSection
from aiida_alpot.campaign.validation import check_converge, check_test_targets, check_validation
from aiida_alpot.errors import BudgetError, CampaignFileError
from aiida_alpot.mtp.zbl import INNER_SHARE, OUTER_SHARE

_ONLY_OF_FILES = ("index", "labels", "level_of_theory")
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
        check_samplers,
        check_grades,
        check_fit,
        _check_budget,
        check_carve,
        _check_gate,
        _check_label,
        check_validation,
        check_test_targets,
        check_converge,
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


def _check_species(campaign: CampaignFile, source: str) -> None:
    repeated = [name for name, count in Counter(campaign.species).items() if count > 1]
    if repeated:
        raise wrong_value(source, ("species",), campaign.species, "each chemical symbol once")
    smallest, cutoff = campaign.potential.min_distance, campaign.potential.cutoff
    if smallest is not None and smallest >= cutoff:
        raise wrong_value(
            source, ("potential", "min_distance"), smallest, f"numbers below the cutoff, {cutoff}"
        )
    core = campaign.potential.zbl
    if core is not None:
        _check_core(core, cutoff, source)
        _check_core_pairs(core, campaign, source)


def _check_core(core: ZblSection, cutoff: float, source: str) -> None:
    if core.outer is not None and core.outer >= cutoff:
        allowed = f"numbers below the cutoff, {cutoff}"
        raise wrong_value(source, ("potential", "zbl", "outer"), core.outer, allowed)
    # where one of them is absent it follows from the other
    if core.inner is not None and core.inner >= (core.outer or cutoff * INNER_SHARE / OUTER_SHARE):
        allowed = "numbers below outer" if core.outer else "numbers that keep outer in the cutoff"
        raise wrong_value(source, ("potential", "zbl", "inner"), core.inner, allowed)


def _check_core_pairs(core: ZblSection, campaign: CampaignFile, source: str) -> None:
    location, cutoff = ("potential", "zbl", "pairs"), campaign.potential.cutoff
    for name, (inner, outer) in core.pairs.items():
        symbols = name.split("-")
        if len(symbols) != 2 or not set(symbols) <= set(campaign.species):
            raise wrong_value(source, location, name, "two of the species joined by '-'")
        if not inner < outer < cutoff:
            allowed = f"inner below outer, outer below the cutoff, {cutoff}"
            raise wrong_value(source, (*location, name), [inner, outer], allowed)


def _check_items(campaign: CampaignFile, source: str) -> None:
    for location, item in items_of(campaign):
        given = item.model_dump(include={"file", "group", "crystal"}, exclude_none=True)
        if len(given) != 1:
            raise wrong_value(
                source, location, given, "either a file or a crystal, or a group; one of them"
            )
        foreign = _ONLY_OF_FILES if item.crystal else _ONLY_OF_CRYSTALS
        for name in foreign:
            if name in item.model_fields_set:
                (kind,) = given
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
        allowed = f"a formula of {', '.join(campaign.species)}"
        raise missing_key(source, (*location, "formula"), allowed)
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
    if (start.pool is None) != (start.select is None):
        missing = "select" if start.select is None else "pool"
        raise wrong_value(
            source, ("start", missing), None, "given together with the other of pool and select"
        )
    if not start.training and start.pool is None and start.calculator is None:
        raise wrong_value(
            source,
            ("start", "training"),
            start.training,
            "at least one item, a start.pool, or a start.calculator that explores first",
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


def _check_budget(campaign: CampaignFile, source: str) -> None:
    budget = campaign.budget
    if budget.labels_per_turn > budget.labels:
        raise wrong_value(
            source,
            ("budget", "labels_per_turn"),
            budget.labels_per_turn,
            f"numbers from 1 to budget.labels, which is {budget.labels}",
        )
    if campaign.grades.mode == "configuration" and campaign.grades.grader == "extrapolation":
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
    if label.workchain is None:  # a WorkChain of its own checks the settings of its calculator
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
