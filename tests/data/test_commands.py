# SPDX-License-Identifier: MIT
"""``verdi data alpot...`` shows and exports nodes."""

import numpy as np
import pytest
from click.testing import CliRunner

from aiida_alpot.cli import node_commands
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData, PotentialData
from aiida_alpot.mtp.potential import initial_potential


@pytest.fixture
def run_command():
    def run(command, *arguments):
        result = CliRunner().invoke(command, [str(one) for one in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_a_potential_is_shown_and_exported(run_command, tmp_path):
    potential = initial_potential(
        4, 5.0, species=("Cu",), min_distance=2.0, rng=np.random.default_rng(0)
    )
    node = PotentialData.from_potential(potential).store()
    shown = run_command(node_commands.show_potential, node.uuid)
    assert "Cu" in shown
    assert "5 A" in shown
    run_command(node_commands.export_potential, node.uuid, tmp_path / "exported.mtp")
    assert (tmp_path / "exported.mtp").read_text() == node.get_text()


def test_configurations_are_shown_and_exported(run_command, tmp_path, labelled_copper):
    node = ConfigurationsData.from_configurations(labelled_copper).store()
    assert "EMT" in run_command(node_commands.show_configurations, node.uuid)
    run_command(node_commands.export_configurations, node.uuid, tmp_path / "exported.npz")
    exported = Configurations.load(tmp_path / "exported.npz")
    assert exported.hashes() == labelled_copper.hashes()
