# SPDX-License-Identifier: MIT
"""A label job takes the same way to the same label on each production set-up."""

from __future__ import annotations

import pytest
from aiida.engine import submit

from aiida_alpot.data import ConfigurationsData

from .daemon import wait_for


def label_builder(code, configurations, emt_level):
    from aiida import orm

    from aiida_alpot.calculations import LabelCalculation

    builder = LabelCalculation.get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(configurations)
    calculator = {"name": "EMT", "settings": {}}
    builder.settings = orm.Dict({"calculator": calculator, "level_of_theory": emt_level})
    builder.metadata.options.max_wallclock_seconds = 300
    return builder


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("name", ["slurm_code", "ssh_slurm_code", "slurm_python"])
def test_labels_made_through_slurm_are_those_of_emt(
    request, name, copper_cells, labelled_copper, emt_level
):
    code = request.getfixturevalue(name)
    node = submit(label_builder(code, copper_cells, emt_level))
    wait_for(node, timeout=120)
    assert node.is_finished_ok, node.exit_message
    assert node.get_scheduler_stderr() == ""
    made = node.outputs.labelled.get_configurations()
    assert made.energy == pytest.approx(labelled_copper.energy, abs=1e-9)
    assert made.forces == pytest.approx(labelled_copper.forces, abs=1e-9)
