# SPDX-License-Identifier: MIT
"""``alpot select``: from files to files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.mlip_files import write_potential

CAMPAIGN = {"mode": "neighborhood", "method": "projected", "threshold": 2.0}
UNTRAINED = {"species": ["Cu"], "level": 8, "cutoff": 5.0}


def with_chains(configurations, n_chains):
    n = len(configurations)
    origins = [Origin(1, "nvt", f"start_{k % n_chains}", k) for k in range(n)]
    return configurations.replace(
        turn=np.full(n, 1),
        sampler=np.array([origin.sampler for origin in origins]),
        chain=np.array([origin.chain for origin in origins]),
        step=np.arange(n),
    )


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(5, seed=1)


@pytest.fixture(scope="module")
def candidates(make_cells, training):
    frames = concatenate([make_cells(15, seed=2), make_cells(15, seed=3, rattle=0.12)])
    overlapping = make_cells(1, seed=4).replace(identifier=np.array(["overlapping"]))
    positions = overlapping.positions.copy()
    positions[1] = positions[0] + 0.5
    joined = concatenate([frames, overlapping.replace(positions=positions)])
    return concatenate([with_chains(joined, 6), training.select([0])])


@pytest.fixture
def folder(tmp_path, potential, training, candidates):
    write_potential(potential, tmp_path / "potential.mtp")
    training.save(tmp_path / "training.npz")
    candidates.save(tmp_path / "candidates.npz")
    return tmp_path


@pytest.fixture
def ask(folder, run_job):
    def ask(**keys):
        # forces of random potentials are beyond any cap
        keys = {"gate": {"max_force": None}, **keys}
        result = run_job(folder, job="select", candidates=["candidates.npz"], **keys)
        return result, Configurations.load(folder / "selected.npz")

    return ask


def test_every_candidate_gets_a_verdict_and_the_selected_ones_are_written(
    folder, potential, training, candidates, ask
):
    result, selected = ask(potential="potential.mtp", training=["training.npz"], **CAMPAIGN)
    listed = {entry["identifier"]: entry for entry in result["candidates"]}
    assert len(listed) == result["n_candidates"] == len(candidates)
    assert sum(result["verdicts"].values()) == len(candidates)
    assert result["verdicts"]["distance"] == 1
    assert result["verdicts"]["duplicate"] == 1
    assert listed["overlapping"]["verdict"] == "distance"
    assert "less than" in listed["overlapping"]["detail"]
    chosen = {name for name, entry in listed.items() if entry["verdict"] == "selected"}
    assert chosen == set(selected.identifier.tolist())
    assert result["n_selected"] == len(selected) > 0
    grades = ExtrapolationGrader(potential, build_active_set(potential, training))
    expected = grades.grade(selected).per_configuration
    np.testing.assert_allclose(selected.grade, expected, rtol=1e-12)
    np.testing.assert_allclose(result["largest_grade"], expected.max(), rtol=1e-12)
    assert not (folder / "test.npz").exists()


def test_what_the_gate_refused_is_listed_with_its_rule_and_its_hash(candidates, ask):
    result, _ = ask(potential="potential.mtp", training=["training.npz"], **CAMPAIGN)
    named = dict(zip(candidates.hashes(), candidates.identifier.tolist(), strict=True))
    refused = {entry["rule"]: entry for entry in result["refused"]}
    assert len(result["refused"]) == 2
    assert set(refused) == {"distance", "duplicate"}
    assert named[refused["distance"]["hash"]] == "overlapping"
    assert "less than" in refused["distance"]["reason"]
    assert result["refused_unlisted"] == {}


def test_of_very_many_refused_ones_the_rest_is_counted_by_rule(ask, monkeypatch):
    monkeypatch.setattr("aiida_alpot.jobs.select.MOST_LISTED", 1)
    result, _ = ask(potential="potential.mtp", training=["training.npz"], **CAMPAIGN)
    assert len(result["refused"]) == 1
    counts = {rule: result["verdicts"][rule] for rule in ("distance", "duplicate")}
    counts[result["refused"][0]["rule"]] -= 1
    assert result["refused_unlisted"] == {rule: n for rule, n in counts.items() if n}


def test_what_is_quarantined_or_on_its_way_is_not_selected(folder, candidates, ask):
    candidates.select([3]).save(folder / "failed.npz")
    candidates.select([4, 5]).save(folder / "running.npz")
    result, selected = ask(
        potential="potential.mtp",
        training=["training.npz"],
        quarantined=["failed.npz"],
        pending=["running.npz"],
        **CAMPAIGN | {"threshold": 1.01, "entry": 1.0},
    )
    assert (result["verdicts"]["quarantined"], result["verdicts"]["pending"]) == (1, 2)
    kept_back = set(candidates.identifier[3:6].tolist())
    assert not kept_back & set(selected.identifier.tolist())


def test_recorded_grades_are_kept_as_the_origin_of_a_frame(folder, candidates, ask):
    candidates.replace(grade=np.full(len(candidates), 3.25)).save(folder / "candidates.npz")
    _, selected = ask(potential="potential.mtp", training=["training.npz"], **CAMPAIGN)
    assert set(selected.grade.tolist()) == {3.25}
    assert set(selected.sampler.tolist()) == {"nvt"}


def test_held_out_chains_are_not_among_the_selected(folder, ask):
    result, selected = ask(
        potential="potential.mtp",
        training=["training.npz"],
        test_fraction=0.3,
        seed=3,
        **CAMPAIGN | {"threshold": 1.05},
    )
    held_out = Configurations.load(folder / "test.npz")
    assert len(held_out) == result["n_held_out"] == result["verdicts"]["held_out"] > 0
    assert not set(held_out.chain.tolist()) & set(selected.chain.tolist())


def test_the_limit_is_kept_and_the_others_are_named(ask):
    every, _ = ask(potential="potential.mtp", training=["training.npz"], threshold=1.1)
    few, selected = ask(
        potential="potential.mtp", training=["training.npz"], threshold=1.1, limit=2
    )
    assert len(selected) == 2
    assert few["verdicts"]["over_limit"] == every["n_selected"] - 2


def test_without_a_potential_frames_are_selected_by_the_form_of_one(ask):
    result, selected = ask(limit=12, **UNTRAINED, **CAMPAIGN)
    assert len(selected) == 12
    assert result["largest_grade"] is None
    assert np.isnan(selected.grade).all()
    again, same = ask(limit=12, **UNTRAINED, **CAMPAIGN)
    assert same.to_bytes() == selected.to_bytes()
    assert again["candidates"] == result["candidates"]


def test_an_untrained_potential_selects_too(folder, potential, ask):
    write_potential(potential.with_parameters(0.0 * potential.parameters), folder / "zero.mtp")
    _, selected = ask(potential="zero.mtp", training=["training.npz"], limit=6, **CAMPAIGN)
    assert len(selected) == 6


def test_no_candidates_give_an_empty_selection(folder, ask):
    Configurations.empty().save(folder / "candidates.npz")
    result, selected = ask(potential="potential.mtp", training=["training.npz"], **CAMPAIGN)
    assert len(selected) == 0
    assert result["verdicts"] == {}
    assert result["largest_grade"] is None
    result, selected = ask(limit=5, **UNTRAINED, **CAMPAIGN)
    assert len(selected) == 0


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({}, SettingError, "'species', 'level' and 'cutoff'"),
        ({"potential": "nowhere.mtp"}, InputFileError, "nowhere.mtp"),
        ({"potential": "potential.mtp", "gate": {"colour": 1}}, SettingError, "colour"),
        ({"potential": "potential.mtp", "mode": "atoms"}, SettingError, "atoms"),
        ({"potential": "potential.mtp", "test_fraction": 1.0}, SettingError, "test fraction"),
        ({"potential": "potential.mtp", "tresholt": 2.0}, SettingError, "tresholt"),
    ],
)
def test_requests_that_make_no_sense_are_refused(folder, keys, error, message, ask):
    with pytest.raises(error, match=message):
        ask(**keys)
    recorded = json.loads((folder / "result.json").read_text())["error"]
    assert recorded["class"] == error.__name__


def test_a_committee_selects_what_it_disagrees_about_most(folder, make_potential, candidates, ask):
    members = [make_potential(4, seed=seed) for seed in range(2)]
    for number, member in enumerate(members):
        write_potential(member, folder / f"member_{number}.mtp")
    keys = {
        "potential": "potential.mtp",
        "training": ["training.npz"],
        "committee": ["member_0.mtp", "member_1.mtp"],
        "threshold": 1e-9,
        "entry": 1e-9,
        "limit": 5,
    }
    result, selected = ask(**keys)
    grades = CommitteeGrader(members).grade(candidates).per_configuration
    grades = dict(zip(candidates.identifier.tolist(), grades, strict=True))
    entries = {one["identifier"]: one for one in result["candidates"]}
    assert len(selected) == result["n_selected"] == 5
    passed = [name for name, one in entries.items() if one["verdict"] in ("selected", "over_limit")]
    expected = sorted(passed, key=lambda name: -grades[name])[:5]
    assert selected.identifier.tolist() == expected
    np.testing.assert_allclose(selected.grade, [grades[name] for name in expected], rtol=1e-9)
    assert entries["overlapping"]["verdict"] == "distance"
    assert "disagrees about most" in entries[expected[0]]["detail"]
    assert sum(result["verdicts"].values()) == len(candidates)


def test_a_committee_needs_thresholds_with_a_unit(folder, make_potential, ask):
    with pytest.raises(SettingError, match="eV/A"):
        ask(potential="potential.mtp", committee=["potential.mtp", "potential.mtp"])


def test_with_costs_no_more_is_spent_and_a_list_of_costs_says_the_same(ask, candidates):
    keys = {"potential": "potential.mtp", "training": ["training.npz"], **CAMPAIGN}
    plain = ask(**keys)[1]
    result, by_power = ask(**keys, cost_exponent=3.0)
    n_atoms = candidates.n_atoms
    listed = ask(**keys, costs=[float(n) ** 3 for n in n_atoms])[1]
    assert result["n_selected"] == len(by_power) > 0
    assert by_power.hashes() == listed.hashes()
    assert (by_power.n_atoms**3).sum() <= (plain.n_atoms**3).sum()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"costs": [1.0]}, "costs were given for"),
        ({"cost_exponent": 0.0}, "above zero"),
        ({"cost_exponent": 3.0, "costs": [1.0]}, "not both"),
        ({"cost_exponent": 3.0, "committee": ["potential.mtp", "potential.mtp"]}, "committee"),
    ],
)
def test_costs_that_make_no_sense_are_refused(ask, keys, told):
    with pytest.raises(SettingError, match=told):
        ask(potential="potential.mtp", training=["training.npz"], **{**CAMPAIGN, **keys})
