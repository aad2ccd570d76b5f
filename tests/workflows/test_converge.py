# SPDX-License-Identifier: MIT
"""The noise of labels is measured with the labeller of a campaign, stored, and found again."""

import json
import shutil
import subprocess
import sys

import pytest
from aiida import orm
from click.testing import CliRunner

from aiida_alpot.campaign import load_campaign
from aiida_alpot.cli import main
from aiida_alpot.cli.campaign_commands.converge import choose_crystals, converge_builder, targets_of
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.errors import EmptyDataError, SettingError
from aiida_alpot.reports.noise import noise_lines, target_warnings
from aiida_alpot.workflows.converge import KIND, at_other_settings, find_noise, finer_of

CAMPAIGN = """\
name: copper-noise
species: [Cu]
potential: {level: 4, cutoff: 4.5}
start:
  training:
    - {crystal: fcc, a: 3.6, cubic: true, rattle: 0.05, copies: 2}
  structures:
    large: {crystal: fcc, a: 3.6, cubic: true, supercell: 2}
    small: {crystal: fcc, a: 3.6, cubic: true}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [small], temperature_K: 900, steps: 60}
label: {calculator: EMT}
budget: {labels: 20}
test_sets:
  frozen: [{crystal: fcc, a: 3.7, cubic: true, rattle: 0.05}]
test_targets: {forces_rmse_eV_per_A: 0.02, energy_rmse_meV_per_atom: 1.0}
converge: {targets: {forces_rmse_eV_per_A: 0.01}}
"""
GPAW = """\
label:
  calculator: GPAW
  code: gpaw-noise@localhost
  settings: {xc: LDA, ecut: 150, kpts: [2, 2, 2], smearing: 0.2}
"""


@pytest.fixture(scope="module")
def campaign_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("noise") / "campaign.yaml"
    path.write_text(CAMPAIGN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def alpot(aiida_profile):
    def run(*words):
        return CliRunner().invoke(main, [*(str(word) for word in words), "-p", aiida_profile.name])

    return run


@pytest.fixture(scope="module")
def measured(alpot, alpot_code, campaign_path):
    """Run the command on EMT; returns what it printed, what it wrote, and the process."""
    before = alpot("run", campaign_path, "--dry-run")
    figures = campaign_path.parent / "noise.json"
    done = alpot("converge", campaign_path, "--most-atoms", 8, "--json", figures)
    assert done.exit_code == 0, done.output
    noise = json.loads(figures.read_text(encoding="utf-8"))
    return before.output, done.output, noise, orm.load_node(noise["process"])


def test_emt_has_no_noise_and_its_cells_agree(measured):
    _, printed, noise, _ = measured
    assert max(noise["floor"].values()) < 1e-6
    assert noise["cells_agree"] == {"energy": True, "forces": True, "stress": True}
    assert noise["n_atoms"] == [4, 8]
    assert noise["failed"] == []
    assert set(noise["sources"]) == {"cell_shape", "origin", "supercell"}
    assert "Small and large cells agree" in printed
    assert "WARNING" not in printed


def test_the_measurement_is_stored_with_its_provenance(measured, emt_level):
    _, _, noise, process = measured
    found = find_noise(emt_level)
    assert found.uuid == process.outputs.noise.uuid
    assert found["kind"] == KIND
    labelled = [
        link.node
        for link in found.creator.base.links.get_incoming().all()
        if isinstance(link.node, ConfigurationsData) and link.node.n_labelled
    ]
    assert [one.level_of_theory for one in labelled] == [emt_level]
    assert find_noise("no such level") is None
    assert noise["level_of_theory"] == emt_level


def test_a_dry_run_says_what_the_noise_is_once_it_is_measured(measured, alpot, campaign_path):
    before = measured[0]
    assert "'alpot converge campaign.yaml' does" in before
    shown = alpot("run", campaign_path, "--dry-run").output
    assert "Small and large cells agree" in shown
    assert "WARNING" not in shown


def test_a_dry_run_warns_of_targets_below_the_noise(measured, alpot, campaign_path, emt_level):
    noise = dict(find_noise(emt_level).get_dict())
    noise["floor"] = {**noise["floor"], "forces_rmse_eV_per_A": 0.015}
    orm.Dict(noise).store()
    shown = alpot("run", campaign_path, "--dry-run").output
    # the last measurement counts, for the tests after this one too
    orm.Dict(measured[3].outputs.noise.get_dict()).store()
    assert "WARNING: forces_rmse_eV_per_A 0.01 lies below the noise of the labels, 0.015" in shown
    assert "energy_rmse_meV_per_atom 1 lies" not in shown


def test_the_strictest_target_counts(campaign_path):
    targets = targets_of(load_campaign(campaign_path))
    assert targets == {"forces_rmse_eV_per_A": 0.01, "energy_rmse_meV_per_atom": 1.0}


def test_crystals_are_the_smallest_of_their_composition_or_those_that_are_named(campaign_path):
    campaign = load_campaign(campaign_path)
    assert choose_crystals(campaign, ()).n_atoms.tolist() == [4]
    assert choose_crystals(campaign, ("large",)).n_atoms.tolist() == [32]
    with pytest.raises(SettingError, match="large, small"):
        choose_crystals(campaign, ("none",))
    with pytest.raises(EmptyDataError, match="smallest has 32"):
        converge_builder(campaign, ("large",), most_atoms=32)


def test_finer_labels_are_another_level_of_theory(campaign_path):
    path = campaign_path.with_name("gpaw.yaml")
    path.write_text(CAMPAIGN.replace("label: {calculator: EMT}\n", GPAW), encoding="utf-8")
    settings = load_campaign(path).as_settings()
    levels = {settings["label"]["level_of_theory"]}
    for finer in finer_of(settings["label"]).values():
        changed = at_other_settings(settings, {"name": "GPAW", "settings": finer})
        assert changed["label"]["calculator"]["settings"] == finer
        levels.add(changed["label"]["level_of_theory"])
    assert len(levels) == 3


def test_disagreement_and_failures_are_told_in_words():
    figures = {"n": 4, "offset_removed": False, "forces_rmse_eV_per_A": 0.02}
    noise = {
        "sources": {"k_mesh": figures, "supercell": figures},
        "floor": {"forces_rmse_eV_per_A": 0.02},
        "cells_agree": {"forces": False},
        "failed": ["copper/origin/shifted"],
    }
    told = "\n".join(noise_lines(noise))
    assert "do NOT agree in forces" in told
    assert "denser k-points are whole differences" in told
    assert "1 cells have no label: copper/origin/shifted" in told
    assert len(target_warnings(noise, {"forces_rmse_eV_per_A": 0.01})) == 1


@pytest.mark.gpaw
def test_gpaw_has_noise_from_each_source_and_finer_labels_are_never_trained_on(
    alpot, alpot_code, localhost, campaign_path
):
    python = next(
        (
            one
            for one in (sys.executable, "/usr/bin/python3")
            if shutil.which(one)
            and not subprocess.run(
                [one, "-c", "import gpaw"], capture_output=True, check=False
            ).returncode
        ),
        None,
    )
    if python is None:
        pytest.skip("no Python with GPAW: apt-get install gpaw gpaw-data")
    orm.InstalledCode(label="gpaw-noise", computer=localhost, filepath_executable=python).store()
    text = CAMPAIGN.replace("label: {calculator: EMT}\n", GPAW)
    text = text.replace("fcc, a: 3.6, cubic: true}", "fcc, a: 4.0}").replace("Cu", "Al")
    text = text.replace("starts: [small]", "starts: [large]")  # one atom has no dynamics
    path = campaign_path.with_name("aluminium.yaml")
    path.write_text(text, encoding="utf-8")
    figures = path.with_name("gpaw.json")
    done = alpot("converge", path, "--structure", "small", "--most-atoms", 2, "--json", figures)
    assert done.exit_code == 0, done.output
    noise = json.loads(figures.read_text(encoding="utf-8"))
    assert set(noise["sources"]) == {"k_mesh", "cutoff", "cell_shape", "origin", "supercell"}
    assert noise["sources"]["k_mesh"]["offset_removed"]
    assert noise["sources"]["supercell"]["energy_rmse_meV_per_atom"] > 1.0
    assert noise["sources"]["cutoff"]["stress_rmse_GPa"] > 0.01
    process = orm.load_node(noise["process"])
    levels = {
        one.outputs.labelled.level_of_theory for one in process.called if "labelled" in one.outputs
    }
    assert len(levels) == 3
    assert noise["level_of_theory"] in levels
    assert "WARNING: energy_rmse_meV_per_atom" in done.output
