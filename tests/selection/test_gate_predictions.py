# SPDX-License-Identifier: MIT
"""The gate asks the potential what it predicts of candidates that bring no predictions."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.prediction import labelled_with
from aiida_alpot.jobs.requests import file_in
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.mlip_files import write_potential
from aiida_alpot.selection.gate import GateSettings, gate


@pytest.fixture(scope="module")
def known(make_cells, potential):
    cells = make_cells(4, rattle=0.03, repeats=(2,))
    return labelled_with(cells, evaluate(potential, cells))


@pytest.fixture(scope="module")
def candidates(make_cells):
    return make_cells(12, rattle=0.1, repeats=(2,), seed=7)


@pytest.fixture(scope="module")
def predicted(candidates, potential):
    return evaluate(potential, candidates)


@pytest.fixture(scope="module")
def cap(candidates, predicted):
    """The median of the largest forces, above which six of the twelve candidates are."""
    sizes = np.linalg.norm(predicted.forces, axis=1)
    return float(np.median(np.maximum.reduceat(sizes, candidates.offsets[:-1])))


def rules_of(candidates, known, potential, **settings):
    settings = {"max_force": None, "fragment_factor": None, **settings}
    verdicts = gate(candidates, known, GateSettings(**settings), potential=potential)
    return np.array([verdict.rule for verdict in verdicts])


def test_the_cap_on_forces_is_on_what_the_potential_predicts(
    candidates, known, potential, predicted, cap
):
    sizes = np.linalg.norm(predicted.forces, axis=1)
    largest = np.maximum.reduceat(sizes, candidates.offsets[:-1])
    rules = rules_of(candidates, known, potential, max_force=cap)
    np.testing.assert_array_equal(rules == "force", largest > cap)
    assert (rules == "force").sum() == 6
    assert not (rules_of(candidates, known, None, max_force=cap) == "force").any()


def test_the_window_of_energies_is_above_the_lowest_known_one(
    candidates, known, potential, predicted
):
    above = predicted.energy / candidates.n_atoms - (known.energy / known.n_atoms).min()
    window = float(np.median(above))
    assert window > 0
    rules = rules_of(candidates, known, potential, max_energy_above=window)
    np.testing.assert_array_equal(rules == "energy", above > window)


def test_energies_that_candidates_bring_are_taken_as_they_are(candidates, known, potential):
    high = candidates.replace(energy=np.full(len(candidates), 1e6))
    assert (rules_of(high, known, potential, max_energy_above=1.0) == "energy").all()


def test_without_labels_there_is_no_window(candidates, known, potential):
    bare = known.without_labels()
    assert not (rules_of(candidates, bare, potential, max_energy_above=1e-9) == "energy").any()


def test_what_cannot_be_evaluated_spoils_nothing(candidates, known, potential):
    coincident = candidates.positions.copy()
    coincident[1] = coincident[0]
    broken = candidates.replace(positions=coincident)
    rules = rules_of(
        broken, known, potential, max_force=1e-6, min_distance_factor=0.0, min_thickness=None
    )
    assert rules[0] != "force"
    assert (rules[1:] == "force").all()


@pytest.fixture
def folder(tmp_path, candidates, known, potential):
    write_potential(potential, tmp_path / "potential.mtp")
    candidates.save(tmp_path / "candidates.npz")
    known.save(tmp_path / "training.npz")
    return tmp_path


def test_the_job_asks_its_potential_and_keeps_no_prediction_as_label(run_job, folder, known, cap):
    result = run_job(
        folder,
        job="select",
        potential="potential.mtp",
        candidates=["candidates.npz"],
        training=["training.npz"],
        threshold=1.0,
        gate={"max_force": cap, "fragment_factor": None},
    )
    assert result["verdicts"]["force"] == 6
    selected = Configurations.load(file_in(folder, "selected.npz"))
    assert len(selected) > 0
    assert not selected.labelled.any()
    assert len(concatenate([selected, known])) == len(selected) + 4
