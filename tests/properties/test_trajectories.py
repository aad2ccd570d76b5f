# SPDX-License-Identifier: MIT
"""Errors along trajectories are the true ones."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.units import GPa

from aiida_alpot.errors import SettingError
from aiida_alpot.properties import (
    PropertyError,
    StabilitySettings,
    TrajectoryErrorsSettings,
    measure,
    stability,
    trajectory_errors,
)


class OffsetEMT(EMT):
    """EMT that is wrong by known amounts; its grade is the largest displacement over 0.1 A."""

    def __init__(self, sites):
        super().__init__()
        self.sites = sites.positions

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        super().calculate(atoms, properties, system_changes)
        self.results["energy"] += 0.002 * len(atoms)
        self.results["free_energy"] = self.results["energy"]
        forces = self.results["forces"].copy()
        forces[3] += [0.03, 0.04, 0.0]
        forces[4] -= [0.03, 0.04, 0.0]
        self.results["forces"] = forces
        self.results["stress"] = self.results["stress"] + [0.5 * GPa, 0, 0, 0, 0, 0]
        moved = np.linalg.norm(atoms.positions - self.sites, axis=1).max()
        self.results["grade"] = float(moved / 0.1)


@pytest.fixture
def copper():
    return bulk("Cu", a=3.6, cubic=True) * (2, 2, 2)


def test_errors_along_a_trajectory_are_those_that_were_put_in(copper):
    settings = TrajectoryErrorsSettings(temperature_K=600, steps=40, equilibration=20, every=10)
    found = trajectory_errors(OffsetEMT(copper), copper, settings, reference=EMT())
    assert found.n_frames == 4
    assert 200 < found.mean_temperature_K < 1000
    assert found.energy_rmse_meV_per_atom == pytest.approx(2.0)
    assert found.energy_mae_meV_per_atom == pytest.approx(2.0)
    assert found.largest_force_error_eV_per_A == pytest.approx(0.05)
    assert found.forces_rmse_eV_per_A == pytest.approx(np.sqrt(2 * 0.0025 / 96))
    assert found.forces_mae_eV_per_A == pytest.approx(2 * 0.07 / 96)
    assert found.stress_rmse_GPa == pytest.approx(0.5 / np.sqrt(6))


def test_the_trajectory_is_that_of_the_reference(copper):
    class Exploding(OffsetEMT):
        def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
            super().calculate(atoms, properties, system_changes)
            self.results["forces"] = self.results["forces"] * -20

    settings = TrajectoryErrorsSettings(steps=10, equilibration=0, every=10)
    found = trajectory_errors(Exploding(copper), copper, settings, reference=EMT())
    assert found.n_frames == 1
    with pytest.raises(PropertyError, match="broke off"):
        trajectory_errors(
            EMT(),
            copper,
            TrajectoryErrorsSettings(steps=100, equilibration=0),
            reference=Exploding(copper),
        )


def test_a_run_counts_the_frames_beyond_the_thresholds(copper):
    settings = StabilitySettings(
        temperature_K=900, steps=60, every=20, gamma_select=2.0, gamma_break=3.0
    )
    found = stability(OffsetEMT(copper), copper, settings, reference=EMT())
    assert (found.completed, found.steps, found.n_frames, found.n_graded) == (True, 60, 61, 61)
    assert 0 < found.n_above_gamma_break < found.n_above_gamma_select < 61
    assert found.largest_grade > 3.0  # it goes on beyond gamma_break
    assert found.n_compared == 4
    assert found.largest_force_error_eV_per_A == pytest.approx(0.05)
    assert found.forces_rmse_eV_per_A == pytest.approx(np.sqrt(2 * 0.0025 / 96))
    assert found.energy_rmse_meV_per_atom == pytest.approx(2.0)


def test_without_a_reference_nothing_is_compared(copper):
    found = stability(EMT(), copper, StabilitySettings(steps=5, ensemble="npt"))
    assert (found.n_compared, found.n_graded) == (0, 0)
    assert np.isnan(found.largest_force_error_eV_per_A)
    assert np.isnan(found.largest_grade)


def test_the_generator_decides_the_trajectory(copper):
    settings = {"steps": 10, "equilibration": 0, "every": 5}

    def mean_temperature(seed):
        rng = np.random.default_rng(seed)
        found = measure("trajectory_errors", EMT(), copper, settings, reference=EMT(), rng=rng)
        return found.mean_temperature_K

    assert mean_temperature(1) == mean_temperature(1) != mean_temperature(2)


def test_errors_along_a_trajectory_need_a_reference(copper):
    with pytest.raises(SettingError, match="give the key 'reference'"):
        measure("trajectory_errors", EMT(), copper, {})


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("melting", {}, "Unknown property 'melting'; allowed are equation_of_state, elastic"),
        ("vacancy", {"sites": 3}, "Unknown key 'sites' of property 'vacancy'"),
        ("stability", {"gamma_select": 20}, "positive and at most gamma_break"),
        ("trajectory_errors", {"every": 5000}, "from 1 to the number of steps"),
        ("trajectory_errors", {"temperature_K": 0}, "'temperature_K' is 0.0; it must be above"),
    ],
)
def test_wrong_settings_are_refused_in_words(copper, kind, settings, message):
    with pytest.raises(SettingError) as raised:
        measure(kind, EMT(), copper, settings, reference=EMT())
    assert message in str(raised.value)
