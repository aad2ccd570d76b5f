# SPDX-License-Identifier: MIT
"""Contour exploration holds the energy and moves on."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.optimize import BFGS

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.rigid_motions import remove_rigid_motions
from aiida_alpot.sampling.trajectories.contour_exploration import ContourExploration
from aiida_alpot.testing.samplers import SamplerContract


def explore(atoms, calculator=None, *, seed=0, **settings):
    sampler = make_sampler("contour_exploration", settings)
    return sampler.frames([atoms], calculator or EMT(), np.random.default_rng(seed))


class TestContract(SamplerContract):
    def make_sampler(self):
        return make_sampler(
            "contour_exploration", {"steps": 15, "energy_above_start_eV_per_atom": [0.02, 0.05]}
        )


def test_aluminium_is_held_164_mev_above_its_minimum_while_it_wanders_off():
    atoms = bulk("Al", a=3.9943, cubic=True) * (3, 3, 3)
    energies, places = [], []
    for frame in explore(atoms, steps=200, energy_above_start_eV_per_atom=0.164, max_step_A=1.5):
        energies.append(1000 * frame.atoms.calc.results["energy"] / len(atoms))
        places.append(frame.atoms.positions.copy())

    def apart(one, other):
        return np.sqrt(((places[one] - places[other]) ** 2).sum(axis=1).mean())

    deviations = np.array(energies[60:]) - energies[0] - 164
    assert len(energies) == 201
    assert abs(deviations.mean()) < 3.0
    assert np.abs(deviations).max() < 10.0
    assert apart(0, 5) < apart(0, 10) < apart(0, 60)
    assert apart(60, 62) < apart(60, 65) < apart(60, 70)
    # as far from one another as frames of a crystal can be that have nothing in common
    assert apart(60, 200) > 1.25 * apart(0, 200)


@pytest.mark.parametrize("repeats", [(1, 1, 1), (2, 2, 2)])
def test_a_step_of_each_atom_is_as_long_in_cells_of_any_size(repeats):
    atoms = bulk("Cu", cubic=True) * repeats
    atoms.rattle(0.05, seed=1)
    frames = explore(
        atoms,
        steps=25,
        energy_above_start_eV_per_atom=0.0,
        max_step_A=0.02,
        step_of="each_atom",
        displacement_A=0.0,
    )
    places = np.array([frame.atoms.positions.copy() for frame in frames])
    steps = np.sqrt((np.diff(places, axis=0) ** 2).sum(axis=(1, 2)) / len(atoms))
    assert steps.max() == pytest.approx(0.02, rel=1e-9)


def test_the_energy_follows_a_ramp(copper):
    first, *_, last = (
        frame.atoms.get_potential_energy() / len(copper)
        for frame in explore(
            copper, steps=80, energy_above_start_eV_per_atom=[0.0, 0.1], max_step_A=0.8
        )
    )
    assert last - first == pytest.approx(0.1, abs=0.01)


def test_an_absolute_energy_is_reached_from_above(copper):
    copper.rattle(0.2, seed=3)
    *_, last = explore(copper, steps=40, energy_eV_per_atom=0.1, max_step_A=0.8)
    assert last.atoms.get_potential_energy() / len(copper) == pytest.approx(0.1, abs=0.01)


def test_a_molecule_is_not_turned_as_a_whole():
    ethane = molecule("C2H6")
    BFGS(with_emt(ethane), logfile=None).run(fmax=0.01)
    *_, last = explore(ethane, steps=60, energy_above_start_eV_per_atom=0.05, max_step_A=0.2)
    moved = last.atoms.positions - ethane.positions
    turned = moved - remove_rigid_motions(ethane, moved)
    assert np.linalg.norm(moved) > 0.3
    assert np.linalg.norm(turned) < 0.3 * np.linalg.norm(moved)


def with_emt(atoms):
    atoms.calc = EMT()
    return atoms


def test_rigid_motions_are_translations_and_rotations():
    atoms = molecule("C2H6")
    arms = atoms.positions - atoms.positions.mean(axis=0)
    rigid = np.cross([0.3, -0.2, 0.5], arms) + np.array([1.0, 2.0, -3.0])
    np.testing.assert_allclose(remove_rigid_motions(atoms, rigid), 0.0, atol=1e-12)
    noise = np.random.default_rng(0).standard_normal((len(atoms), 3))
    free = remove_rigid_motions(atoms, noise)
    assert np.vdot(free, rigid) == pytest.approx(0.0, abs=1e-12)
    assert np.vdot(free, noise) == pytest.approx(np.vdot(free, free))


def test_the_tangent_of_a_bias_turns_the_way(copper):
    pushed = np.zeros((len(copper), 3))
    pushed[0, 0] = 1.0

    class Pushed(ContourExploration):
        def tangent(self, atoms, tangent, normal):
            return 0.2 * tangent + 0.8 * pushed

    given = {"steps": 40, "energy_above_start_eV_per_atom": 0.1, "max_step_A": 0.8}
    plain = make_sampler("contour_exploration", given)
    moved = []
    for sampler in (plain, Pushed(plain.settings)):
        *_, last = sampler.frames([copper], EMT(), np.random.default_rng(0))
        moved.append(last.atoms.positions[0, 0] - copper.positions[0, 0])
    assert moved[1] > moved[0] + 0.5


def test_a_start_without_forces_ends_with_what_to_do(copper, rng):
    sampler = make_sampler(
        "contour_exploration",
        {"steps": 5, "energy_above_start_eV_per_atom": 0.1, "displacement_A": 0.0},
    )
    pair = Atoms("Cu3", positions=[(0, 0, 0), (20, 0, 0), (0, 20, 0)])
    [chain] = run_sampler(sampler, [pair], EMT(), rng=rng).chains
    assert chain.stop == "calculator"
    assert "Displace the start ('displacement_A' above 0)" in chain.reason


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 5}, "needs one energy to hold"),
        (
            {"steps": 5, "energy_eV_per_atom": 1.0, "energy_above_start_eV_per_atom": 1.0},
            "give either",
        ),
        ({"steps": 5, "energy_eV_per_atom": 1, "parallel_drift": 2}, "'parallel_drift' is 2"),
        ({"steps": 5, "energy_eV_per_atom": 1, "angle_limit_deg": 0}, "'angle_limit_deg' is 0"),
    ],
)
def test_settings_that_say_no_contour_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        make_sampler("contour_exploration", settings)
