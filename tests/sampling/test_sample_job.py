# SPDX-License-Identifier: MIT
"""The job sample: a request in, candidates and a result out."""

import json
from functools import partial

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot import errors
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.mtp.mlip_files import write_potential

REQUEST = {
    "job": "sample",
    "calculator": {"ase": "EMT", "settings": {}},
    "sampler": {"kind": "molecular_dynamics", "temperature_K": 600, "steps": 20},
    "starts": "starts.npz",
    "name": "hot",
    "turn": 2,
    "seed": 5,
    "record_every": 10,
}


@pytest.fixture
def folder(tmp_path):
    crystal = bulk("Cu", cubic=True) * (2, 1, 1)
    vacancy = crystal.copy()
    del vacancy[0]
    starts = Configurations.from_atoms([crystal, vacancy], identifiers=["bulk", "vacancy"])
    starts.save(tmp_path / "starts.npz")
    return tmp_path


@pytest.fixture
def run(folder, run_job):
    return partial(run_job, folder, **REQUEST)


def test_candidates_and_chains_are_written(folder, run):
    result = run()
    assert result["n_candidates"] == 6
    candidates = Configurations.load(folder / "candidates.npz")
    assert candidates.chain.tolist() == ["bulk"] * 3 + ["vacancy"] * 3
    assert candidates.step.tolist() == [0, 10, 20] * 2
    assert set(candidates.sampler) == {"hot"}
    assert set(candidates.turn) == {2}
    assert np.isnan(candidates.grade).all()
    chains = json.loads((folder / "result.json").read_text())["chains"]
    assert [(one["chain"], one["stop"], one["kept"]) for one in chains] == [
        ("bulk", "finished", 3),
        ("vacancy", "finished", 3),
    ]
    assert chains[0]["largest_grade"] is None


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(folder, run):
    contents = []
    for seed in (5, 5, 6):
        run(seed=seed)
        contents.append((folder / "candidates.npz").read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_limits_stop_the_chains(run):
    result = run(limits={"max_steps": 4})
    assert [chain["stop"] for chain in result["chains"]] == ["budget", "budget"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sampler": {"steps": 5}}, errors.SettingError, "lacks the key 'kind'"),
        ({"sampler": {"kind": "walk"}}, errors.SettingError, "Unknown sampler 'walk'"),
        ({"calculator": {"ase": "VASP"}}, errors.SettingError, "Unknown calculator 'VASP'"),
        ({"calculator": {}}, errors.SettingError, "exactly one of the keys 'potential'"),
        ({"calculator": {"ase": "EMT", "cutoff": 3}}, errors.SettingError, "Unknown key 'cutoff'"),
        ({"calculator": {"potential": "no.mtp"}}, errors.InputFileError, "no.mtp"),
        ({"starts": "no.npz"}, errors.InputFileError, "no.npz"),
        ({"starts": "../starts.npz"}, errors.InputFileError, "outside its folder"),
        ({"seed": -1}, errors.SettingError, "'seed' is -1"),
        ({"limits": {"max_step": 1}}, errors.SettingError, "Unknown key 'max_step' of limits"),
        ({"limits": {"gamma_break": 1}}, errors.SettingError, "stands beside 'limits'"),
        ({"gamma_break": 1.0}, errors.SettingError, "gamma_break (1) is below gamma_select (2)"),
        ({"max_frames": 0}, errors.SettingError, "'max_frames' is 0"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_run(folder, changes, error, message, run):
    with pytest.raises(error) as raised:
        run(**changes)
    assert message in str(raised.value)
    assert not (folder / "candidates.npz").exists()
    written = json.loads((folder / "result.json").read_text())["error"]
    assert written == {"class": error.__name__, "message": str(raised.value)}


@pytest.fixture
def committee(folder, make_potential):
    """Files of a potential and of two members; returns the members."""
    members = [make_potential(4, seed=seed) for seed in (1, 2)]
    write_potential(members[0], folder / "potential.mtp")
    for number, member in enumerate(members):
        write_potential(member, folder / f"potential_{number:03d}.mtp")
    return members


GRADED = {
    "potential": "potential.mtp",
    "committee": ["potential_000.mtp", "potential_001.mtp"],
}


def test_a_committee_grades_the_frames_and_stops_the_chains(folder, committee, run):
    relaxation = {"kind": "relaxation", "steps": 3, "max_step": 0.01}
    result = run(calculator=GRADED, sampler=relaxation, gamma_select=1e-6, gamma_break=1e6)
    kept = Configurations.load(folder / "candidates.npz")
    grades = CommitteeGrader(committee).grade(kept).per_configuration
    assert len(kept) > 0
    np.testing.assert_allclose(kept.grade, grades, rtol=1e-7)
    assert all(chain["graded"] == chain["frames"] for chain in result["chains"])
    largest = max(chain["largest_grade"] for chain in result["chains"])
    stopped = run(
        calculator=GRADED, sampler=relaxation, gamma_select=1e-6, gamma_break=largest / 1e3
    )
    assert {"gamma_break"} & {chain["stop"] for chain in stopped["chains"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"calculator": GRADED}, "'gamma_select' is a deviation of forces in eV/A"),
        ({"calculator": {**GRADED, "active_set": "a.npz"}}, "one of them grades"),
        ({"calculator": {**GRADED, "committee": ["potential.mtp"]}}, "committee of 1"),
        ({"calculator": {**GRADED, "committee": "potential.mtp"}}, "give a list of files"),
        ({"calculator": {"ase": "EMT", "committee": []}}, "Unknown key 'committee'"),
    ],
)
def test_a_committee_that_cannot_grade_is_refused(committee, run, changes, message):
    if changes["calculator"] != GRADED:
        changes = {**changes, "gamma_select": 0.1}
    with pytest.raises(errors.SettingError) as raised:
        run(**changes)
    assert message in str(raised.value)
