# SPDX-License-Identifier: MIT
"""The labeller of examples/new_labeller, chosen by its entry point in a campaign file."""

import re
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.calculators.lj import LennardJones
from ase.units import kcal, mol

from aiida_alpot.campaign import load_campaign
from aiida_alpot.cli.launch import campaign_builder
from aiida_alpot.errors import SettingError

EXAMPLE = Path(__file__).parents[3] / "examples" / "new_labeller"


@pytest.fixture
def installed(entry_points, monkeypatch):
    """The example's entry points, as its pyproject.toml declares them."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    group = ""
    for line in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r'\[project\.entry-points\."(.+)"\]', line)
        point = re.fullmatch(r'"(.+)" = "(.+)"', line)
        if heading:
            group = heading[1]
        elif point:
            entry_points.add(point[2], group=group, name=point[1])


@pytest.fixture(scope="module")
def pair_code(localhost, tmp_path_factory):
    """The program of the example as a code of AiiDA."""
    script = tmp_path_factory.mktemp("pair") / "alpot-pair"
    program = EXAMPLE / "alpot_pair" / "program.py"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n', encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return orm.InstalledCode(
        label="pair", computer=localhost, filepath_executable=str(script), with_mpi=False
    ).store()


def write_campaign(folder, *replacements):
    text = (EXAMPLE / "campaign.yaml").read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    (folder / "campaign.yaml").write_text(text, encoding="utf-8")
    return load_campaign(folder / "campaign.yaml")


def test_a_campaign_is_labelled_by_the_plugin_that_its_file_names(
    installed, pair_code, alpot_code, tmp_path
):
    # too few for the first attempt at any cell
    campaign = write_campaign(
        tmp_path, ("cutoff: 6.0\n  max_", "cutoff: 6.0\n    max_pairs: 9\n  max_")
    )
    node = run_get_node(campaign_builder(campaign)).node
    assert node.exit_status in (0, 501, 502), node.exit_message
    entries = node.outputs.ledger["entries"]
    assert len(entries) >= 3
    assert {(entry["status"], entry["recipe"]) for entry in entries} == {
        ("labelled", "more patience")
    }
    training = node.outputs.training["turn_000"].get_configurations()
    assert "alpot-pair" in training.level_of_theory
    assert "max_pairs" not in training.level_of_theory
    for index in range(len(training)):
        atoms = training.atoms(index)
        atoms.calc = LennardJones(epsilon=0.238 * kcal / mol, sigma=3.4, rc=6.0, smooth=True)
        assert training.energy[index] == pytest.approx(atoms.get_potential_energy(), rel=1e-9)
        rows = training.atoms_slice(index)
        np.testing.assert_allclose(training.forces[rows], atoms.get_forces(), atol=1e-9)
        np.testing.assert_allclose(training.stress[index], atoms.get_stress(), atol=1e-12)


def test_a_wrong_setting_is_refused_before_anything_is_submitted(installed, alpot_code, tmp_path):
    campaign = write_campaign(tmp_path, ("sigma: 3.4", "sigmas: 3.4"))
    with pytest.raises(SettingError, match="sigmas"):
        campaign_builder(campaign)


def test_an_entry_point_that_is_not_there_is_named(alpot_code, tmp_path):
    campaign = write_campaign(tmp_path)
    with pytest.raises(SettingError, match=r"pair\.label"):
        campaign_builder(campaign)


def test_an_entry_point_that_does_not_label_is_refused(alpot_code, tmp_path):
    campaign = write_campaign(tmp_path, ("pair.label", "alpot.fit"))
    with pytest.raises(SettingError, match="no LabelWorkChain"):
        campaign_builder(campaign)
