# SPDX-License-Identifier: MIT
"""The commands on files keep their contract: arguments, files and the keys of their JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import ActiveSet, build_active_set
from aiida_alpot.grading.mlip_state import write_almtp
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.structure_files import read_configurations

ERRORS = {
    "n_configurations": None,
    "n_atoms": None,
    "energy": {"rmse_meV_per_atom", "mae_meV_per_atom"},
    "forces": {"rmse_eV_per_A", "mae_eV_per_A", "mean_angle_deg"},
    "stress": {"rmse_GPa", "mae_GPa"},
}


@pytest.fixture(scope="module")
def fitted(files, tmp_path_factory):
    """A potential fitted by the command, with what it told."""
    from click.testing import CliRunner

    from aiida_alpot.cli import main

    folder = tmp_path_factory.mktemp("fitted")
    words = ["fit", "--training", files / "labelled.xyz", "--level", 4, "--cutoff", 4.5]
    words += ["--test", files / "test.xyz", "-o", folder / "cu.mtp", "--json", folder / "fit.json"]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return folder


def check_errors(errors):
    assert set(errors) == set(ERRORS)
    for section, keys in ERRORS.items():
        if keys:
            assert set(errors[section]) == keys


def test_fit_writes_a_potential_that_records_its_species_and_reports_errors(fitted):
    assert read_potential(fitted / "cu.mtp").species == ("Cu",)
    figures = json.loads((fitted / "fit.json").read_text())
    check_errors(figures["training"])
    check_errors(figures["test"])
    assert figures["training"]["energy"]["rmse_meV_per_atom"] < 10


def test_fit_goes_on_from_a_potential_and_keeps_its_form(fitted, files, figures_of, tmp_path):
    figures = figures_of(
        "fit",
        "--training",
        files / "labelled.xyz",
        "--initial",
        fitted / "cu.mtp",
        "--max-iterations",
        2,
        "-o",
        "next.mtp",
    )
    before, after = read_potential(fitted / "cu.mtp"), read_potential(tmp_path / "next.mtp")
    assert (after.level, after.cutoff, after.min_distance) == (4, 4.5, before.min_distance)
    loss = json.loads((fitted / "fit.json").read_text())["loss"]
    assert figures["loss"] <= loss * (1 + 1e-9)


@pytest.mark.parametrize("words", [["auto"], ["1.2", "1.9"], ["overlay", "1.2", "1.9"]])
def test_a_fit_takes_a_core(files, alpot, tmp_path, words):
    training = files / "labelled.xyz"
    asked = ["--level", 4, "--cutoff", 4.5, "--max-iterations", 1, "--zbl", *words, "-o", "cu.mtp"]
    result = alpot("fit", "--training", training, *asked)
    assert result.exit_code == 0, result.output
    assert "ZBL core of Cu-Cu: from " in result.output
    assert "other codes read the file without the core" in result.output
    core = read_potential(tmp_path / "cu.mtp").core
    assert core.fades == ("overlay" not in words)
    if len(words) > 1:
        assert (core.pairs[0].inner, core.pairs[0].outer) == (1.2, 1.9)


def test_a_core_of_one_radius_is_refused(files, alpot):
    training = files / "labelled.xyz"
    asked = ["--level", 4, "--cutoff", 4.5, "--zbl", "1.2", "-o", "cu.mtp"]
    result = alpot("fit", "--training", training, *asked)
    assert result.exit_code == 2
    assert "inner and outer" in result.output


def test_an_interrupted_fit_leaves_its_best_potential(files, alpot, tmp_path, monkeypatch):
    from aiida_alpot.fitting import fit as fitting

    def interrupt(*args, report, **kwargs):
        search(*args, **(kwargs | {"max_iterations": 2}), report=report)
        raise KeyboardInterrupt

    search = fitting.search
    monkeypatch.setattr(fitting, "search", interrupt)
    result = alpot(
        "fit", "--training", files / "labelled.xyz", "--level", 4, "--cutoff", 4.5, "-o", "cu.mtp"
    )
    assert result.exit_code == 130
    assert "interrupted after 2 steps" in result.output
    assert read_potential(tmp_path / "cu.mtp").species == ("Cu",)


def test_evaluate_gives_errors_and_predictions(fitted, files, figures_of, tmp_path):
    errors = figures_of(
        "evaluate", fitted / "cu.mtp", files / "test.xyz", "--species", "Cu", "-o", "out.xyz"
    )
    check_errors(errors)
    labels, predicted = (
        read_configurations(files / "test.xyz"),
        read_configurations(tmp_path / "out.xyz"),
    )
    energy = 1e3 * (predicted.energy - labels.energy) / labels.n_atoms
    assert errors["energy"]["rmse_meV_per_atom"] == pytest.approx(np.sqrt(np.mean(energy**2)))
    forces = predicted.forces - labels.forces
    assert errors["forces"]["rmse_eV_per_A"] == pytest.approx(np.sqrt(np.mean(forces**2)))
    assert np.isfinite(predicted.stress).all()


def test_evaluate_without_labels_gives_null(fitted, files, figures_of):
    errors = figures_of("evaluate", fitted / "cu.mtp", files / "bare.xyz")
    assert errors["energy"]["rmse_meV_per_atom"] is None
    assert errors["n_configurations"] == 6


def test_species_may_stand_before_the_files(fitted, files, alpot):
    result = alpot("evaluate", "--species", "Cu", fitted / "cu.mtp", files / "test.xyz")
    assert result.exit_code == 0, result.output


def test_training_may_be_several_files(fitted, files, figures_of):
    grades = figures_of(
        "grade",
        fitted / "cu.mtp",
        files / "bare.xyz",
        "--training",
        files / "labelled.xyz",
        files / "test.xyz",
    )
    assert set(grades) == {"grades"}
    assert max(grades["grades"]) <= 1.001 * 1.1


def test_grade_by_neighborhood_gives_each_atom(fitted, files, figures_of):
    grades = figures_of(
        "grade",
        fitted / "cu.mtp",
        files / "bare.xyz",
        "--training",
        files / "labelled.xyz",
        "--mode",
        "neighborhood",
    )
    assert [len(atoms) for atoms in grades["per_atom"]] == [4] * 6
    assert grades["grades"] == pytest.approx([max(atoms) for atoms in grades["per_atom"]])


def test_select_writes_what_extends_the_training_set(fitted, files, figures_of, tmp_path):
    figures = figures_of(
        "select",
        fitted / "cu.mtp",
        files / "bare.xyz",
        "--training",
        files / "labelled.xyz",
        "--limit",
        1,
        "-o",
        "selected.xyz",
    )
    assert figures["n_candidates"] == 6
    assert figures["n_selected"] == len(read_configurations(tmp_path / "selected.xyz")) == 1


def test_sample_keeps_frames_and_says_why_each_chain_ended(fitted, files, figures_of, tmp_path):
    figures = figures_of(
        "sample",
        fitted / "cu.mtp",
        files / "test.xyz",
        "--set",
        "temperature_K=300",
        "steps=10",
        "--training",
        files / "labelled.xyz",
        "--gamma-select",
        1e-6,
        "--gamma-break",
        1e6,
        "-o",
        "frames.npz",
    )
    chains = figures["chains"]
    assert [chain["steps"] for chain in chains] == [10, 10]
    assert all(chain["reason"] for chain in chains)
    frames = Configurations.load(tmp_path / "frames.npz")
    assert np.isfinite(frames.grade).all()


def test_sample_writes_from_where_chains_can_go_on_and_goes_on(
    fitted, files, figures_of, alpot, tmp_path
):
    words = (
        *("sample", fitted / "cu.mtp", files / "test.xyz", "--training", files / "labelled.xyz"),
        *("--set", "temperature_K=[100, 4000]", "steps=300"),
        *("--record-every", 1, "--gamma-select", 1.5, "--gamma-break", 2.0, "-o", "frames.npz"),
    )
    chains = figures_of(*words, "--restarts", "left.npz")["chains"]
    left = Configurations.load(tmp_path / "left.npz")
    assert set(left.chain) <= {one["chain"] for one in chains if one["stop"] == "gamma_break"}
    assert (left.grade <= 1.5).all()
    result = alpot(*words, "--go-on", "left.npz", "--gamma-break", 1e6, "--json", "again.json")
    assert result.exit_code == 0, result.output
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))["chains"]
    steps = dict(zip(left.chain.tolist(), left.step.tolist(), strict=True))
    assert steps
    assert {one["chain"]: one["first_step"] for one in again} == {
        one["chain"]: steps.get(one["chain"], 0) for one in chains
    }
    rattled = ("--kind", "rattled", "--restarts", "left.npz", "-o", "frames.npz")
    refused = alpot("sample", fitted / "cu.mtp", files / "test.xyz", *rattled)
    assert refused.exit_code != 0
    assert "cannot go on" in refused.output


def test_label_records_the_level_of_theory_and_convert_keeps_all(files, alpot, tmp_path):
    assert (
        alpot("label", files / "bare.xyz", "--calculator", "EMT", "-o", "labelled.xyz").exit_code
        == 0
    )
    assert alpot("convert", "labelled.xyz", "labelled.npz").exit_code == 0
    assert alpot("convert", "labelled.npz", "back.xyz").exit_code == 0
    one, two = (read_configurations(tmp_path / name) for name in ("labelled.xyz", "back.xyz"))
    assert '"calculator":"EMT"' in one.level_of_theory
    assert one.to_bytes() == two.to_bytes()


def test_convert_to_cfg_and_back_keeps_energies_forces_and_stress(files, alpot, tmp_path):
    assert alpot("convert", files / "labelled.xyz", "set.cfg").exit_code == 0
    assert alpot("convert", "set.cfg", "back.npz", "--species", "Cu").exit_code == 0
    one, two = (
        read_configurations(files / "labelled.xyz"),
        Configurations.load(tmp_path / "back.npz"),
    )
    for name in ("energy", "forces", "stress", "positions"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), abs=1e-6)


def test_properties_are_measured_beside_a_reference(fitted, files, figures_of):
    figures = figures_of(
        "properties",
        fitted / "cu.mtp",
        files / "bare.xyz",
        "--kind",
        "equation_of_state",
        "--reference",
        "EMT",
    )
    (entry,) = figures["properties"]
    assert entry["kind"] == "equation_of_state"
    assert entry["reference"]["lattice_constant_A"] == pytest.approx(3.59, abs=0.2)


def test_a_file_of_mlip_3_is_taken_for_a_potential_and_grades_by_what_it_holds(
    fitted, files, figures_of, alpot, tmp_path
):
    potential, bare = fitted / "cu.mtp", files / "bare.xyz"
    active_set = build_active_set(
        read_potential(potential), read_configurations(files / "labelled.xyz")
    )
    active_set.save(tmp_path / "active_set.npz")
    words = ["--active-set", "active_set.npz", "--training", files / "labelled.xyz"]
    assert alpot("convert", potential, "cu.almtp", *words).exit_code == 0

    wanted = figures_of("grade", potential, bare, "--active-set", "active_set.npz")
    found = figures_of("grade", "cu.almtp", bare)
    assert set(found) == {"grades", "per_atom"}
    assert found["grades"] == pytest.approx(wanted["grades"], rel=1e-7)

    assert alpot("convert", "cu.almtp", "again.npz").exit_code == 0
    assert ActiveSet.load("again.npz").n_initialized == active_set.n_initialized
    assert alpot("convert", "cu.almtp", "again.mtp").exit_code == 0
    assert (tmp_path / "again.mtp").read_bytes() == potential.read_bytes()
    by_almtp = figures_of("evaluate", "cu.almtp", files / "test.xyz")
    assert by_almtp == figures_of("evaluate", potential, files / "test.xyz")


def test_a_file_of_mlip_3_grades_what_is_sampled(fitted, files, figures_of, alpot, tmp_path):
    potential = read_potential(fitted / "cu.mtp")
    training = read_configurations(files / "labelled.xyz")
    write_almtp(tmp_path / "cu.almtp", potential, build_active_set(potential, training))
    words = ["--set", "temperature_K=300", "steps=5", "--gamma-select", 1e-6, "--gamma-break", 1e6]
    figures_of("sample", "cu.almtp", files / "test.xyz", *words, "-o", "frames.npz")
    frames = read_configurations(tmp_path / "frames.npz")
    assert len(frames)
    assert np.isfinite(frames.grade).all()


def test_a_potential_alone_cannot_grade(fitted, files, alpot):
    result = alpot("grade", fitted / "cu.mtp", files / "bare.xyz")
    assert result.exit_code != 0
    assert "holds no active set" in str(result.output) + str(result.exception)


def test_a_potential_is_not_converted_to_a_format_of_configurations(fitted, alpot):
    result = alpot("convert", fitted / "cu.mtp", "cu.xyz")
    assert result.exit_code != 0
    assert ".almtp" in str(result.output) + str(result.exception)


def test_sample_writes_what_a_search_found(fitted, files, alpot, tmp_path):
    words = ["sample", fitted / "cu.mtp", files / "bare.xyz", "--kind", "relaxation"]
    words += ["--set", "fmax=0.05", "-o", "frames.xyz", "--json", "told.json"]
    result = alpot(*words, "--found", "relaxed.xyz")
    assert result.exit_code == 0, result.output
    found = read_configurations(tmp_path / "relaxed.xyz")
    told = json.loads((tmp_path / "told.json").read_text())["found"]
    assert len(found) == len(told) >= 1
    assert f"structures found: {len(found)}, the lowest is" in result.output
    words[words.index("fmax=0.05") :] = ["fmax=1e-12", "steps=1", "-o", "frames.xyz"]
    nothing = alpot(*words, "--found", "none.xyz")
    assert "no structure was found" in nothing.output
    assert not (tmp_path / "none.xyz").exists()
