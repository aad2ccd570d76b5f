# SPDX-License-Identifier: MIT
"""Choose the WorkChain that labels for a campaign, and fill in its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.plugins import WorkflowFactory

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.errors import SettingError
from aiida_alpot.workflows.options import code_for
from aiida_alpot.workflows.settings import LabelSettings, read_section

OWN = ("ase", "gpaw", "vasp")
"""WorkChains of this package, by the names that settings have for them."""


def labeller(workchain: str) -> Any:
    """Return the WorkChain that labels.

    Parameters
    ----------
    workchain : str
        One of :data:`OWN`, or any entry point of ``aiida.workflows``.

    Raises
    ------
    SettingError
        If there is no such entry point, or what it names does not label.
    """
    from aiida_alpot.workflows.label.base import LabelWorkChain

    name = f"alpot.label.{workchain}" if workchain in OWN else workchain
    try:
        found = WorkflowFactory(name)
    except EntryPointError as error:
        raise SettingError(
            f"label.workchain is {workchain!r}, which is no entry point of aiida.workflows here "
            f"({error}). Install its package, also for the daemon, which must be restarted."
        ) from error
    if not (isinstance(found, type) and issubclass(found, LabelWorkChain)):
        raise SettingError(f"label.workchain is {workchain!r}, which is no LabelWorkChain.")
    return found


def complete_level(label: Mapping[str, Any], species: list[str]) -> str:
    """Return the level of theory of a campaign's labels as this profile has it.

    Parameters
    ----------
    label : mapping
        The section ``label`` of the settings.
    species : list of str
        Species of the campaign.

    Raises
    ------
    AlpotError
        If the labeller is not there, or its settings or pseudopotentials are not usable.
    """
    found = labeller(label["workchain"])
    found.check_settings(label["calculator"])
    own = found.level_of_theory(label["calculator"], species)
    return str(label["level_of_theory"] if own is None else own)


def label_builder(
    inputs: Any,
    configurations: ConfigurationsData,
    turn: orm.Int,
    metadata: dict[str, Any],
    *,
    outstanding: ConfigurationsData | None = None,
) -> Any:
    """Return the inputs of the WorkChain that labels ``configurations`` for a campaign.

    Those of them that are ``outstanding`` were asked for by an earlier turn.
    """
    kind = read_section(inputs.settings.get_dict(), LabelSettings).workchain
    process = labeller(kind)
    builder = process.get_builder()
    builder.settings = inputs.settings
    builder.configurations = configurations
    builder.turn = turn
    if outstanding is not None:
        builder.outstanding = outstanding
    builder.code = code_for(inputs.codes, "label")
    if "code_gamma" in process.spec().inputs and "label_gamma" in inputs.codes:
        builder.code_gamma = inputs.codes["label_gamma"]
    builder.files = inputs.get("files", {})
    if "options" in inputs:
        builder.options = inputs.options
    builder.metadata = metadata
    return builder
