# SPDX-License-Identifier: MIT
"""A campaign as it was read and checked, with its structures built."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_alpot.campaign.schema import CampaignFile, MachinesFile
from aiida_alpot.configurations import Configurations

if TYPE_CHECKING:
    from aiida_alpot.mtp.potential import MomentTensorPotential


@dataclass(frozen=True)
class Campaign:
    """A campaign that is ready to be submitted.

    Parameters
    ----------
    content : CampaignFile
        The checked keys, defaults filled in.
    machines : MachinesFile
        Where the jobs run.
    training : Configurations
        First training structures, labelled where the file says so; may be empty.
    structures : Configurations
        Starts of the samplers; identifiers are their names.
    starts : dict
        Names of ``start.structures`` with the identifiers that belong to each.
    test_sets : dict of Configurations
        Frozen test sets.
    level_of_theory : str
        Canonical JSON of what decides the values of the labels.
    files : dict of Path
        Files that calculators read, by the names of their inputs.
    path : Path
        The file it was read from.
    text : str
        The file as it was written.
    potential : MomentTensorPotential or None
        What the first fit goes on from.
    """

    content: CampaignFile
    machines: MachinesFile
    training: Configurations
    structures: Configurations
    starts: dict[str, list[str]]
    test_sets: dict[str, Configurations]
    level_of_theory: str
    files: dict[str, Path]
    path: Path
    text: str = field(repr=False)
    potential: MomentTensorPotential | None = None

    def at_level(self, level_of_theory: str) -> Campaign:
        """Return the campaign with its level of theory, and that of labels it brings, settled.

        A campaign file alone does not tell everything, for instance which POTCAR files a family
        holds in the profile that it is submitted to.
        """
        sets = {"training": self.training, **self.test_sets}
        settled = {
            name: one.replace(level_of_theory=level_of_theory) if one.labelled.any() else one
            for name, one in sets.items()
        }
        return replace(
            self,
            level_of_theory=level_of_theory,
            training=settled.pop("training"),
            test_sets=settled,
        )

    def as_settings(self) -> dict[str, Any]:
        """Return the plain JSON that the campaign's WorkChain takes as ``settings``."""
        from aiida_alpot.campaign.settings import workchain_settings

        return workchain_settings(self)
