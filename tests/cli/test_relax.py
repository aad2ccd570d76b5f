# SPDX-License-Identifier: MIT
"""``alpot relax`` and its job on a fitted potential of copper."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp import write_potential
from aiida_alpot.mtp.structure_files import read_configurations


@pytest.fixture(scope="session")
def copper(files, tmp_path_factory):
    """A fitted potential and its active set."""
    folder = tmp_path_factory.mktemp("copper")
    training = read_configurations(files / "labelled.xyz")
    start = start_potential(training, level=4, cutoff=4.5, min_distance=1.5)
    potential = fit_potential(training, initial=start, max_iterations=20).potential
    write_potential(potential, folder / "cu.mtp")
    build_active_set(potential, training).save(folder / "active_set.npz")
    return folder


def test_structures_are_written_relaxed_in_their_order(copper, files, figures_of, tmp_path):
    figures = figures_of("relax", copper / "cu.mtp", files / "bare.xyz", "-o", "out.xyz")
    given, relaxed = read_configurations(files / "bare.xyz"), read_configurations("out.xyz")
    assert figures["outcome"] == ["converged"] * len(given)
    assert len(figures["n_steps"]) == len(given)
    assert max(figures["largest_force"]) < 0.01
    np.testing.assert_array_equal(relaxed.identifier, given.identifier)
    assert np.abs(relaxed.forces).max() < 0.01
    # six rattled fcc cells, one minimum
    energy = relaxed.energy / relaxed.n_atoms
    np.testing.assert_allclose(energy, energy[0], atol=1e-3)


def test_settings_are_taken_and_wrong_ones_refused(copper, files, alpot, tmp_path):
    words = ["relax", copper / "cu.mtp", files / "bare.xyz", "-o", "out.npz", "--set"]
    result = alpot(*words, "cell=fixed", "steps=2", "fmax=1e-6")
    assert result.exit_code == 0, result.output
    assert "6  unconverged" in result.output
    before, after = read_configurations(files / "bare.xyz"), read_configurations("out.npz")
    np.testing.assert_array_equal(after.cells, before.cells)
    for wrong in ("cell=round", "speed=1"):
        result = alpot(*words, wrong)
        assert result.exit_code != 0
        assert wrong.split("=", maxsplit=1)[0] in result.output


def test_structures_stop_where_they_extrapolate(copper, files, figures_of):
    asked = ["relax", copper / "cu.mtp", files / "bare.xyz", "-o", "out.npz"]
    graded = [*asked, "--active-set", copper / "active_set.npz", "--set", "gamma_break=1e-6"]
    assert set(figures_of(*graded)["outcome"]) == {"extrapolating"}
    assert (read_configurations("out.npz").grade > 0).all()


def test_the_job_is_the_command(copper, files, alpot, figures_of, tmp_path):
    figures = figures_of("relax", copper / "cu.mtp", files / "bare.xyz", "-o", "out.npz")
    for name, source in (("cu.mtp", copper), ("bare.xyz", files)):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    request = {"schema": 1, "job": "relax", "potential": "cu.mtp", "configurations": "bare.xyz"}
    (tmp_path / "request.json").write_text(json.dumps(request))
    assert alpot("relax", "--request", "request.json").exit_code == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert {name: result[name] for name in figures} == figures
    assert (tmp_path / "relaxed.npz").read_bytes() == (tmp_path / "out.npz").read_bytes()
