# SPDX-License-Identifier: MIT
"""A campaign file becomes checked settings and structures, the same ones every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aiida_alpot.campaign import load_campaign, load_machines
from aiida_alpot.campaign.settings import code_labels, workchain_options
from aiida_alpot.errors import CampaignFileError, InputFileError

ROOT = Path(__file__).parents[2]
CAMPAIGNS = sorted(
    [*ROOT.glob("workflows/*/campaign.yaml"), *ROOT.glob("examples/*/campaign.yaml")]
)


def test_there_are_at_least_three_campaigns_to_copy():
    assert len(CAMPAIGNS) >= 3


@pytest.mark.parametrize("path", CAMPAIGNS, ids=lambda path: path.parent.name)
def test_every_campaign_that_we_ship_loads(path):
    campaign = load_campaign(path)
    settings = campaign.as_settings()
    assert json.loads(json.dumps(settings, allow_nan=False)) == settings
    assert len(campaign.structures) >= 1
    named = {start for entry in settings["explore"] for start in entry["starts"]}
    assert named <= set(campaign.structures.identifier)


def test_loading_twice_gives_the_same_bytes(write_campaign):
    path = write_campaign()
    one, two = load_campaign(path), load_campaign(path)
    assert one.training.to_bytes() == two.training.to_bytes()
    assert one.structures.to_bytes() == two.structures.to_bytes()
    assert one.as_settings() == two.as_settings()


def test_the_seed_of_the_campaign_changes_its_structures(write_campaign):
    one = load_campaign(write_campaign())
    two = load_campaign(write_campaign(added="seed: 1\n"))
    assert not np.allclose(one.training.positions, two.training.positions)


def test_another_structure_leaves_the_first_ones_as_they_are(write_campaign):
    one = load_campaign(write_campaign())
    added = ("structures:\n", "structures:\n    slab: {crystal: fcc, a: 3.7, rattle: 0.1}\n")
    two = load_campaign(write_campaign(added))
    assert one.training.hashes() == two.training.hashes()
    assert set(one.structures.hashes()) < set(two.structures.hashes())


def test_a_start_with_copies_stands_for_all_of_them(write_campaign):
    bulk = "bulk: {crystal: fcc, a: 3.6, cubic: true}"
    campaign = load_campaign(write_campaign((bulk, bulk[:-1] + ", rattle: 0.01, copies: 2}")))
    assert campaign.as_settings()["explore"][0]["starts"] == ["bulk_000", "bulk_001"]


def test_the_copper_recipe_starts_from_four_cells_and_a_vacancy_of_107_atoms():
    campaign = load_campaign(ROOT / "workflows/01_copper_emt/campaign.yaml")
    assert list(campaign.training.n_atoms) == [108] * 4
    assert 107 in campaign.structures.n_atoms
    assert campaign.content.potential.level == 8
    assert campaign.content.grades.mode == "neighborhood"
    assert campaign.content.budget.labels <= 60
    assert campaign.content.budget.turns <= 6


def test_a_cold_start_explores_with_its_calculator():
    settings = load_campaign(ROOT / "examples/cold_start_argon/campaign.yaml").as_settings()
    assert settings["exploration"]["calculator"]["ase"] == "LennardJones"
    assert [entry["name"] for entry in settings["exploration"]["explore"]] == ["warm"]


def test_machines_choose_codes_and_options_by_role(tmp_path, write_campaign):
    machines = tmp_path / "machines.yaml"
    machines.write_text(
        "fit: {code: alpot@cluster, threads: 4, options: {queue_name: short}}\n"
        "sample: {code: alpot@gpu, max_jobs: 3}\n"
        "label: {code: alpot@cluster, resources: {num_machines: 2}}\n"
    )
    campaign = load_campaign(
        write_campaign(("{calculator: EMT}", "{calculator: EMT, options: {account: me}}")),
        machines=machines,
    )
    assert code_labels(campaign) == {"alpot": "alpot@cluster", "sample": "alpot@gpu"}
    options = workchain_options(campaign)
    assert options["fit"]["queue_name"] == "short"
    assert options["label"]["account"] == "me"
    assert options["label"]["resources"] == {"num_machines": 2}
    assert campaign.as_settings()["max_jobs"] == 3
    assert campaign.as_settings()["threads"] == {"fit": 4, "sample": 1}


def test_without_machines_everything_runs_on_the_local_computer(write_campaign):
    assert code_labels(load_campaign(write_campaign())) == {"alpot": "alpot@localhost"}


def test_a_mistake_in_a_machines_file_is_one_line(tmp_path):
    path = tmp_path / "machines.yaml"
    path.write_text("fitt: {code: alpot@cluster}")
    with pytest.raises(CampaignFileError, match=r"unknown key fitt; did you mean 'fit'"):
        load_machines(path)


TERSOFF = "label: {calculator: Tersoff, settings: {file: files/Cu.tersoff}}"


def test_a_file_of_a_calculator_counts_from_the_folder_of_the_campaign(
    write_campaign, tmp_path, monkeypatch
):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "Cu.tersoff").write_text("parameters")
    write_campaign(("label: {calculator: EMT}", TERSOFF))
    monkeypatch.chdir(tmp_path)
    campaign = load_campaign("campaign.yaml")
    assert campaign.files == {"label": tmp_path / "files" / "Cu.tersoff"}
    # jobs have their files in one folder
    assert campaign.as_settings()["label"]["calculator"]["settings"] == {"file": "Cu.tersoff"}
    before = campaign.level_of_theory
    (tmp_path / "files" / "Cu.tersoff").write_text("other parameters")
    assert load_campaign("campaign.yaml").level_of_theory != before


def test_a_missing_file_of_a_calculator_is_named(write_campaign):
    path = write_campaign(("label: {calculator: EMT}", TERSOFF))
    with pytest.raises(InputFileError, match=r"label\.settings\.file is 'files/Cu\.tersoff'"):
        load_campaign(path)


def test_two_calculators_do_not_share_a_name_for_two_files(write_campaign, tmp_path):
    for folder in ("files", "first"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Cu.tersoff").write_text(folder)
    first = (
        "start:\n  calculator: {name: Tersoff, settings: {file: FOLDER/Cu.tersoff}, labels: 4}\n"
    )
    labels = ("label: {calculator: EMT}", TERSOFF)
    same = write_campaign(labels, ("start:\n", first.replace("FOLDER", "files")))
    assert load_campaign(same).files.keys() == {"label"}
    path = write_campaign(labels, ("start:\n", first.replace("FOLDER", "first")))
    with pytest.raises(CampaignFileError, match="another name than that of label"):
        load_campaign(path)


def test_what_surrounds_a_fit_reaches_its_request(write_campaign):
    from aiida_alpot.workflows.fit import fit_request

    fit = (
        "fit: {robust: 20, pull: 0.01, widen_interval: true, atomic_energies: {Cu: -1.5}, "
        "weighting: {by_name: {'start_*': 2}, energy_window: 0.5, energy_decay: 0.2}}\n"
    )
    settings = load_campaign(write_campaign(added=fit)).as_settings()
    request = fit_request(settings, turn=1)
    assert request["robust"] == 20.0
    assert request["pull"] == {"strength": 0.01}
    assert request["widen_interval"] is True
    assert request["atomic_energies"] == {"Cu": -1.5}
    assert request["weighting"]["by_name"] == {"start_*": 2.0}
    assert request["weighting"]["energy_decay"] == 0.2
    bare = fit_request(load_campaign(write_campaign()).as_settings(), turn=1)
    assert not any(bare[key] for key in ("robust", "pull", "widen_interval", "weighting"))


def test_the_request_of_a_campaign_is_one_that_the_job_takes(write_campaign):
    from aiida_alpot.jobs.fit_request import FitRequest
    from aiida_alpot.jobs.requests import parse_request
    from aiida_alpot.jobs.training import training_settings
    from aiida_alpot.workflows.fit import fit_request

    fit = "fit: {robust: 20, weighting: {energy_limit: 1.0, energy_zero: hull, force_limit: 25}}\n"
    settings = load_campaign(write_campaign(added=fit)).as_settings()
    request = parse_request(FitRequest, {"training": ["a.npz"], **fit_request(settings, turn=0)})
    found = training_settings(request)
    assert found.robust == 20.0
    assert found.weighting.energy_zero == "hull"
    assert found.weighting.force_limit == 25.0
    assert found.weights.force == 0.01


def test_only_the_first_fit_of_a_campaign_has_several_starts(write_campaign):
    from aiida_alpot.workflows.fit import fit_request

    settings = load_campaign(write_campaign(added="fit: {n_starts: 3}\n")).as_settings()
    assert [fit_request(settings, turn=turn)["n_starts"] for turn in (0, 1, 2)] == [3, 1, 1]
