# SPDX-License-Identifier: MIT
"""Errors of a potential against labels."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.units import GPa

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.metrics import errors

CELLS = [
    Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2]], cell=[3, 3, 4], pbc=True),
    Atoms("Cu4", positions=np.arange(12).reshape(4, 3), cell=[9, 9, 9], pbc=True),
]


def labelled(**labels):
    return Configurations.from_atoms(CELLS).replace(**labels)


def prediction(energy=(0.0, 0.0), forces=None, stress=None):
    forces = np.zeros((6, 3)) if forces is None else forces
    stress = np.zeros((2, 6)) if stress is None else stress
    return SimpleNamespace(energy=np.array(energy), forces=forces, stress=stress)


def test_energies_are_compared_per_atom_in_mev():
    result = errors(labelled(energy=np.array([-1.0, 2.0])), prediction((-1.002, 2.012)))
    assert result.energy_rmse == pytest.approx(math.sqrt((1.0**2 + 3.0**2) / 2))
    assert result.energy_mae == pytest.approx(2.0)
    assert (result.n_configurations, result.n_atoms) == (2, 6)


def test_forces_are_compared_per_component():
    forces = np.zeros((6, 3))
    forces[0] = [0.3, 0.0, 0.0]
    forces[3] = [0.0, -0.6, 0.0]
    result = errors(labelled(forces=np.zeros((6, 3))), prediction(forces=forces))
    assert result.forces_rmse == pytest.approx(math.sqrt((0.09 + 0.36) / 18))
    assert result.forces_mae == pytest.approx(0.9 / 18)


def test_stress_is_compared_over_six_components_in_gpa():
    stress = np.zeros((2, 6))
    stress[1, 4] = 2.0 * GPa
    result = errors(labelled(stress=np.zeros((2, 6))), prediction(stress=stress))
    assert result.stress_rmse == pytest.approx(math.sqrt(4.0 / 12))
    assert result.stress_mae == pytest.approx(2.0 / 12)


def test_angles_count_atoms_with_a_labelled_force_only():
    labels = np.zeros((6, 3))
    labels[0] = [1.0, 0.0, 0.0]
    labels[1] = [0.0, 0.5, 0.0]
    labels[2] = [0.0, 0.0, 0.019]  # too small to have a direction
    predicted = np.zeros((6, 3))
    predicted[0] = [2.0, 2.0, 0.0]
    predicted[1] = [0.0, -1.0, 0.0]
    predicted[2] = [5.0, 0.0, 0.0]
    result = errors(labelled(forces=labels), prediction(forces=predicted))
    assert result.forces_angle == pytest.approx((45.0 + 180.0) / 2)


def test_masked_forces_and_absent_labels_do_not_enter():
    labels = np.zeros((6, 3))
    labels[5] = np.nan
    mask = np.ones(6, dtype=bool)
    mask[0] = False
    forces = np.full((6, 3), 0.5)
    forces[[0, 5]] = 100.0
    result = errors(
        labelled(forces=labels, force_mask=mask, energy=np.array([np.nan, 1.0])),
        prediction((7.0, 1.004), forces),
    )
    assert result.forces_rmse == pytest.approx(0.5)
    assert result.energy_rmse == pytest.approx(1.0)


def test_what_cannot_be_compared_is_null_in_json():
    assert errors(Configurations.from_atoms(CELLS), prediction()).as_dict() == {
        "n_configurations": 2,
        "n_atoms": 6,
        "energy": {"rmse_meV_per_atom": None, "mae_meV_per_atom": None},
        "forces": {"rmse_eV_per_A": None, "mae_eV_per_A": None, "mean_angle_deg": None},
        "stress": {"rmse_GPa": None, "mae_GPa": None},
    }
