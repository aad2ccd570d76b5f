# SPDX-License-Identifier: MIT
"""Molecular dynamics has the physics of its ensemble."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.stopping import kinetic_temperature
from aiida_alpot.sampling.trajectories.molecular_dynamics import draw_velocities


class Springs(Calculator):
    """Every atom tied to its site; the pressure is linear in log(volume).

    Stiffnesses differ, because a thermostat that scales all velocities alike cannot bring equal
    oscillators out of step.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, reference, bulk_modulus=0.6):
        super().__init__()
        self.sites = reference.get_scaled_positions(wrap=False)
        self.volume = reference.get_volume()
        self.stiffness = np.linspace(1.5, 4.5, len(reference))[:, None]
        self.bulk_modulus = bulk_modulus

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        super().calculate(atoms, properties, system_changes)
        cell = atoms.cell.array
        moved = atoms.positions - self.sites @ cell
        log_volume = np.log(atoms.get_volume() / self.volume)
        energy = (self.stiffness * moved**2).sum() / 2
        virial = (self.stiffness * moved).T @ moved
        trace = self.bulk_modulus * self.volume * log_volume * np.eye(3)
        stress = (virial + trace) / atoms.get_volume()
        self.results = {
            "energy": energy + self.bulk_modulus * self.volume * log_volume**2 / 2,
            "forces": -self.stiffness * moved,
            "stress": stress.ravel()[[0, 4, 8, 5, 2, 1]],
        }


def trajectory(atoms, calculator, seed=0, **settings):
    sampler = make_sampler("molecular_dynamics", settings)
    return sampler.frames([atoms], calculator, np.random.default_rng(seed))


@pytest.mark.parametrize("thermostat", ["langevin", "bussi"])
def test_the_kinetic_temperature_is_canonical(copper, thermostat):
    frames = trajectory(
        copper, Springs(copper), temperature_K=600, steps=4000, thermostat=thermostat
    )
    temperatures = [kinetic_temperature(frame.atoms) for frame in frames][500:]
    assert np.mean(temperatures) == pytest.approx(600, rel=0.04)
    # the variance of the kinetic temperature is 2 T^2 / (degrees of freedom)
    assert np.std(temperatures) == pytest.approx(600 * (2 / 93) ** 0.5, rel=0.25)


@pytest.mark.parametrize(("cell", "pressure"), [("isotropic", 0.0), ("flexible", 5.0)])
def test_mean_temperature_and_pressure_are_those_of_the_barostat(copper, cell, pressure):
    frames = trajectory(
        copper,
        Springs(copper),
        temperature_K=600,
        steps=4000,
        ensemble="npt",
        cell=cell,
        pressure_GPa=pressure,
    )
    temperatures, pressures = [], []
    for frame in frames:
        temperatures.append(kinetic_temperature(frame.atoms))
        pressures.append(-frame.atoms.get_stress(include_ideal_gas=True)[:3] / units.GPa)
    assert np.mean(temperatures[500:]) == pytest.approx(600, rel=0.04)
    assert np.mean(pressures[500:]) == pytest.approx(pressure, abs=0.3)
    if cell == "flexible":
        np.testing.assert_allclose(np.mean(pressures[500:], axis=0), pressure, atol=0.6)


@pytest.mark.parametrize("cell", ["isotropic", "flexible"])
def test_the_pressure_follows_a_ramp(copper, cell):
    pressures = [
        -frame.atoms.get_stress(include_ideal_gas=True)[:3].mean() / units.GPa
        for frame in trajectory(
            copper,
            Springs(copper),
            ensemble="npt",
            cell=cell,
            temperature_K=50,
            steps=600,
            timestep_fs=3.0,
            thermostat_time_fs=50.0,
            barostat_time_fs=80.0,
            pressure_GPa=[0.0, 12.0],
        )
    ]
    for part, expected in ((slice(150, 250), 4.0), (slice(450, 550), 10.0)):
        assert np.mean(pressures[part]) == pytest.approx(expected, abs=0.8)


def test_a_pressure_is_refused_where_the_cell_is_fixed():
    with pytest.raises(SettingError, match="0 for nvt, in which the cell is fixed"):
        make_sampler("molecular_dynamics", {"temperature_K": 9, "steps": 1, "pressure_GPa": 1})


def test_a_strained_start_of_copper_reaches_zero_pressure(copper):
    copper.set_cell(copper.cell * 1.02, scale_atoms=True)
    frames = trajectory(copper, EMT(), temperature_K=300, steps=300, ensemble="npt")
    pressures = [
        -np.mean(frame.atoms.get_stress(include_ideal_gas=True)[:3]) / units.GPa for frame in frames
    ]
    assert pressures[0] < -5
    assert np.mean(pressures[150:]) == pytest.approx(0, abs=1.0)


def test_an_isotropic_cell_keeps_its_shape(copper):
    *_, last = trajectory(copper, EMT(), temperature_K=300, steps=20, ensemble="npt")
    ratio = last.atoms.cell.array[0, 0] / copper.cell.array[0, 0]
    assert ratio != 1
    np.testing.assert_allclose(last.atoms.cell.array, ratio * copper.cell.array, atol=1e-10)


def test_constant_energy_conserves_the_energy(copper):
    frames = trajectory(
        copper, EMT(), temperature_K=600, steps=200, ensemble="nve", timestep_fs=1.0
    )
    energies = np.array([frame.atoms.get_total_energy() for frame in frames])
    potential_spread = 0.5  # the energy that goes back and forth, eV
    assert np.abs(energies - energies[0]).max() < 0.002 * potential_spread * len(copper)


@pytest.mark.parametrize(
    "settings", [{}, {"thermostat": "bussi"}, {"ensemble": "nve"}], ids=["langevin", "bussi", "nve"]
)
def test_the_centre_of_mass_stays(settings):
    atoms = bulk("Cu", a=3.6, cubic=True) * (2, 2, 1)
    atoms.symbols[:5] = "Ag"
    *_, last = trajectory(atoms, EMT(), temperature_K=900, steps=30, **settings)
    np.testing.assert_allclose(
        last.atoms.get_center_of_mass(), atoms.get_center_of_mass(), atol=1e-10
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"thermostat": "bussi"}, {"ensemble": "npt"}],
    ids=["langevin", "bussi", "npt"],
)
def test_the_temperature_follows_a_ramp(copper, settings):
    frames = trajectory(
        copper,
        Springs(copper),
        temperature_K=[200, 1000],
        steps=4000,
        thermostat_time_fs=50.0,
        **settings,
    )
    temperatures = np.array([kinetic_temperature(frame.atoms) for frame in frames])
    for begin in range(1000, 4000, 1000):
        middle = 200 + 800 * (begin + 500) / 4000
        assert temperatures[begin : begin + 1000].mean() == pytest.approx(middle, rel=0.1)


def test_velocities_are_drawn_at_the_temperature_without_net_momentum(rng):
    atoms = bulk("Cu", cubic=True) * (5, 5, 5)
    atoms.symbols[::2] = "Al"
    draw_velocities(atoms, 400.0, rng)
    assert kinetic_temperature(atoms) == pytest.approx(400, rel=0.06)
    np.testing.assert_allclose(atoms.get_momenta().sum(axis=0), 0, atol=1e-10)


def test_frames_come_after_the_forces_of_their_geometry_and_before_the_next_step(copper):
    calls = []

    class CountingEMT(EMT):
        def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
            calls.append(atoms.positions.copy())
            super().calculate(atoms, properties, system_changes)

    for frame in trajectory(copper, CountingEMT(), temperature_K=300, steps=5):
        assert len(calls) == frame.step + 1  # exactly one evaluation per step
        np.testing.assert_array_equal(calls[-1], frame.atoms.positions)


def test_a_cluster_has_no_constant_pressure(rng):
    cluster = Atoms("Cu2", positions=[(0, 0, 0), (0, 0, 2.3)])
    cluster.info["identifier"] = "dimer"
    sampler = make_sampler(
        "molecular_dynamics", {"temperature_K": 300, "steps": 5, "ensemble": "npt"}
    )
    with pytest.raises(GeometryError, match=r"dimer is not periodic.*Use nvt"):
        run_sampler(sampler, [cluster], EMT(), rng=rng)


def test_a_cluster_runs_at_constant_temperature(rng):
    cluster = Atoms("Cu3", positions=[(0, 0, 0), (0, 0, 2.4), (0, 2.1, 1.2)])
    sampler = make_sampler("molecular_dynamics", {"temperature_K": 100, "steps": 20})
    [chain] = run_sampler(sampler, [cluster], EMT(), rng=rng).chains
    assert chain.completed
    assert np.isnan(chain.final_volume)


@pytest.mark.parametrize("settings", [{}, {"thermostat": "bussi"}, {"ensemble": "nve"}])
def test_one_atom_has_no_motion_but_with_its_cell(settings, rng):
    sampler = make_sampler("molecular_dynamics", {"temperature_K": 300, "steps": 3, **settings})
    with pytest.raises(GeometryError, match=r"is one atom, .* Repeat its cell"):
        run_sampler(sampler, [bulk("Cu")], EMT(), rng=rng)
    npt = {"temperature_K": 300, "steps": 3, "ensemble": "npt"}
    [chain] = run_sampler(
        make_sampler("molecular_dynamics", npt), [bulk("Cu")], EMT(), rng=rng
    ).chains
    assert chain.completed
