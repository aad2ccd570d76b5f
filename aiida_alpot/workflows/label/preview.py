# SPDX-License-Identifier: MIT
"""What a labeller of a plugin would be asked for, without asking it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from aiida_alpot.configurations import Configurations
from aiida_alpot.workflows.label.builder import complete_level, labeller
from aiida_alpot.workflows.label.cells import make_cell
from aiida_alpot.workflows.label.plugin import PluginLabelWorkChain


def labels_one_by_one(workchain: str) -> bool:
    """Return whether a labeller runs a process of a plugin for each configuration."""
    return issubclass(labeller(workchain), PluginLabelWorkChain)


def preview_lines(
    label: Mapping[str, Any], configurations: Configurations, species: list[str]
) -> list[str]:
    """Return as lines of text what the first process would be asked for.

    Parameters
    ----------
    label : mapping
        The section ``label`` of the settings, of a labeller of a plugin.
    configurations : Configurations
        Of which the first is shown.
    species : list of str
        Species of the campaign.

    Raises
    ------
    AlpotError
        If the settings are not usable, or this profile lacks what they name.
    """
    found = labeller(label["workchain"])
    settings = found.check_settings(label["calculator"])
    cell = make_cell(configurations.atoms(0), float(settings.get("vacuum", found.VACUUM)))
    names = (str(configurations.identifier[0]), str(configurations.chain[0]))
    request = found.request_for(cell.atoms, settings, {}, names)
    shown = yaml.safe_dump(request, default_flow_style=None, width=100).splitlines()
    return [
        f"one process {found.PROCESS} for each configuration, whose script is that plugin's",
        f"level of theory {complete_level(label, species)}",
        f"asked for {names[0]}, {cell.atoms.get_chemical_formula()}:",
        *(f"  {line}" for line in shown),
    ]
