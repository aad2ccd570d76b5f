# SPDX-License-Identifier: MIT
"""Fits on top of a ZBL core: what it explains is taken off the labels and comes back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting import LossWeights, errors, fit_potential, start_potential
from aiida_alpot.fitting.loss import loss
from aiida_alpot.fitting.start import warm_start
from aiida_alpot.mtp import MTP
from aiida_alpot.mtp.compression import find_hollows
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.mlip_files import dump_potential, parse_potential
from aiida_alpot.mtp.repulsion import core_of_training
from aiida_alpot.mtp.zbl import CorePair, ZblCore

from .data import emt_set, labelled_by, random_potential, rattled_cells

WIDE = ZblCore((CorePair("Cu", "Cu", 1.4, 2.7),))


def test_labels_of_a_potential_with_a_core_are_fitted_exactly():
    """Pairs of the data lie where the repulsion ends and the radial functions fade."""
    truth = random_potential(6).with_core(WIDE)
    training = labelled_by(truth, rattled_cells(8, seed=1))
    bare = labelled_by(dataclasses.replace(truth, core=None), rattled_cells(8, seed=1))
    assert np.abs(training.energy - bare.energy).min() > 0.1
    linear = truth.parameters
    linear[truth.n_radial_parameters :] = 0.0
    fit = fit_potential(training, initial=truth.with_parameters(linear), max_iterations=3)
    assert fit.potential.core == truth.core
    found = errors(training, evaluate(fit.potential, training))
    assert found.energy_rmse < 0.01
    assert found.forces_rmse < 1e-3
    assert loss(fit.potential, training) == pytest.approx(fit.loss, rel=1e-6, abs=1e-14)


def test_a_core_below_the_data_leaves_the_fit_as_it_is():
    training = emt_set(6, seed=2)
    initial = start_potential(training, level=6, cutoff=4.5)
    core = core_of_training(training, initial.species, initial.cutoff)
    plain = fit_potential(training, initial=initial, max_iterations=3)
    cored = fit_potential(training, initial=initial.with_core(core), max_iterations=3)
    np.testing.assert_array_equal(cored.potential.parameters, plain.potential.parameters)
    assert cored.loss == plain.loss
    assert cored.potential.core == core
    assert plain.potential.core is None
    again = parse_potential(dump_potential(cored.potential))
    np.testing.assert_array_equal(
        evaluate(again, training).forces, evaluate(plain.potential, training).forces
    )


def test_absent_labels_stay_absent():
    truth = random_potential(4).with_core(WIDE)
    training = labelled_by(truth, rattled_cells(4, seed=3))
    blank = np.full_like(training.forces, np.nan)
    energies_only = training.replace(forces=blank, stress=np.full((4, 6), np.nan))
    weights = LossWeights(energy=1.0, force=0.01, stress=0.001)
    assert loss(truth, energies_only, weights) == pytest.approx(loss(truth, training, weights))
    fit = fit_potential(energies_only, initial=truth, max_iterations=1)
    np.testing.assert_allclose(
        evaluate(fit.potential, energies_only).energy, training.energy, atol=1e-3
    )


def test_a_warm_start_keeps_the_core_and_what_it_predicts():
    training = labelled_by(random_potential(4), rattled_cells(3, seed=4))
    parent = random_potential(4).with_core(WIDE)
    larger = warm_start(parent, level=8, species=("Cu", "Ag"))
    assert larger.core.pair("Cu", "Cu") == WIDE.pairs[0]
    one, other = evaluate(parent, training), evaluate(larger, training)
    np.testing.assert_allclose(other.energy, one.energy, rtol=1e-10)
    np.testing.assert_allclose(other.forces, one.forces, atol=1e-9)
    mixed = Configurations.from_atoms(rattled_cells(2, species=("Cu", "Ag")))
    completed = core_of_training(mixed, ("Cu", "Ag"), 4.5, known=larger.core)
    assert completed.pair("Cu", "Cu") == WIDE.pairs[0]
    assert completed.pair("Ag", "Cu").outer < 2.65


def test_an_atom_knocked_on_in_a_crystal_conserves_energy():
    training = emt_set(8, seed=5)
    initial = start_potential(training, level=6, cutoff=4.5)
    core = core_of_training(training, initial.species, initial.cutoff)
    potential = fit_potential(training, initial=initial.with_core(core)).potential
    assert find_hollows(potential, training) == ()
    atoms = bulk("Cu", cubic=True, a=3.6) * (3, 3, 3)
    atoms.calc = MTP(potential)
    velocities = np.zeros((len(atoms), 3))
    # in between the close-packed and the cubic direction, at 300 eV
    velocities[0] = np.array([0.9, 0.4, 0.1]) * np.sqrt(2 * 300 / atoms.get_masses()[0] / 0.98)
    atoms.set_velocities(velocities)
    start, closest, worst = atoms.get_total_energy(), np.inf, 0.0
    dynamics = VelocityVerlet(atoms, units.fs)
    for _ in range(400):
        dynamics.dt = 0.01 / np.linalg.norm(atoms.get_velocities(), axis=1).max()
        dynamics.step()
        closest = min(closest, atoms.calc.neighbors.smallest_distance)
        worst = max(worst, abs(atoms.get_total_energy() - start))
    assert closest < core.pairs[0].inner
    handed_on = atoms.get_kinetic_energy() - atoms[[0]].get_kinetic_energy()
    assert handed_on > 50.0
    assert worst < 1e-4 * 300
