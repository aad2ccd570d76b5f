# SPDX-License-Identifier: MIT
"""The rules of selection in the job, and test sets that stay frozen."""

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.mlip_files import write_potential
from aiida_alpot.selection.graded import tail_cut

FORM = {"species": ["Cu"], "level": 8, "cutoff": 5.0}


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(4, seed=1, repeats=(2,))


@pytest.fixture(scope="module")
def candidates(make_cells):
    made = make_cells(20, seed=2, rattle=0.12, repeats=(2,))
    chains = np.array([f"start_{index % 5}" for index in range(20)])
    return made.replace(turn=np.full(20, 1), sampler=np.full(20, "nvt"), chain=chains)


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
        gate = {"max_force": None}
        keys = {"method": "projected", "training": ["training.npz"], "gate": gate, **keys}
        result = run_job(folder, job="select", candidates=["candidates.npz"], **keys)
        return result, Configurations.load(folder / "selected.npz")

    return ask


@pytest.mark.parametrize("rule", ["uncertainty", "farthest_points", "cur", "random"])
def test_each_rule_selects_up_to_the_limit_and_says_why(ask, candidates, rule):
    result, selected = ask(potential="potential.mtp", rule=rule, limit=4, seed=3)
    assert result["n_selected"] == len(selected) == 4
    assert sum(result["verdicts"].values()) == len(candidates)
    assert result["verdicts"]["over_limit"] == 16
    details = {one["detail"] for one in result["candidates"] if one["verdict"] == "selected"}
    assert len(details) == 1
    assert "volume" not in details.pop()
    again = ask(potential="potential.mtp", rule=rule, limit=4, seed=3)[1]
    assert again.to_bytes() == selected.to_bytes()


def test_maxvol_takes_one_of_frames_that_are_nearly_the_same(folder, ask, candidates):
    rng = np.random.default_rng(4)
    nudged = candidates.positions + rng.normal(0.0, 0.001, candidates.positions.shape)
    twice = concatenate([candidates, candidates.replace(positions=nudged)])
    twice.save(folder / "candidates.npz")
    keys = {"training": [], "mode": "neighborhood", "limit": 40, **FORM, "level": 16}
    result, selected = ask(**keys)
    hashes = twice.hashes()
    places = np.array([hashes.index(one) for one in selected.hashes()]) % len(candidates)
    assert len(np.unique(places)) == len(places) > 1
    alike = [one for one in result["candidates"] if one["verdict"] == "alike"]
    assert {one["detail"] for one in alike} == {"is like a configuration that is known or selected"}


def test_the_tail_of_the_grades_is_selected(ask, potential, training, candidates):
    grader = ExtrapolationGrader(potential, build_active_set(potential, training))
    grades = grader.grade(candidates).per_configuration
    keys = {"tail_k": 0.5, "mode": "neighborhood"}
    _, selected = ask(potential="potential.mtp", rule="tail", **keys)
    expected = candidates.select(np.flatnonzero(grades > tail_cut(grades, k=0.5)))
    assert 0 < len(selected) < 20
    assert set(selected.hashes()) == set(expected.hashes())


@pytest.mark.parametrize("rule", ["farthest_points", "cur", "random"])
def test_before_the_first_fit_the_form_of_a_potential_is_enough(ask, rule):
    _, selected = ask(rule=rule, limit=3, **FORM)
    assert len(selected) == 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rule": "tail", **FORM}, "goes by grades: give a trained potential"),
        ({"rule": "random", "potential": "potential.mtp"}, "give a limit"),
        ({"rule": "best", "potential": "potential.mtp"}, "'rule'"),
        ({"rule": "cur", "committee": ["potential.mtp"] * 2, **FORM}, "asks no committee"),
        ({"rule": "maxvol", "committee": ["potential.mtp"] * 2, **FORM}, "asks no committee"),
        ({"rule": "cur", "cost_exponent": 2.0, "limit": 1, **FORM}, "divided by a cost"),
        ({"rule": "tail", "tail_kind": "third", "potential": "potential.mtp"}, "tail_kind"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(ask, keys, message):
    with pytest.raises(SettingError, match=message):
        ask(**keys)


def test_the_tail_is_split_into_training_and_difficult_tests(folder, ask):
    keys = {"potential": "potential.mtp", "rule": "uncertainty", "limit": 10}
    result, kept = ask(**keys, test_fraction=0.2, test_split="frame", gentle_tests=5)
    held_out = Configurations.load(folder / "test.npz")
    assert (len(kept), len(held_out), result["n_held_out"]) == (8, 2, 2)
    every = ask(**keys)[1]
    assert sorted(every.hashes()) == sorted(kept.hashes() + held_out.hashes())


def test_gentle_tests_are_drawn_from_what_needs_no_label(folder, ask, candidates):
    keys = {"potential": "potential.mtp", "rule": "tail", "tail_k": 0.5}
    result, selected = ask(**keys, gentle_tests=6)
    gentle = Configurations.load(folder / "gentle.npz")
    assert len(gentle) == result["verdicts"]["gentle_test"] == 6
    assert not set(gentle.hashes()) & set(selected.hashes())
    assert gentle.grade.max() < selected.grade.min()
    assert set(gentle.hashes()) < set(candidates.hashes())


def test_what_is_like_a_frozen_test_frame_is_not_selected(folder, ask, candidates):
    keys = {"potential": "potential.mtp", "rule": "random", "limit": 20}
    nudged = candidates.select([2, 7])
    nudged.replace(positions=nudged.positions + 0.2).save(folder / "frozen.npz")
    result, selected = ask(**keys, frozen=["frozen.npz"])
    assert result["verdicts"]["frozen_test"] == 2
    assert len(selected) == 18
    assert not set(candidates.select([2, 7]).hashes()) & set(selected.hashes())
    reasons = [one["reason"] for one in result["refused"]]
    assert all("stays frozen" in reason for reason in reasons)


def test_origins_travel_with_what_is_selected(ask, candidates):
    selected = ask(potential="potential.mtp", rule="random", limit=5)[1]
    for index, digest in enumerate(selected.hashes()):
        place = candidates.hashes().index(digest)
        origin = selected.origin(index)
        assert origin[:4] == candidates.origin(place)[:4] == Origin(*origin)[:4]
