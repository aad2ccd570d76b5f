# SPDX-License-Identifier: MIT
"""Request, command and campaign file offer the same options of a fit; the documentation too."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.campaign.messages import field_names
from aiida_alpot.campaign.schema import CampaignFile, FitSection, Role
from aiida_alpot.cli.file_commands.fit import command
from aiida_alpot.errors import CampaignFileError, InputFileError
from aiida_alpot.jobs.fit_request import FitRequest
from aiida_alpot.mtp.mlip_files import write_potential

DOCUMENT = (Path(__file__).parents[2] / "docs" / "fitting.md").read_text(encoding="utf-8")
TABLE = DOCUMENT[DOCUMENT.index("## All options") :]
ROWS = {
    key: (flags, campaign)
    for key, flags, campaign in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", TABLE, re.MULTILINE)
}
# what the WorkChain tells a job of its wall time and of the job before
OF_THE_JOB = {"checkpoint", "checkpoint_seconds", "stop_after_seconds"}
KEYS = {field.name for field in dataclasses.fields(FitRequest)} - OF_THE_JOB
# options of the command that are about its own files
OF_THE_COMMAND = {"--request", "--output", "--json", "--help"}
START = "start:"
COPPER = "potential: {level: 8, cutoff: 5.0}"
# what is written in place of what, so that the request of a fit gets another value of the key
CHANGES = {
    "species": ("species: [Cu]", "species: [Cu, Au]"),
    "level": (COPPER, "potential: {level: 10, cutoff: 5.0}"),
    "cutoff": (COPPER, "potential: {level: 8, cutoff: 5.5}"),
    "min_distance": (COPPER, "potential: {level: 8, cutoff: 5.0, min_distance: 1.8}"),
    "zbl": (COPPER, "potential: {level: 8, cutoff: 5.0, zbl: {pairs: {Cu-Cu: [1.0, 1.8]}}}"),
    "widen_interval": "fit: {widen_interval: true}",
    "weights": "fit: {weights: {force: 0.1, size_power: 2}, relative_force_eps: 0.5}",
    "weighting": "fit: {weighting: {energy_limit: 2.0}}",
    "atomic_energies": "fit: {atomic_energies: isolated}",
    "frozen": "fit: {frozen: [radial, Cu]}",
    "train_only": "fit: {train_only: [Cu-Cu]}",
    "pull": "fit: {pull: 0.1, pull_blocks: [moments]}",
    "robust": "fit: {robust: 5}",
    "committee": "fit: {committee: {members: 3, random_starts: false}}",
    "max_iterations": "fit: {max_iterations: 7}",
    "tolerance": "fit: {tolerance: 0.01}",
    "seed": "seed: 5",
    "n_starts": "fit: {n_starts: 3}",
    "threads": "machines: machines.yaml",
    "method": "fit: {method: matrix-free}",
    "active_set": ("gamma_select: 2,", "gamma_select: 2, method: parity,"),
}
# what a fit gets as nodes, by the part of a loaded campaign that holds it
NODES = {
    "training": ("training", ("copies: 2", "copies: 3")),
    "test": ("test_sets", "test_sets: {frozen: [{crystal: fcc, a: 3.7}]}"),
}


@pytest.fixture
def load(write_campaign, tmp_path):
    """Load the campaign, changed in one place or with a line added."""
    (tmp_path / "machines.yaml").write_text("fit: {threads: 2}\n", encoding="utf-8")

    def load(change=()):
        if isinstance(change, str):
            return load_campaign(write_campaign(added=f"{change}\n"))
        replacements = [change] if change else []
        if change and "Au" in change[1]:
            structure = "{crystal: fcc, a: 3.6, cubic: true"
            with_gold = structure + ", formula: Cu, substitute: {Au: 0.25}"
            replacements += [(structure + ",", with_gold + ","), (structure + "}", with_gold + "}")]
        return load_campaign(write_campaign(*replacements))

    return load


@pytest.fixture
def request_of(load):
    from aiida_alpot.workflows.fit import fit_request

    return lambda change=(): fit_request(load(change).as_settings(), turn=0)


def test_every_key_of_the_request_can_be_reached_from_the_campaign_file():
    assert {*CHANGES, *NODES, "initial"} == KEYS


@pytest.mark.parametrize("key", CHANGES)
def test_a_campaign_changes_this_key_of_its_fits_and_no_other(request_of, key):
    usual, changed = request_of(), request_of(CHANGES[key])
    assert [name for name in usual if usual[name] != changed[name]] == [key]


@pytest.mark.parametrize("key", NODES)
def test_data_of_the_campaign_file_go_to_its_fits(load, key):
    part, change = NODES[key]
    assert len(getattr(load(change), part)) == len(getattr(load(), part)) + 1


def test_a_potential_of_the_campaign_file_goes_to_its_first_fit(
    load, make_potential, tmp_path, request_of
):
    write_potential(make_potential(6), tmp_path / "parent.mtp")
    first = load((START, f"{START}\n  potential: parent.mtp")).potential
    assert (first.basis.level, first.species) == (6, ("Cu",))
    assert load().potential is None
    for potential, allowed in (
        (make_potential(10), "of level 8 or lower"),
        (make_potential(6, cutoff=4.5), "of the cutoff 5 A"),
        (make_potential(6, ["Au"]), "of Cu or some of them"),
    ):
        write_potential(potential, tmp_path / "parent.mtp")
        with pytest.raises(CampaignFileError, match=f"start.potential is .*{allowed}"):
            load((START, f"{START}\n  potential: parent.mtp"))
    with pytest.raises(InputFileError, match=r"start\.potential: .*absent\.mtp"):
        load((START, f"{START}\n  potential: absent.mtp"))


def test_a_request_of_a_campaign_has_every_key_that_is_no_file(request_of):
    assert set(request_of()) == set(CHANGES)


def test_the_changed_values_are_those_that_were_written(request_of):
    assert request_of(CHANGES["committee"])["committee"] == {
        "members": 3,
        "bootstrap": True,
        "random_starts": False,
    }
    assert request_of(CHANGES["pull"])["pull"] == {"strength": 0.1, "blocks": ["moments"]}
    assert request_of(CHANGES["frozen"])["frozen"] == ["radial", "Cu"]
    assert request_of(CHANGES["train_only"])["train_only"] == ["Cu-Cu"]
    assert request_of(CHANGES["method"])["method"] == "matrix-free"
    weights = request_of(CHANGES["weights"])["weights"]
    assert (weights["force"], weights["size_power"], weights["relative_force_eps"]) == (0.1, 2, 0.5)


def test_every_key_has_its_row_in_the_documentation():
    assert set(ROWS) == KEYS


def test_the_documented_options_are_those_of_the_command():
    documented = {flag for flags, _ in ROWS.values() for flag in re.findall(r"`(--[\w-]+)`", flags)}
    offered = {max(option.opts, key=len) for option in command.params}
    assert documented == offered - OF_THE_COMMAND


def test_the_documented_campaign_keys_exist_and_none_of_fit_is_left_out():
    documented = {
        key for _, campaign in ROWS.values() for key in re.findall(r"`([\w.]+)`", campaign)
    }
    sections = {name.split(".")[0] for name in documented}
    assert sections <= set(field_names(CampaignFile))
    of_fits = {key.removeprefix("fit.") for key in documented if key.startswith("fit.")}
    assert of_fits - {"threads"} == set(field_names(FitSection))
    assert "threads" in field_names(Role)
    assert all(campaign.startswith("`") for _, campaign in ROWS.values())
