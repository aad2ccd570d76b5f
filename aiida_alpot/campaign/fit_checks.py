# SPDX-License-Identifier: MIT
"""Checks of how a campaign fits and grades, which look at more than one key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from aiida_alpot.campaign.kinds import attempt
from aiida_alpot.campaign.messages import missing_key, wrong_value
from aiida_alpot.campaign.schema import CampaignFile

if TYPE_CHECKING:
    from aiida_alpot.mtp.potential import MomentTensorPotential

THRESHOLDS = {
    "extrapolation": ("gamma_entry", "gamma_select", "gamma_break"),
    "committee": ("force_deviation_entry", "force_deviation_select", "force_deviation_break"),
}
"""Keys of ``grades`` by grader: of a candidate, of a turn that extrapolates, of a chain's end."""
_LOWEST = {"extrapolation": "from 1", "committee": "above 0"}


def check_grades(campaign: CampaignFile, source: str) -> None:
    """Refuse thresholds out of order or of another grader, and a committee that is not fitted."""
    grades = campaign.grades
    if grades.grader == "committee" and campaign.fit.committee is None:
        raise missing_key(
            source,
            ("fit", "committee"),
            "members, bootstrap, random_starts, or {}",
            purpose="the committee that grades",
        )
    _check_target_error(campaign, source)
    for grader in set(THRESHOLDS) - {grades.grader}:
        for name in sorted(grades.model_fields_set & set(THRESHOLDS[grader])):
            allowed = f"nothing, since grades.grader is {grades.grader}"
            raise wrong_value(source, ("grades", name), getattr(grades, name), allowed)
    if grades.per_cost and grades.grader == "committee":
        allowed = "false, since a committee tells no gain of information"
        raise wrong_value(source, ("grades", "per_cost"), True, allowed)
    if grades.per_cost and grades.method == "parity":
        allowed = "false, since grades.method is parity, which knows no costs"
        raise wrong_value(source, ("grades", "per_cost"), True, allowed)
    if grades.per_cost and grades.rule not in (None, "maxvol"):
        allowed = "false, since only the rule maxvol knows a gain that a cost can divide"
        raise wrong_value(source, ("grades", "per_cost"), True, allowed)
    if grades.grader == "committee" and grades.rule == "maxvol":
        allowed = "uncertainty, tail, farthest_points, cur or random, since a committee grades"
        raise wrong_value(source, ("grades", "rule"), grades.rule, allowed)
    for name in ("tail_k", "tail_kind"):
        if getattr(grades, name) is not None and grades.rule != "tail":
            allowed = "nothing, since grades.rule is not tail"
            raise wrong_value(source, ("grades", name), getattr(grades, name), allowed)
    if grades.cost_exponent is not None and not grades.per_cost:
        allowed = "nothing, since grades.per_cost is false"
        raise wrong_value(source, ("grades", "cost_exponent"), grades.cost_exponent, allowed)
    _check_order(campaign, source)


def _check_target_error(campaign: CampaignFile, source: str) -> None:
    """Refuse a target error without a committee, or beside the thresholds that follow from it."""
    grades = campaign.grades
    if grades.target_error is None:
        return
    if grades.grader != "committee":
        allowed = "nothing, since grades.grader is extrapolation, which tells no errors"
        raise wrong_value(source, ("grades", "target_error"), grades.target_error, allowed)
    for name in sorted(grades.model_fields_set & set(THRESHOLDS["committee"])):
        allowed = "nothing, since it follows from grades.target_error"
        raise wrong_value(source, ("grades", name), getattr(grades, name), allowed)


def _check_order(campaign: CampaignFile, source: str) -> None:
    names = THRESHOLDS[campaign.grades.grader]
    lowest = _LOWEST[campaign.grades.grader]
    entry, select, largest = (getattr(campaign.grades, name) for name in names)
    if entry > select:
        allowed = f"numbers {lowest} to grades.{names[1]}, which is {select:g}"
        raise wrong_value(source, ("grades", names[0]), entry, allowed)
    if select >= largest:
        allowed = f"numbers {lowest} and below grades.{names[2]}, which is {largest:g}"
        raise wrong_value(source, ("grades", names[1]), select, allowed)


def check_fit(campaign: CampaignFile, source: str) -> None:
    """Refuse settings of a fit that do not go together or with the species."""
    energies = campaign.fit.atomic_energies
    if isinstance(energies, Mapping) and set(energies) != set(campaign.species):
        raise wrong_value(
            source,
            ("fit", "atomic_energies"),
            energies,
            f"an energy for each of {', '.join(campaign.species)}",
        )
    _check_weighting(campaign, source)
    _check_committee(campaign, source)
    _check_blocks(campaign, source)


def _check_weighting(campaign: CampaignFile, source: str) -> None:
    weighting = campaign.fit.weighting
    if weighting is None:
        return
    window, decay, limit = (
        weighting.energy_window,
        weighting.energy_decay,
        weighting.energy_limit,
    )
    if (window is None) != (decay is None):
        missing, given = ("energy_decay", "energy_window")[:: 1 if decay is None else -1]
        allowed = f"a number in eV/atom beside {given}"
        raise missing_key(source, ("fit", "weighting", missing), allowed)
    if window is not None and limit is not None and limit < window:
        raise wrong_value(
            source,
            ("fit", "weighting", "energy_limit"),
            limit,
            f"numbers from energy_window, {window}",
        )


def _check_committee(campaign: CampaignFile, source: str) -> None:
    committee = campaign.fit.committee
    if committee is not None and not (committee.bootstrap or committee.random_starts):
        allowed = "true, since without random_starts all members would be the same"
        raise wrong_value(source, ("fit", "committee", "bootstrap"), False, allowed)


def _check_blocks(campaign: CampaignFile, source: str) -> None:
    """Refuse blocks of parameters that do not exist, and a fit with nothing left to be fitted."""
    fit = campaign.fit
    if fit.pull_blocks is not None and fit.pull is None:
        allowed = "a strength, since pull_blocks is given"
        raise missing_key(source, ("fit", "pull"), allowed)
    named: dict[str, Sequence[str] | None] = {
        "pull_blocks": fit.pull_blocks,
        "frozen": fit.frozen,
        "train_only": fit.train_only,
    }
    if not any(named.values()):
        return
    from aiida_alpot.fitting.strata import frozen_parameters, select_parameters

    form = _smallest_potential(campaign)
    for name, blocks in named.items():
        for block in blocks or ():
            attempt(partial(select_parameters, form, [block]), source, ("fit", name))
    place = ("fit", "train_only" if fit.train_only is not None else "frozen")
    what_is_left = partial(frozen_parameters, form, frozen=fit.frozen, train_only=fit.train_only)
    attempt(what_is_left, source, place)


def _smallest_potential(campaign: CampaignFile) -> MomentTensorPotential:
    """Return an untrained potential of the lowest level, whose blocks have the same names."""
    import numpy as np

    from aiida_alpot.mtp.potential import initial_potential

    return initial_potential(
        2, 5.0, species=campaign.species, min_distance=2.0, rng=np.random.default_rng(0)
    )
