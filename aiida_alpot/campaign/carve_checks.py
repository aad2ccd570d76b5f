# SPDX-License-Identifier: MIT
"""Checks of the section ``carve``: whether frames too large for a label can be cut up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aiida_alpot.campaign.messages import wrong_value
from aiida_alpot.campaign.schema import CampaignFile, CarveSection
from aiida_alpot.errors import CampaignFileError

if TYPE_CHECKING:
    from aiida_alpot.campaign.load import Campaign
    from aiida_alpot.configurations import Configurations

_OF_ENERGIES = ("energy_", "stress_")


def check_carve(campaign: CampaignFile, source: str) -> None:
    """Refuse chunks that are smaller than what the potential sees, or that it cannot be taught.

    Raises
    ------
    CampaignFileError
        On the first thing that does not fit.
    """
    carve, cutoff = campaign.carve, campaign.potential.cutoff
    if carve is None:
        return
    if carve.radius < cutoff:
        allowed = f"numbers from potential.cutoff, which is {cutoff:g}"
        raise wrong_value(source, ("carve", "radius"), carve.radius, allowed)
    if carve.passivate is not None and carve.kind == "periodic":
        allowed = "nothing, since periodic chunks have no cut bonds"
        raise wrong_value(source, ("carve", "passivate"), carve.passivate, allowed)
    if carve.passivate is not None and carve.passivate not in campaign.species:
        allowed = f"one of species, {', '.join(campaign.species)}: the potential learns it too"
        raise wrong_value(source, ("carve", "passivate"), carve.passivate, allowed)
    most = campaign.budget.labels_per_turn
    if carve.per_structure > most:
        allowed = f"numbers from 1 to budget.labels_per_turn, which is {most}"
        raise wrong_value(source, ("carve", "per_structure"), carve.per_structure, allowed)


def check_large_starts(campaign: Campaign, source: str) -> None:
    """Refuse a campaign whose starts are so large that they are carved, where that cannot be.

    Raises
    ------
    CampaignFileError
        If nothing tells about which atoms, if no chunk that holds all that the potential sees of
        its central atom is small enough, or if targets are figures that chunks do not have.
    """
    carve = campaign.content.carve
    if carve is None:
        return
    names = {one for entry in campaign.content.explore for one in entry.starts}
    large = large_starts(campaign, sorted(names))
    if not len(large):
        return
    shown = f"the start {large.identifier[0]} has {large.n_atoms[0]} atoms, more than"
    shown += f" carve.above_atoms, {carve.above_atoms}"
    grades = campaign.content.grades
    if grades.grader == "extrapolation" and grades.mode != "neighborhood":
        allowed = f"neighborhood, which tells about which atoms chunks are carved: {shown}"
        raise wrong_value(source, ("grades", "mode"), grades.mode, allowed)
    _check_first_calculator(campaign, source)
    for place in range(len(large)):
        _check_size(campaign, carve, large.select([place]), source)
    _check_targets(campaign, large, source)


def large_starts(campaign: Campaign, names: list[str]) -> Configurations:
    """Return the starts of these names that are too large to be labelled as a whole."""
    carve = campaign.content.carve
    identifiers = {one for name in names for one in campaign.starts[name]}
    wanted = np.isin(campaign.structures.identifier, sorted(identifiers))
    limit = np.inf if carve is None else carve.above_atoms
    return campaign.structures.select(wanted & (campaign.structures.n_atoms > limit))


def _check_first_calculator(campaign: Campaign, source: str) -> None:
    """Refuse large starts before there is a potential, when nothing tells where to carve."""
    first = campaign.content.start.calculator
    if first is None:
        return
    for entry in campaign.content.explore:
        large = large_starts(campaign, entry.starts)
        if len(large) and (not first.samplers or entry.name in first.samplers):
            allowed = (
                f"samplers without {entry.name}, which starts from {large.identifier[0]}, "
                f"{large.n_atoms[0]} atoms: before there is a potential nothing tells where to "
                "carve its frames"
            )
            place = ("start", "calculator", "samplers")
            raise wrong_value(source, place, list(first.samplers), allowed)


def _check_size(
    campaign: Campaign, carve: CarveSection, start: Configurations, source: str
) -> None:
    """Refuse a limit that no chunk about some atom of a start keeps."""
    if carve.kind == "periodic":
        if not start.pbc.any():
            allowed = f"cluster, since {start.identifier[0]} is not periodic"
            raise wrong_value(source, ("carve", "kind"), carve.kind, allowed)
        return
    from aiida_alpot.neighbors import neighbor_list

    cutoff = campaign.content.potential.cutoff
    most = 1 + int(np.diff(neighbor_list(start.atoms(0), cutoff).first).max())
    if most > carve.above_atoms:
        raise CampaignFileError(
            f"{source}: carve.above_atoms is {carve.above_atoms}, but an atom of "
            f"{start.identifier[0]} has {most - 1} others within potential.cutoff, {cutoff:g} A, "
            f"and a chunk must hold them all; allowed: numbers well above {most}."
        )


def _check_targets(campaign: Campaign, large: Configurations, source: str) -> None:
    """Refuse targets of audits that none of their frames can have."""
    names = {one for entry in campaign.content.explore for one in entry.starts}
    n_starts = len({one for name in names for one in campaign.starts[name]})
    if len(large) < n_starts or not campaign.content.converge.audit_labels:
        return
    section = "converge" if campaign.content.converge.targets else "test_targets"
    targets = campaign.content.converge.targets or campaign.content.test_targets
    for name in targets:
        if name.startswith(_OF_ENERGIES):
            allowed = (
                "errors of forces alone, since all starts are carved for the audit, and chunks "
                "have no energy"
            )
            place = ("converge", "targets", name) if section == "converge" else (section, name)
            raise wrong_value(source, place, targets[name], allowed)
