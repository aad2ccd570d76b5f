# SPDX-License-Identifier: MIT
"""Fits from data to a potential."""

import os
import signal

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import EmptyDataError, LabelError, SettingError, SpeciesError
from aiida_alpot.fitting.fit import fit_potential, require_disjoint, start_potential
from aiida_alpot.fitting.loss import LossWeights, loss
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict

from .data import emt_set, labelled_by, random_potential, rattled_cells

LEVEL, CUTOFF = 6, 4.5


@pytest.fixture(scope="module")
def training():
    return emt_set(6, seed=1)


@pytest.fixture(scope="module")
def fitted(training):
    return fit(training)


def fit(training, *, level=LEVEL, seed=0, **settings):
    initial = start_potential(training, level=level, cutoff=CUTOFF, seed=seed)
    return fit_potential(training, initial=initial, **settings)


@pytest.mark.parametrize("species", [("Cu",), ("Au", "Cu")])
def test_a_potential_is_recovered_from_its_own_labels(species):
    truth = random_potential(6, species, seed=3)
    training = labelled_by(truth, rattled_cells(12, seed=1, repeat=1, species=species))
    test = labelled_by(truth, rattled_cells(6, seed=2, repeat=1, species=species))
    initial = start_potential(
        training, level=6, cutoff=truth.cutoff, species=species, min_distance=truth.min_distance
    )
    result = fit_potential(
        training, initial=initial, n_starts=3, tolerance=1e-5, max_iterations=100
    )
    found = errors(test, predict(result.potential, test))
    labels = test.energy.std() / 4 * 1e3
    assert found.energy_rmse < 1e-6 * labels
    assert found.forces_rmse < 1e-6 * np.sqrt(np.mean(test.forces**2))


def test_emt_copper_is_learned_within_half_a_millielectronvolt():
    training = emt_set(12, seed=1, repeat=2, rattle=0.12)
    test = emt_set(6, seed=2, repeat=2, rattle=0.12)
    initial = start_potential(training, level=8, cutoff=5.0)
    result = fit_potential(training, initial=initial)
    assert result.converged
    found = errors(test, predict(result.potential, test))
    assert found.energy_rmse < 0.5
    assert found.forces_rmse < 0.015
    assert found.stress_rmse < 0.2
    assert found.forces_angle < 1.5


def test_every_step_lowers_the_loss(training, fitted):
    assert fitted.converged
    assert not fitted.interrupted
    assert fitted.n_iterations == len(fitted.loss_history) - 1
    assert (np.diff(fitted.loss_history) < 0.0).all()
    assert fitted.loss == fitted.loss_history[-1]
    assert loss(fitted.potential, training) == pytest.approx(fitted.loss, rel=1e-12)
    assert "converged after" in fitted.message


def test_the_same_inputs_give_the_same_bits(training, fitted):
    for threads in (1, 2):
        again = fit(training, threads=threads)
        assert np.array_equal(again.potential.parameters, fitted.potential.parameters)
        assert again.loss_history == fitted.loss_history
    other = fit(training, seed=1)
    assert not np.array_equal(other.potential.parameters, fitted.potential.parameters)


def test_more_starts_never_end_higher(training, fitted):
    several = fit(training, n_starts=3, seed=0)
    assert several.loss <= fitted.loss
    assert several.n_iterations > fitted.n_iterations


def test_the_limit_of_steps_is_kept_and_said(training):
    result = fit(training, max_iterations=2)
    assert result.n_iterations == 2
    assert not result.converged
    assert "limit of 2 steps" in result.message


@pytest.mark.parametrize("way", ["KeyboardInterrupt", "SIGTERM"])
def test_an_interrupted_fit_returns_the_best_so_far(training, fitted, way):
    handler = signal.getsignal(signal.SIGTERM)

    def interrupt(state):
        if state.iteration == 3:
            if way == "SIGTERM":
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                raise KeyboardInterrupt

    result = fit(training, progress=interrupt)
    assert result.interrupted
    assert not result.converged
    assert "interrupted after 3 steps" in result.message
    assert result.loss_history == fitted.loss_history[:4]
    assert loss(result.potential, training) == pytest.approx(result.loss, rel=1e-12)
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_fit_interrupted_at_once_returns_where_it_started(training, monkeypatch):
    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("aiida_alpot.fitting.search.solve_linear", interrupt)
    initial = start_potential(training, level=LEVEL, cutoff=CUTOFF)
    result = fit_potential(training, initial=initial)
    assert result.interrupted
    assert result.potential is initial


def test_progress_is_reported_for_every_step(training):
    seen = []
    result = fit(training, max_iterations=4, progress=seen.append)
    assert [state.iteration for state in seen] == [0, 1, 2, 3, 4]
    assert tuple(state.loss for state in seen) == result.loss_history


def test_one_configuration_is_enough(training):
    result = fit(training.select([0]))
    found = errors(training.select([0]), predict(result.potential, training.select([0])))
    assert found.energy_rmse < 0.1
    assert found.forces_rmse < 0.01


def test_a_fit_without_errors_ends_and_says_so():
    dimers = [Atoms("Cu2", [[0, 0, 0], [0, 0, distance]]) for distance in np.linspace(2, 4, 6)]
    exact = labelled_by(random_potential(8, seed=1), dimers)
    fit = fit_potential(exact, initial=start_potential(exact, level=8, cutoff=4.5))
    assert fit.converged
    assert fit.n_iterations < 200


def test_energies_alone_are_enough(training):
    bare = training.replace(
        forces=np.full_like(training.forces, np.nan), stress=np.full_like(training.stress, np.nan)
    )
    result = fit(bare, weights=LossWeights(energy=1.0))
    found = errors(bare, predict(result.potential, bare))
    assert found.energy_rmse < 0.1
    assert found.as_dict()["forces"]["rmse_eV_per_A"] is None


def test_masked_forces_have_no_influence_on_the_fit(training):
    mask = training.force_mask.copy()
    mask[[2, 9]] = False
    wrong = training.forces.copy()
    wrong[[2, 9]] = 50.0
    one = fit(training.replace(force_mask=mask), max_iterations=3)
    other = fit(training.replace(force_mask=mask, forces=wrong), max_iterations=3)
    assert np.array_equal(one.potential.parameters, other.potential.parameters)


def test_pairs_that_do_not_occur_keep_their_coefficients(training):
    initial = start_potential(training, level=LEVEL, cutoff=CUTOFF, species=["Ag", "Cu"])
    result = fit_potential(training, initial=initial)
    before, after = initial.radial_coefficients, result.potential.radial_coefficients
    assert np.array_equal(after[0], before[0])
    assert np.array_equal(after[1, 0], before[1, 0])
    assert not np.array_equal(after[1, 1], before[1, 1])
    assert result.potential.species_coefficients[0] == 0.0
    assert errors(training, predict(result.potential, training)).energy_rmse < 2.0


def test_isolated_atoms_set_the_constants():
    cells = [Atoms("Cu", cell=[15, 15, 15], pbc=True), Atoms("Au", positions=[[0, 0, 0]])]
    atoms = Configurations.from_atoms(cells).replace(energy=np.array([-1.5, -2.5]))
    initial = start_potential(atoms, level=2, cutoff=CUTOFF, species=["Cu", "Au"])
    result = fit_potential(atoms, initial=initial)
    np.testing.assert_allclose(result.potential.species_coefficients, [-1.5, -2.5], rtol=1e-9)


def test_unusable_training_sets_are_refused(training):
    with pytest.raises(EmptyDataError, match="no configuration"):
        fit(training.select([]))
    with pytest.raises(LabelError, match="no energy and no forces"):
        fit(concatenate([training, training.select([0]).without_labels()]))
    bare = training.replace(energy=np.full(6, np.nan))
    with pytest.raises(LabelError, match="No label of the training set has a weight"):
        fit(bare, weights=LossWeights(energy=1.0, force=0.0, stress=0.0))
    initial = start_potential(training, level=LEVEL, cutoff=CUTOFF)
    gold = Configurations.from_atoms(rattled_cells(1, species=["Au"])).replace(energy=np.zeros(1))
    with pytest.raises(SpeciesError, match="Au is not in the potential"):
        fit_potential(gold, initial=initial)


@pytest.mark.parametrize(
    "settings", [{"n_starts": 0}, {"max_iterations": 0}, {"threads": 0}, {"tolerance": -1.0}]
)
def test_senseless_settings_are_refused(training, settings):
    with pytest.raises(SettingError, match=f"{next(iter(settings))} is"):
        fit(training, **settings)


def test_a_test_set_is_never_trained_on(training):
    test = emt_set(2, seed=9)
    require_disjoint(training, {"held out": test})
    with pytest.raises(SettingError, match=r"Configuration 2 .* of the test set 'mixed'"):
        require_disjoint(training, {"mixed": concatenate([test, training.select([4])])})


def test_predictions_part_by_part_are_those_at_once(training, fitted):
    at_once = predict(fitted.potential, training)
    in_parts = predict(fitted.potential, training, atoms_per_part=5)
    for name in ("energy", "site_energies", "forces", "stress"):
        assert np.array_equal(getattr(at_once, name), getattr(in_parts, name))
    assert len(predict(fitted.potential, training.select([])).energy) == 0
