# SPDX-License-Identifier: MIT
"""Choose the WorkChain that labels for a campaign, and fill in its inputs."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.plugins import WorkflowFactory

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.options import code_for
from aiida_alpot.workflows.settings import LabelSettings, read_section


def label_builder(
    inputs: Any, configurations: ConfigurationsData, turn: orm.Int, metadata: dict[str, Any]
) -> Any:
    """Return the inputs of the WorkChain that labels ``configurations`` for a campaign."""
    kind = read_section(inputs.settings.get_dict(), LabelSettings).workchain
    builder = WorkflowFactory(f"alpot.label.{kind}").get_builder()
    builder.settings = inputs.settings
    builder.configurations = configurations
    builder.turn = turn
    builder.code = code_for(inputs.codes, "label")
    builder.files = inputs.get("files", {})
    if "options" in inputs:
        builder.options = inputs.options
    builder.metadata = metadata
    return builder
