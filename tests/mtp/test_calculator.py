# SPDX-License-Identifier: MIT
"""The ASE calculator: same numbers as the engine, a list that lasts, grades, clear refusals."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.filters import UnitCellFilter
from ase.io import read
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import ActiveSetError, GeometryError, SettingError, SpeciesError
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp import MTP, energy_rows, initial_potential, write_potential
from aiida_alpot.mtp.evaluate import evaluate

from .builders import (
    every_structure,
    fcc_rattled,
    random_potential,
    slab_mixed_pbc,
    triclinic_binary,
)


def copper(repeat: int = 2) -> Atoms:
    return bulk("Cu", a=3.61, cubic=True) * (repeat, repeat, repeat)


@pytest.fixture(scope="module")
def copper_potential():
    """A smooth potential: level 8, linear coefficients fitted to EMT."""
    rng = np.random.default_rng(0)
    frames = [copper() for _ in range(16)]
    for index, frame in enumerate(frames):
        frame.set_cell(frame.cell * (0.95 + 0.01 * (index % 11)), scale_atoms=True)
        frame.positions += rng.normal(0.0, 0.12, frame.positions.shape) * (index > 8)
    potential = initial_potential(8, 5.0, species=["Cu"], min_distance=1.8, rng=rng)
    configurations = Configurations.from_atoms(frames)
    n_radial, n = potential.n_radial_parameters, potential.n_parameters
    columns = []
    for index in range(n_radial, n):
        one = potential.with_parameters(
            np.concatenate([potential.parameters[:n_radial], np.eye(n)[index, n_radial:]])
        )
        result = evaluate(one, configurations)
        columns.append(np.concatenate([result.energy, result.forces.ravel()]))
    energies, forces = [], []
    for frame in frames:
        frame.calc = EMT()
        energies.append(frame.get_potential_energy())
        forces.append(frame.get_forces().ravel())
    target = np.concatenate([energies, *forces])
    linear = np.linalg.lstsq(np.array(columns).T, target, rcond=1e-7)[0]
    return potential.with_parameters(np.concatenate([potential.parameters[:n_radial], linear]))


@every_structure
def test_results_are_those_of_the_engine(structure):
    potential = random_potential(10, structure)
    expected = evaluate(potential, Configurations.from_atoms([structure]))
    structure.calc = MTP(potential)
    np.testing.assert_allclose(structure.get_potential_energy(), expected.energy[0], rtol=1e-13)
    np.testing.assert_array_equal(structure.get_potential_energies(), expected.site_energies)
    np.testing.assert_array_equal(structure.get_forces(), expected.forces)
    assert structure.calc.results["free_energy"] == structure.get_potential_energy()
    if structure.pbc.all():
        np.testing.assert_allclose(structure.get_stress(), expected.stress[0], rtol=1e-13)
    else:
        with pytest.raises(PropertyNotImplementedError):
            structure.get_stress()


@every_structure
@pytest.mark.parametrize("deforms", [False, True])
def test_results_do_not_depend_on_the_age_of_the_list(structure, deforms):
    """Along a walk of small steps: a used list, a list for each step, a list with no skin."""
    potential = random_potential(8, structure)
    used = MTP(potential, skin=0.8)
    rng = np.random.default_rng(8)
    n_steps = 40
    for _ in range(n_steps):
        structure.positions += rng.normal(0.0, 0.02, structure.positions.shape)
        if deforms:
            strain = np.eye(3) + rng.normal(0.0, 0.003, (3, 3))
            structure.set_cell(structure.cell.array @ strain, scale_atoms=True)
        used.calculate(structure)
        for other in (MTP(potential, skin=0.8), MTP(potential, skin=0.0)):
            other.calculate(structure)
            assert used.results["energy"] == other.results["energy"]
            np.testing.assert_array_equal(used.results["forces"], other.results["forces"])
            if "stress" in other.results:
                np.testing.assert_array_equal(used.results["stress"], other.results["stress"])
    assert 1 <= used.neighbors.n_builds < n_steps / 2


def test_the_list_is_made_anew_when_atoms_jump_or_the_structure_changes():
    potential = random_potential(6, slab_mixed_pbc())
    calculator = MTP(potential)
    structures = [slab_mixed_pbc(), slab_mixed_pbc()[:7], slab_mixed_pbc(), slab_mixed_pbc()]
    structures[2].pbc = False
    structures[3].positions[4] += [2.0, 0.0, 0.0]
    for count, atoms in enumerate(structures, start=1):
        calculator.calculate(atoms)
        expected = evaluate(potential, Configurations.from_atoms([atoms]))
        np.testing.assert_array_equal(calculator.results["forces"], expected.forces)
        assert calculator.neighbors.n_builds == count
    swapped = structures[3].copy()
    swapped.symbols[[0, 1]] = swapped.symbols[[1, 0]]
    calculator.calculate(swapped)
    expected = evaluate(potential, Configurations.from_atoms([swapped]))
    np.testing.assert_array_equal(calculator.results["forces"], expected.forces)


def test_energy_is_conserved_in_molecular_dynamics(copper_potential):
    atoms = copper(3)
    atoms.calc = MTP(copper_potential)
    thermalize_momenta(atoms, 600.0, rng=np.random.default_rng(1))
    energies = []
    for _ in VelocityVerlet(atoms, 1.0 * units.fs).irun(400):
        energies.append(atoms.get_total_energy())
    assert atoms.get_temperature() > 100.0
    assert atoms.calc.neighbors.n_builds < 100
    assert np.ptp(energies) / len(atoms) < 2e-4
    drift = np.mean(energies[-100:]) - np.mean(energies[:100])
    assert abs(drift) / len(atoms) < 2e-5


def test_a_crystal_relaxes_with_its_cell(copper_potential):
    atoms = copper()
    atoms.rattle(0.1, seed=3)
    atoms.set_cell(atoms.cell * 1.03, scale_atoms=True)
    atoms.calc = MTP(copper_potential)
    optimizer = BFGS(UnitCellFilter(atoms), logfile=None)
    assert optimizer.run(fmax=1e-4, steps=200)
    assert np.abs(atoms.get_forces()).max() < 1e-3
    assert np.abs(atoms.get_stress()).max() < 1e-4
    nearest = atoms.get_all_distances(mic=True)[0, 1:].min()
    assert abs(nearest - 3.6 / np.sqrt(2)) < 0.05


@pytest.mark.parametrize("threads", [1, 3])
def test_grades_are_those_of_the_rows(threads):
    atoms = triclinic_binary() * (5, 5, 5)
    atoms.rattle(0.1, seed=9)
    potential = random_potential(6, triclinic_binary())
    training = Configurations.from_atoms([triclinic_binary() * (2, 1, 1)])
    rows = energy_rows(potential, Configurations.from_atoms([atoms]))
    active_set = build_active_set(potential, training, mode="neighborhood")
    calculator = MTP(potential, active_set=active_set, threads=threads)
    calculator.calculate(atoms)
    grades = calculator.results["grades"]
    np.testing.assert_allclose(grades, active_set.grades(rows), rtol=1e-9)
    assert calculator.results["grade"] == grades.max() > 1.0
    assert calculator.get_property("grade", atoms) == calculator.results["grade"]

    active_set = build_active_set(potential, training, mode="configuration")
    calculator = MTP(potential, active_set=active_set, threads=threads)
    calculator.calculate(atoms)
    mean = rows.mean(axis=0, keepdims=True)
    np.testing.assert_allclose(calculator.results["grade"], active_set.grades(mean)[0], rtol=1e-6)
    assert "grades" not in calculator.results


def test_grading_does_not_change_the_forces():
    atoms = fcc_rattled()
    potential = random_potential(8, atoms)
    active_set = build_active_set(potential, Configurations.from_atoms([atoms]))
    plain, grading = MTP(potential), MTP(potential, active_set=active_set)
    plain.calculate(atoms)
    grading.calculate(atoms)
    for name, value in plain.results.items():
        np.testing.assert_array_equal(grading.results[name], value)
    assert grading.results["grade"] <= 1.0 + 1e-6


def test_potential_and_active_set_come_from_files(tmp_path):
    atoms = triclinic_binary()
    potential = random_potential(6, atoms)
    active_set = build_active_set(potential, Configurations.from_atoms([atoms]))
    write_potential(potential, tmp_path / "potential.mtp")
    active_set.save(tmp_path / "active_set.npz")
    calculators = [
        MTP(potential, active_set=active_set),
        MTP(tmp_path / "potential.mtp", active_set=tmp_path / "active_set.npz"),
        MTP(str(tmp_path / "potential.mtp"), active_set=str(tmp_path / "active_set.npz")),
    ]
    for calculator in calculators:
        calculator.calculate(atoms)
    energies = {calculator.results["energy"] for calculator in calculators}
    grades = {calculator.results["grade"] for calculator in calculators}
    assert len(energies) == len(grades) == 1


def test_a_trajectory_keeps_energy_and_forces(tmp_path):
    atoms = fcc_rattled()
    atoms.calc = MTP(random_potential(4, atoms))
    forces = atoms.get_forces()
    for name in ("frame.traj", "frame.xyz"):
        atoms.write(tmp_path / name)
        again = read(tmp_path / name)
        np.testing.assert_allclose(again.get_forces(), forces, atol=1e-7)
    assert atoms.calc.todict()["species"] == ["Ni"]


def test_the_active_set_of_another_potential_is_refused():
    atoms = fcc_rattled()
    active_set = build_active_set(random_potential(4, atoms), Configurations.from_atoms([atoms]))
    with pytest.raises(ActiveSetError, match="another potential"):
        MTP(random_potential(4, atoms, seed=1), active_set=active_set)


def test_a_species_that_the_potential_lacks_is_named():
    atoms = Atoms("NiH", positions=[[0, 0, 0], [0, 0, 2]])
    with pytest.raises(SpeciesError, match="H is not in the potential"):
        MTP(random_potential(4, fcc_rattled())).calculate(atoms)


@pytest.mark.parametrize("spoil", ["positions", "cell"])
def test_a_structure_that_is_not_finite_is_refused_at_any_age_of_the_list(spoil):
    atoms = fcc_rattled()
    calculator = MTP(random_potential(4, atoms))
    calculator.calculate(atoms)
    spoiled = atoms.copy()
    if spoil == "positions":
        spoiled.positions[2, 0] = np.nan
    else:
        spoiled.cell[1, 1] = np.inf
    for each in (calculator, MTP(calculator.potential)):
        with pytest.raises(GeometryError, match="not finite"):
            each.calculate(spoiled)


def test_atoms_in_one_place_are_refused():
    with pytest.raises(GeometryError, match="coincide"):
        MTP(random_potential(8, fcc_rattled())).calculate(Atoms("Ni2", positions=np.zeros((2, 3))))


def test_a_negative_skin_is_refused():
    with pytest.raises(SettingError, match="skin"):
        MTP(random_potential(4, fcc_rattled()), skin=-0.1)


def test_close_pairs_are_reported_once(caplog):
    calculator = MTP(random_potential(4, fcc_rattled()))
    with caplog.at_level(logging.WARNING):
        for distance in (1.6, 1.4, 1.3):
            calculator.calculate(Atoms("Ni2", positions=[[0, 0, 0], [0, 0, distance]]))
    messages = [record.message for record in caplog.records if "min_distance" in record.message]
    assert len(messages) == 1
    assert "1.400 A" in messages[0]
