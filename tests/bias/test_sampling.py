# SPDX-License-Identifier: MIT
"""Samplers that are biased: what moves, what is recorded, and what is refused."""

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.bias import make_biased
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.bias_settings import BiasSettings
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.stopping import StopRules

DYNAMICS = {"temperature_K": 100.0, "steps": 12, "timestep_fs": 0.5}
CONTOUR = {"steps": 15, "energy_above_start_eV_per_atom": 0.01, "max_step_A": 0.2}


@pytest.fixture
def calculators(copper):
    return {"committee": copper.committee, "grade": copper.grade}


@pytest.fixture
def crystal():
    """Sixteen atoms of copper off their sites, one missing."""
    atoms = bulk("Cu", a=3.59, cubic=True) * (2, 2, 1)
    del atoms[3]
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.fixture
def follow(calculators, crystal):
    """Return the frames of a biased sampler as (results, positions), and how its chain ended."""

    def run(kind, settings, bias=None, *, chains=1, **rules):
        sampler = make_sampler(kind, {**settings, **({"bias": bias} if bias else {})})
        calculator = calculators[bias["kind"] if bias else "grade"]
        seen = []
        result = run_sampler(
            sampler,
            _named(crystal, chains),
            make_biased(calculator, sampler.settings.bias),
            rng=np.random.default_rng(3),
            stop_rules=StopRules(gamma_break=None, collision_distance=0.5, **rules),
            record_rules=RecordRules(gamma_select=1e-9),
            observe=lambda one: seen.append((dict(one.atoms.calc.results), one.atoms.copy(), one)),
        )
        return seen, result

    return run


def _named(atoms, count):
    copies = [atoms.copy() for _ in range(count)]
    for number, copy in enumerate(copies):
        copy.info["identifier"] = f"chain {number}"
    return copies


@pytest.mark.parametrize("kind", ["committee", "grade"])
@pytest.mark.parametrize(
    ("sampler", "settings"),
    [("molecular_dynamics", DYNAMICS), ("relaxation", {"steps": 5, "max_step": 0.02})],
)
def test_frames_are_judged_by_what_the_potential_says_of_them(
    follow, calculators, kind, sampler, settings
):
    seen, _ = follow(sampler, settings, {"kind": kind, "alpha": 0.5})
    for results, atoms, observed in seen:
        assert observed.energy == results["unbiased_energy"]
        assert observed.grade == results["grade"]
        atoms.calc = calculators[kind]
        assert atoms.get_potential_energy() == pytest.approx(observed.energy, rel=1e-12)
        assert calculators[kind].results["grade"] == pytest.approx(observed.grade, rel=1e-9)


@pytest.mark.parametrize("kind", ["committee", "grade"])
def test_without_strength_the_path_is_that_of_the_plain_potential(follow, kind):
    plain, _ = follow("molecular_dynamics", DYNAMICS)
    biased, _ = follow("molecular_dynamics", DYNAMICS, {"kind": kind, "alpha": 0.0})
    if kind == "committee":
        # its list of pairs has the longer cutoff of its members, so sums differ in the last bits
        for one, other in zip(plain, biased, strict=True):
            np.testing.assert_allclose(one[1].positions, other[1].positions, atol=1e-10)
    else:
        for one, other in zip(plain, biased, strict=True):
            np.testing.assert_array_equal(one[1].positions, other[1].positions)


@pytest.mark.parametrize("kind", ["committee", "grade"])
def test_a_relaxation_goes_down_the_biased_energy_and_ends_where_the_bias_is_larger(follow, kind):
    settings = {"steps": 15, "max_step": 0.02}
    plain, _ = follow("relaxation", settings, {"kind": kind, "alpha": 0.0})
    biased, _ = follow("relaxation", settings, {"kind": kind, "alpha": 2.0})
    assert biased[-1][0]["energy"] < biased[0][0]["energy"]
    assert biased[-1][0]["bias"] > plain[-1][0]["bias"]


@pytest.mark.parametrize("kind", ["committee", "grade"])
def test_driven_dynamics_meets_more_uncertainty_in_equal_steps(copper, calculators, crystal, kind):
    settings = {"temperature_K": 300.0, "steps": 60}
    bias = {"kind": kind, "tau_rel": 0.3, "tau_hist": 5}
    for seed in range(3):
        means = []
        for used in (None, bias):
            sampler = make_sampler("molecular_dynamics", {**settings, "bias": used})
            calculator = make_biased(calculators[kind], sampler.settings.bias)
            frames = sampler.frames([crystal], calculator, np.random.default_rng(seed))
            seen = Configurations.from_atoms([one.atoms.copy() for one in frames])
            if kind == "committee":
                grader = CommitteeGrader(copper.committee.committee)
                means.append(grader.energy_deviations(seen).mean())
            else:
                grader = ExtrapolationGrader(copper.potential, copper.grade.active_set)
                means.append(np.log(grader.grade(seen).per_configuration).mean())
        assert means[1] > means[0]


def test_hyperactive_dynamics_begins_after_its_history_and_each_chain_anew(follow):
    bias = {"kind": "committee", "tau_rel": 0.2, "tau_hist": 4}
    seen, _ = follow("molecular_dynamics", DYNAMICS, bias, chains=2)
    factors = [results["bias_strength"] for results, _, _ in seen]
    for chain in (factors[:13], factors[13:]):
        assert chain[:5] == [0.0] * 5
        assert all(one > 0.0 for one in chain[5:])
    results = seen[12][0]
    pull = results["bias_strength"] * (results["forces"] - results["unbiased_forces"])
    assert np.linalg.norm(pull) > 0.0


def test_biased_forces_are_the_share_of_the_forces_that_was_asked_for(follow):
    bias = {"kind": "grade", "tau_rel": 0.2, "tau_hist": 4}
    seen, _ = follow("molecular_dynamics", {**DYNAMICS, "steps": 40}, bias)
    plain = np.array([one["unbiased_forces"] for one, _, _ in seen[5:]])
    pulls = np.array([one["forces"] - one["unbiased_forces"] for one, _, _ in seen[5:]])
    share = np.linalg.norm(pulls, axis=2).mean() / np.linalg.norm(plain, axis=2).mean()
    assert share == pytest.approx(0.2, rel=0.3)


@pytest.mark.parametrize("kind", ["committee", "grade"])
def test_a_leaning_contour_reaches_more_uncertain_frames_at_the_same_energy(follow, kind):
    plain, _ = follow("contour_exploration", CONTOUR, {"kind": kind, "gamma": 0.0})
    leaning, _ = follow("contour_exploration", CONTOUR, {"kind": kind, "gamma": 0.7})
    assert leaning[-1][0]["bias"] > plain[-1][0]["bias"]
    energies = np.array([one.energy for _, _, one in leaning]) / len(leaning[0][1])
    target = energies[0] + CONTOUR["energy_above_start_eV_per_atom"]
    assert np.abs(energies[5:] - target).max() < 5e-3, "it stays on the contour"
    assert leaning[-1][0]["bias_strength"] == 0.0


def test_a_chain_stops_where_forces_are_uncertain_for_their_size_and_keeps_the_frame(follow):
    bias = {"kind": "committee", "alpha": 0.5, "tolerance": 0.01}
    seen, result = follow("molecular_dynamics", DYNAMICS, bias)
    assert result.chains[0].stop == "gamma_break"
    assert "relative error of the forces" in result.chains[0].reason
    results, atoms, _ = seen[-1]
    sizes = np.linalg.norm(results["unbiased_forces"], axis=1) + 0.1
    assert results["relative_error"] == pytest.approx((results["grades"] / sizes).max(), rel=1e-12)
    assert results["relative_error"] > 0.01
    np.testing.assert_array_equal(result.frames.positions[-len(atoms) :], atoms.positions)


@pytest.mark.parametrize(
    ("kind", "settings", "bias", "message"),
    [
        ("molecular_dynamics", DYNAMICS, {"kind": "grade"}, "neither; give one of alpha"),
        (
            "molecular_dynamics",
            DYNAMICS,
            {"kind": "grade", "alpha": 1.0, "tau_rel": 0.2},
            "alpha and tau_rel; give one of",
        ),
        ("molecular_dynamics", DYNAMICS, {"kind": "grade", "gamma": 0.2}, "needs alpha or tau_rel"),
        ("relaxation", {}, {"kind": "grade", "tau_rel": 0.2}, "relaxation needs alpha"),
        ("contour_exploration", CONTOUR, {"kind": "grade", "alpha": 1.0}, "needs gamma"),
        ("contour_exploration", CONTOUR, {"kind": "grade", "gamma": 2}, "from 0 to 1"),
        ("relaxation", {}, {"kind": "dropout", "alpha": 1.0}, "one of committee, grade"),
        ("relaxation", {}, {"kind": "grade", "strength": 1.0}, "Unknown key 'strength' of bias"),
        ("relaxation", {}, {"alpha": 1.0}, "bias lacks the key 'kind'"),
        ("relaxation", {}, "grade", "keys and values of its own or null"),
        ("relaxation", {}, {"kind": "grade", "alpha": 1.0, "power": 1}, "at least 2"),
        (
            "relaxation",
            {},
            {"kind": "grade", "alpha": 1.0, "tolerance": 0.3},
            "tells no error of forces",
        ),
    ],
)
def test_a_bias_that_does_not_fit_is_refused_before_anything_is_run(kind, settings, bias, message):
    with pytest.raises(SettingError, match=message):
        make_sampler(kind, {**settings, "bias": bias})


def test_a_sampler_says_what_drives_it():
    settings = {**DYNAMICS, "bias": {"kind": "committee", "tau_rel": 0.2}}
    assert "driven up the committee's spread with 0.2 of the forces" in str(
        make_sampler("molecular_dynamics", settings)
    )
    assert str(BiasSettings("grade", alpha=0.5)).endswith(
        "the extrapolation grade with strength 0.5"
    )
