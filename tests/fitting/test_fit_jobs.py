# SPDX-License-Identifier: MIT
"""The jobs ``fit`` and ``evaluate`` on files."""

import json
from functools import partial

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError, SettingError, SpeciesError
from aiida_alpot.grading import ActiveSet, potential_hash
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.mtp.mlip_files import read_potential

from .data import emt_set, rattled_cells

FIT = {"job": "fit", "training": ["a.npz", "b.npz"], "level": 6, "cutoff": 4.5}


@pytest.fixture
def folder(tmp_path):
    emt_set(4, seed=1).save(tmp_path / "a.npz")
    emt_set(2, seed=2).save(tmp_path / "b.npz")
    emt_set(3, seed=3).save(tmp_path / "test.npz")
    Configurations.empty().save(tmp_path / "empty.npz")
    Configurations.from_atoms(rattled_cells(1, species=["Au"])).save(tmp_path / "gold.npz")
    return tmp_path


@pytest.fixture
def run(folder, run_job):
    return partial(run_job, folder)


def test_a_fit_writes_potential_active_set_and_errors(folder, capsys, run):
    result = run(
        **FIT, test={"md": "test.npz"}, active_set={"mode": "neighborhood"}, species=["Cu"]
    )
    potential = read_potential(folder / "potential.mtp")
    assert potential.species == ("Cu",)
    assert result["n_parameters"] == potential.n_parameters == 22
    assert result["converged"]
    assert result["loss"] == result["loss_history"][-1]
    assert result["errors"]["training"]["n_configurations"] == 6
    assert result["errors"]["test"]["md"]["forces"]["rmse_eV_per_A"] < 0.1
    assert result["min_distance"] == pytest.approx(0.99 * result["smallest_distance"])
    active_set = ActiveSet.load(folder / "active_set.npz")
    assert active_set.mode == "neighborhood"
    assert active_set.potential_hash == potential_hash(potential)
    shown = capsys.readouterr().err
    assert [line.split(" of at most 200, loss ")[0] for line in shown.splitlines()] == [
        f"fit: step {step}" for step in range(0, result["n_iterations"] + 1, 10)
    ]
    evaluated = run(job="evaluate", potential="potential.mtp", configurations="test.npz")
    assert evaluated["errors"] == result["errors"]["test"]["md"]


def test_predictions_are_written_as_labels(folder, run):
    run(**FIT, max_iterations=3)
    result = run(job="evaluate", potential="potential.mtp", configurations="test.npz")
    predicted = Configurations.load(folder / "predictions.npz")
    test = Configurations.load(folder / "test.npz")
    assert predicted.hashes() == test.hashes()
    assert predicted.level_of_theory == ""
    difference = predicted.forces - test.forces
    assert np.sqrt(np.mean(difference**2)) == pytest.approx(
        result["errors"]["forces"]["rmse_eV_per_A"]
    )


def test_a_fit_goes_on_from_a_potential_of_a_lower_level(folder, run):
    first = run(**FIT)
    (folder / "potential.mtp").rename(folder / "parent.mtp")
    result = run(**{**FIT, "level": 8}, initial="parent.mtp")
    assert result["loss"] < first["loss"]
    assert result["min_distance"] == first["min_distance"]
    assert read_potential(folder / "potential.mtp").level == 8
    with pytest.raises(SettingError, match=r"cutoff 4\.5 A, the request 5 A"):
        run(**{**FIT, "cutoff": 5.0}, initial="parent.mtp")


def test_an_empty_increment_is_no_error_and_an_empty_set_is(folder, run):
    run(**{**FIT, "training": ["a.npz", "empty.npz"]}, max_iterations=1)
    with pytest.raises(EmptyDataError, match="training set holds no configuration"):
        run(**{**FIT, "training": ["empty.npz"]})
    assert json.loads((folder / "result.json").read_text())["error"]["class"] == "EmptyDataError"


def test_training_on_a_test_set_is_refused(run):
    with pytest.raises(SettingError, match="test set 'mine'"):
        run(**FIT, test={"mine": "b.npz"})


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"weights": {"energie": 1.0}}, "Unknown key 'energie'"),
        ({"active_set": {"kind": "x"}}, "Unknown key 'kind'"),
        ({"level": 7}, "level 7"),
        ({"min_distance": 9.0}, "min_distance"),
        ({"tolerance": -1.0}, "tolerance"),
    ],
)
def test_wrong_keys_are_named(keys, what, run):
    with pytest.raises(SettingError, match=what):
        run(**{**FIT, **keys})


def test_species_that_the_potential_lacks_are_named(run):
    run(**FIT, max_iterations=1)
    with pytest.raises(SpeciesError, match="Au is not in the potential"):
        run(job="evaluate", potential="potential.mtp", configurations="gold.npz")


def test_a_fit_with_a_core_says_its_radii_and_a_warm_start_keeps_them(folder, run):
    first = run(**FIT, zbl={})
    [inner, outer] = first["zbl"]["radii"]["Cu-Cu"]
    assert outer == pytest.approx(0.95 * first["smallest_distance"])
    assert inner == pytest.approx(0.65 * first["smallest_distance"])
    assert first["zbl"]["overlay"] is False
    assert first["zbl"]["hollows"] == {}
    (folder / "potential.mtp").rename(folder / "parent.mtp")
    fewer = {**FIT, "training": ["b.npz"], "initial": "parent.mtp", "max_iterations": 1}
    for zbl in (None, {}):
        assert run(**fewer, zbl=zbl)["zbl"]["radii"] == first["zbl"]["radii"]
    moved = run(**fewer, zbl={"inner": 1.0, "outer": 1.5, "overlay": True})["zbl"]
    assert moved["radii"] == {"Cu-Cu": [1.0, 1.5]}
    assert moved["overlay"] is True
    single = run(**fewer, zbl={"pairs": {"Cu-Cu": [1.1, 1.6]}})["zbl"]
    assert single["radii"] == {"Cu-Cu": [1.1, 1.6]}
    assert run(**FIT, max_iterations=1)["zbl"] is None
    assert read_potential(folder / "potential.mtp").core is None


def test_a_core_that_cannot_be_is_refused(run):
    with pytest.raises(SettingError, match="inner < outer"):
        run(**FIT, zbl={"inner": 2.0, "outer": 1.0})
    with pytest.raises(SettingError, match="'Cu-Au' of the ZBL core"):
        run(**FIT, zbl={"pairs": {"Cu-Au": [1.0, 2.0]}})
    with pytest.raises(SettingError, match="'width'"):
        run(**FIT, zbl={"width": 2.0})


# what surrounds a fit


def test_a_good_set_has_no_warnings(run):
    result = run(**FIT)
    assert result["warnings"] == []
    assert result["outliers"] == []
    assert result["committee"] is None
    assert result["atomic_energies"] is None
    assert result["n_trained_on"] == 6


def test_a_poor_set_is_fitted_with_a_warning_in_the_result(folder, run):
    emt_set(1, seed=1).save(folder / "one.npz")
    run(**{**FIT, "training": ["one.npz"], "level": 8})
    written = json.loads((folder / "result.json").read_text())
    assert {warning["kind"] for warning in written["warnings"]} == {"one_configuration", "rank"}
    assert all(np.isfinite(read_potential(folder / "potential.mtp").parameters))


def test_an_absurd_label_is_named_in_the_result_and_disarmed_if_asked(folder, run):
    data = emt_set(40, seed=5)
    energy = data.energy.copy()
    energy[17] -= 300.0
    data.replace(energy=energy).save(folder / "many.npz")
    request = {**FIT, "training": ["many.npz"], "test": {"md": "test.npz"}}
    plain = run(**request)
    robust = run(**request, robust=5)
    for result in (plain, robust):
        assert result["outliers"][0]["identifier"] == "17"
        assert "configuration 17: " in result["warnings"][0]["message"]
    assert robust["robust"]["n_reduced_labels"] >= 1
    assert plain["robust"] is None
    others = robust["robust"]["errors_of_the_others"]
    assert others["energy"]["rmse_meV_per_atom"] < 10.0
    assert robust["errors"]["training"]["energy"]["rmse_meV_per_atom"] > 1e3
    assert "all but ignored" in robust["warnings"][0]["message"]
    errors = [result["errors"]["test"]["md"]["energy"] for result in (robust, plain)]
    assert errors[0]["rmse_meV_per_atom"] < 0.1 * errors[1]["rmse_meV_per_atom"]


def test_a_committee_is_written_beside_the_potential(folder, run):
    result = run(**FIT, test={"md": "test.npz"}, committee={"members": 3}, max_iterations=4)
    committee = result["committee"]
    files = [member["file"] for member in committee["members"]]
    assert files == ["potential_000.mtp", "potential_001.mtp", "potential_002.mtp"]
    potentials = [read_potential(folder / file) for file in files]
    deviation = CommitteeGrader(potentials).force_deviations(
        Configurations.load(folder / "test.npz")
    )
    found = committee["force_deviation_eV_per_A"]["md"]
    assert found["mean"] == pytest.approx(deviation.mean(), rel=1e-9)
    assert found["largest"] == pytest.approx(deviation.max(), rel=1e-9)
    # the potential itself is fitted to all of the data
    alone = run(**FIT, max_iterations=4)
    assert result["loss"] == alone["loss"]


def test_weights_references_and_blocks_reach_the_fit(folder, run):
    run(**FIT)
    (folder / "potential.mtp").rename(folder / "parent.mtp")
    parent = read_potential(folder / "parent.mtp")
    result = run(
        **FIT,
        initial="parent.mtp",
        weighting={"by_name": {"3": 0.0}, "energy_window": 0.1, "energy_decay": 0.5},
        atomic_energies={"Cu": -0.25},
        frozen=["radial", "Cu"],
        pull={"strength": 1e-3, "blocks": ["moments"]},
        max_iterations=3,
    )
    child = read_potential(folder / "potential.mtp")
    assert result["n_trained_on"] == 5
    assert result["atomic_energies"] == {"Cu": -0.25}
    assert np.array_equal(child.radial_coefficients, parent.radial_coefficients)
    assert np.array_equal(child.species_coefficients, parent.species_coefficients)
    assert not np.array_equal(child.moment_coefficients, parent.moment_coefficients)


def test_the_interval_follows_the_data_only_where_asked(folder, run):
    first = run(**FIT)
    (folder / "potential.mtp").rename(folder / "parent.mtp")
    emt_set(6, seed=4, rattle=0.4).save(folder / "close.npz")
    request = {**FIT, "training": ["close.npz"], "initial": "parent.mtp", "max_iterations": 2}
    kept = run(**request)
    assert kept["min_distance"] == first["min_distance"]
    assert "below_min_distance" in {warning["kind"] for warning in kept["warnings"]}
    followed = run(**request, widen_interval=True)
    assert followed["min_distance"] == pytest.approx(0.99 * followed["smallest_distance"])
    assert followed["min_distance"] < first["min_distance"]
    assert "below_min_distance" not in {warning["kind"] for warning in followed["warnings"]}
    unchanged = run(**FIT, initial="parent.mtp", widen_interval=True, max_iterations=1)
    assert unchanged["min_distance"] == first["min_distance"]


def test_without_a_parent_linear_coefficients_are_pulled_to_zero(folder, run):
    sizes = []
    for strength in (0.0, 1e-6, 1e6):
        run(**FIT, pull={"strength": strength, "blocks": ["moments"]}, max_iterations=5)
        sizes.append(np.abs(read_potential(folder / "potential.mtp").moment_coefficients).max())
    assert sizes[0] > sizes[1] > 1e3 * sizes[2]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"pull": {"strength": 1.0, "blocks": ["moments", "Cu-Cu"]}}, "need a potential to go on"),
        ({"frozen": ["radial"]}, "need a potential to go on from"),
        ({"train_only": ["Cu-Cu"]}, "need a potential to go on from"),
        ({"pull": {"strength": 1.0}}, "need a potential to go on from"),
        ({"weighting": {"window": 1.0}}, "Unknown key 'window'"),
        ({"weighting": {"energy_zero": "middle"}}, "Key 'energy_zero'"),
        ({"committee": {"members": 1}}, "committee of 1 cannot disagree"),
        ({"atomic_energies": "guess"}, "no source of atomic energies 'guess'"),
        ({"atomic_energies": {"Au": 1.0}}, "lack a value for Cu"),
        ({"robust": 0.1}, "threshold of the robust loss"),
    ],
    ids=str,
)
def test_what_surrounds_a_fit_is_checked(run, keys, message):
    with pytest.raises(SettingError, match=message):
        run(**FIT, **keys)
