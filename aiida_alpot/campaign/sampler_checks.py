# SPDX-License-Identifier: MIT
"""Checks of the section ``explore``: each sampler against its settings and the rest of the file."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from ase.formula import Formula

from aiida_alpot.campaign.kinds import attempt, check_settings_of_class, settings_of
from aiida_alpot.campaign.messages import Location, wrong_value
from aiida_alpot.campaign.schema import CampaignFile
from aiida_alpot.campaign.schema.explore import SamplerEntry
from aiida_alpot.sampling.bias_settings import BiasSettings

SPECIES_KEYS = ("species", "interstitial_species", "formula")
"""Settings that name species, of which samplers make structures."""


def check_samplers(campaign: CampaignFile, source: str) -> None:
    """Check names, kinds, starts and settings of all samplers.

    Raises
    ------
    CampaignFileError
        On the first thing that does not fit; ``source`` names the file.
    """
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
        _check_restart(sampler, source, place)
        settings = settings_of(sampler)
        check_settings_of_class(SAMPLERS[sampler.kind][1], settings, source, place)
        made = attempt(partial(make_sampler, sampler.kind, settings), source, place)
        _check_contents(campaign, source, place, made.settings)
        _check_batched(campaign, source, place)
        _check_bias(campaign, source, place, getattr(made.settings, "bias", None))


def _check_restart(sampler: SamplerEntry, source: str, place: Location) -> None:
    """Refuse to go on in the middle of chains that have none."""
    from aiida_alpot.sampling.registry import SAMPLERS
    from aiida_alpot.sampling.restarting import START, can_go_on

    if sampler.restart == START or can_go_on(SAMPLERS[sampler.kind][0]):
        return
    kinds = ", ".join(kind for kind, (one, _) in SAMPLERS.items() if can_go_on(one))
    allowed = f"{START} for {sampler.kind}; chains that can go on are those of {kinds}"
    raise wrong_value(source, (*place, "restart"), sampler.restart, allowed)


def _check_contents(campaign: CampaignFile, source: str, place: Location, settings: Any) -> None:
    """Refuse structures of species that the potential of the campaign does not have."""
    for name in SPECIES_KEYS:
        value = getattr(settings, name, None)
        if value is None:
            continue
        symbols = list(Formula(value).count()) if name == "formula" else value
        if not set(symbols) <= set(campaign.species):
            known = ", ".join(campaign.species)
            raise wrong_value(source, (*place, name), value, f"species of the campaign ({known})")


def _check_batched(campaign: CampaignFile, source: str, place: Location) -> None:
    """Refuse to relax starts together where no potential, or a committee, evaluates them."""
    sampler = campaign.explore[int(place[1])]
    if sampler.kind != "batched_relaxation":
        return
    allowed = "relaxation, since batched_relaxation needs a potential with extrapolation grades"
    if campaign.grades.grader != "extrapolation":
        allowed = f"{allowed} and grades.grader is {campaign.grades.grader}"
        raise wrong_value(source, (*place, "kind"), sampler.kind, allowed)
    if _runs_before_potential(campaign, sampler.name):
        allowed = f"{allowed}; or name other samplers in start.calculator.samplers"
        raise wrong_value(source, (*place, "kind"), sampler.kind, allowed)


def _check_bias(
    campaign: CampaignFile, source: str, place: Location, bias: BiasSettings | None
) -> None:
    """Refuse a bias on what does not grade, and one of a sampler that no potential moves."""
    if bias is None:
        return
    needed = {"committee": "committee", "grade": "extrapolation"}[bias.kind]
    if campaign.grades.grader != needed:
        other = {"committee": "grade", "grade": "committee"}[bias.kind]
        allowed = f"{other}, since grades.grader is {campaign.grades.grader}"
        raise wrong_value(source, (*place, "bias", "kind"), bias.kind, allowed)
    if _runs_before_potential(campaign, campaign.explore[int(place[1])].name):
        allowed = (
            "absent, since start.calculator runs this sampler before there is a potential; name "
            "others in start.calculator.samplers"
        )
        raise wrong_value(source, (*place, "bias"), bias.kind, allowed)


def _runs_before_potential(campaign: CampaignFile, name: str) -> bool:
    """Return whether a sampler explores with a calculator before there is a potential."""
    first = campaign.start.calculator
    return first is not None and (not first.samplers or name in first.samplers)
