# SPDX-License-Identifier: MIT
"""Checks of the section ``carve``: whether frames too large for a label can be cut up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_alpot.campaign.messages import wrong_value
from aiida_alpot.campaign.schema import CampaignFile, CarveSection
from aiida_alpot.errors import CampaignFileError

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign
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
    if carve.passivate is not None:
        _check_saturation(campaign, carve.passivate, source)
    most = campaign.budget.labels_per_turn
    if carve.per_structure > most:
        allowed = f"numbers from 1 to budget.labels_per_turn, which is {most}"
        raise wrong_value(source, ("carve", "per_structure"), carve.per_structure, allowed)


def _check_saturation(campaign: CampaignFile, element: str, source: str) -> None:
    """Refuse an element to saturate bonds with that labels would have nothing for."""
    label = campaign.label
    names_pseudopotentials = label.calculator == "VASP" or label.workchain is not None
    if names_pseudopotentials and element not in campaign.species:
        allowed = (
            f"one of species, {', '.join(campaign.species)}: the level of theory of "
            f"{label.calculator} names a pseudopotential for each of these alone"
        )
        raise wrong_value(source, ("carve", "passivate"), element, allowed)


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
    if carve.kind == "periodic" and not start.pbc.any():
        allowed = f"cluster, since {start.identifier[0]} is not periodic"
        raise wrong_value(source, ("carve", "kind"), carve.kind, allowed)
    from aiida_alpot.carving.most_atoms import carve as carve_one
    from aiida_alpot.carving.most_atoms import carve_at_most
    from aiida_alpot.neighbors import neighbor_list

    structure, cutoff = start.atoms(0), campaign.content.potential.cutoff
    crowded = int(np.argmax(np.diff(neighbor_list(structure, cutoff).first)))
    how: dict[str, Any] = {"vacuum": carve.vacuum, "kind": carve.kind, "element": carve.passivate}
    most: dict[str, Any] = {"most": carve.above_atoms, "smallest_radius": cutoff}
    if carve_at_most(structure, crowded, radius=cutoff, **how, **most) is not None:
        return
    needed = len(carve_one(structure, crowded, radius=cutoff, **how).atoms)
    added = f", {carve.passivate} at cut bonds included" if carve.passivate else ""
    raise CampaignFileError(
        f"{source}: carve.above_atoms is {carve.above_atoms}, but about an atom of "
        f"{start.identifier[0]} a chunk of all within potential.cutoff, {cutoff:g} A, holds "
        f"{needed} atoms{added}; allowed: numbers well above {needed}."
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
