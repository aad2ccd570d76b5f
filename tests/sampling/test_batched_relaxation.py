# SPDX-License-Identifier: MIT
"""Structures relaxed together reach what each reaches alone, and end each on its own."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import ActiveSetError, GeometryError, SettingError, SpeciesError
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.grading import ExtrapolationGrader, build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.sampling.batched.minimizer import BatchedMinimizer
from aiida_alpot.sampling.batched.relaxation import BatchedRelaxationSettings, relax_together

MIN_DISTANCE = 1.9


def rattled(index: int, *, strain: float = 0.03, amplitude: float = 0.08) -> Atoms:
    """One of three crystals in a cell of 2 to 6 atoms, strained and rattled."""
    rng = np.random.default_rng(index)
    lattice, constant, repeat = [
        ("fcc", 3.6, (2, 2, 1)),
        ("bcc", 2.87, (3, 1, 2)),
        ("hcp", 2.55, (1, 1, 1)),
    ][index % 3]
    atoms = bulk("Cu", lattice, a=constant) * repeat
    atoms.set_cell(
        atoms.cell.array @ (np.eye(3) + rng.uniform(-strain, strain, (3, 3))), scale_atoms=True
    )
    atoms.rattle(amplitude, rng=rng)
    return atoms


@cache
def trained():
    """A potential of level 6 for the three crystals, and its training set."""
    labelled = []
    for index in range(12):
        atoms = rattled(index, strain=0.05, amplitude=0.12) * (2, 1, 1)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
        labelled.append(atoms)
    training = Configurations.from_atoms(labelled, level_of_theory='{"calculator":"EMT"}')
    initial = initial_potential(
        6, 4.5, species=["Cu"], min_distance=MIN_DISTANCE, rng=np.random.default_rng(0)
    )
    return fit_potential(training, initial=initial, max_iterations=40).potential, training


@cache
def starts(n: int = 24) -> Configurations:
    return Configurations.from_atoms([rattled(100 + index) for index in range(n)])


def relax(configurations, *, active_set=None, threads=1, **settings):
    given = BatchedRelaxationSettings(**settings)
    potential = trained()[0]
    return relax_together(potential, configurations, given, active_set=active_set, threads=threads)


@pytest.mark.parametrize("cell", ["fixed", "flexible"])
def test_energies_are_those_of_one_by_one(cell):
    result = relax(starts(), cell=cell, fmax=0.003)
    assert set(result.outcome) == {"converged"}
    for index in range(0, len(starts()), 4):
        atoms = starts().atoms(index)
        atoms.calc = MTP(trained()[0])
        moved = FrechetCellFilter(atoms) if cell == "flexible" else atoms
        BFGS(moved, logfile=None).run(fmax=0.003, steps=300)
        expected = atoms.get_potential_energy() / len(atoms)
        found = result.configurations.energy[index] / len(atoms)
        assert found == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("cell", ["fixed", "isotropic", "flexible"])
def test_results_are_those_of_the_calculator_where_the_structures_stopped(cell):
    result = relax(starts(), cell=cell)
    for index in range(0, len(starts()), 5):
        labelled = result.configurations.atoms(index)
        atoms = Atoms(labelled)
        atoms.calc = MTP(trained()[0])
        assert labelled.get_potential_energy() == pytest.approx(atoms.get_potential_energy())
        np.testing.assert_allclose(labelled.get_forces(), atoms.get_forces(), atol=1e-10)
        np.testing.assert_allclose(labelled.get_stress(), atoms.get_stress(), atol=1e-10)
        largest = np.linalg.norm(atoms.get_forces(), axis=1).max()
        assert largest <= result.largest_force[index] * (1 + 1e-12)
        assert result.largest_force[index] < 0.01


@pytest.mark.parametrize("cell", ["isotropic", "flexible"])
def test_the_stress_becomes_minus_the_pressure(cell):
    result = relax(starts(6), cell=cell, pressure_GPa=20.0, fmax=1e-4)
    pressure = -result.configurations.stress[:, :3].mean(axis=1) / units.GPa
    np.testing.assert_allclose(pressure, 20.0, atol=0.01)
    if cell == "flexible":
        shear = result.configurations.stress[:, 3:] / units.GPa
        np.testing.assert_allclose(shear, 0.0, atol=0.01)
    relaxed = relax(starts(6), cell=cell, fmax=1e-4)
    assert (result.configurations.volumes < relaxed.configurations.volumes).all()


def test_an_isotropic_cell_keeps_its_shape_and_a_fixed_one_stays():
    before = starts(6)
    after = relax(before, cell="isotropic").configurations
    ratio = after.cells / np.where(before.cells == 0.0, 1.0, before.cells)
    growth = np.cbrt(after.volumes / before.volumes)
    np.testing.assert_allclose(after.cells, growth[:, None, None] * before.cells, atol=1e-12)
    assert ratio.shape == before.cells.shape
    fixed = relax(before, cell="fixed").configurations
    np.testing.assert_array_equal(fixed.cells, before.cells)


def test_structures_do_not_see_each_other():
    together = relax(starts())
    for index in (0, 7, 23):
        alone = relax(starts().select([index]))
        assert alone.outcome[0] == together.outcome[index]
        energy = alone.configurations.energy[0]
        assert energy == pytest.approx(together.configurations.energy[index], abs=1e-6)


def test_the_number_of_threads_does_not_matter():
    one, two = relax(starts()), relax(starts(), threads=2)
    np.testing.assert_array_equal(one.configurations.positions, two.configurations.positions)
    np.testing.assert_array_equal(one.n_steps, two.n_steps)


def test_energies_only_fall():
    """A start far from any minimum, in few steps as in many."""
    start = Configurations.from_atoms([rattled(index, amplitude=0.25) for index in range(12)])
    energies = [
        relax(start, steps=steps, fmax=1e-3).configurations.energy for steps in (1, 2, 4, 8, 16, 64)
    ]
    assert (np.diff(energies, axis=0) <= 1e-7).all()


def test_steps_are_limited_structure_by_structure():
    result = relax(starts(), steps=7, fmax=0.02)
    assert result.n_steps.max() == 7
    assert (result.n_steps[result.outcome == "unconverged"] == 7).all()
    assert (result.largest_force[result.outcome == "unconverged"] >= 0.02).all()
    assert result.count("converged") + result.count("unconverged") == len(starts())
    relaxed = relax(starts()).configurations
    assert (relax(relaxed).n_steps == 1).all()


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_a_structure_that_extrapolates_stops_there_and_no_other(mode):
    potential = trained()[0]
    known = Configurations.from_atoms(
        [rattled(index, strain=0.05, amplitude=0.12) for index in range(80)]
    )
    active_set = build_active_set(potential, known, mode=mode)
    far = rattled(3)
    far.set_cell(far.cell.array * 1.25, scale_atoms=True)
    start = Configurations.from_atoms([rattled(0), far, rattled(6)])
    limit = 5.0
    result = relax(start, active_set=active_set, gamma_break=limit)
    assert list(result.outcome[[0, 2]]) == ["converged", "converged"]
    assert result.outcome[1] == "extrapolating"
    grades = ExtrapolationGrader(potential, active_set).grade(result.configurations)
    np.testing.assert_allclose(
        result.configurations.grade, grades.per_configuration, rtol=1e-6, atol=1e-6
    )
    assert result.configurations.grade[1] >= limit > result.configurations.grade[[0, 2]].max()
    free = relax(start)
    assert np.isnan(free.configurations.grade).all()


def test_structures_below_the_smallest_distance_that_is_known_are_stopped():
    close = rattled(0)
    close.positions[1] = close.positions[0] + [0.0, 0.0, 0.9 * MIN_DISTANCE]
    result = relax(Configurations.from_atoms([close, rattled(6)]))
    assert list(result.outcome) == ["too close", "converged"]
    assert result.n_steps[0] == 1


def test_a_cell_that_blows_up_is_given_up():
    result = relax(starts(3), pressure_GPa=-2000.0, max_step=2.0)
    assert set(result.outcome) <= {"collapsed", "too close", "unconverged"}
    assert np.isfinite(result.configurations.positions).all()


def test_a_cluster_relaxes_in_a_fixed_cell_only():
    cluster = Atoms("Cu4", positions=[[0, 0, 0], [2.6, 0, 0], [0, 2.6, 0], [0, 0, 2.6]])
    both = Configurations.from_atoms([rattled(0), cluster])
    with pytest.raises(GeometryError, match="Choose cell: fixed"):
        relax(both)
    result = relax(both, cell="fixed")
    assert np.isnan(result.configurations.stress[1]).all()
    assert (
        result.configurations.energy[1]
        < relax(both, cell="fixed", steps=1).configurations.energy[1]
    )


def test_nothing_relaxes_to_nothing():
    result = relax(Configurations.empty())
    assert len(result.configurations) == len(result.outcome) == 0


def test_wrong_input_is_refused():
    with pytest.raises(SpeciesError, match="Al"):
        relax(Configurations.from_atoms([bulk("Al")]))
    with pytest.raises(SettingError, match="pressure_GPa"):
        BatchedRelaxationSettings(cell="fixed", pressure_GPa=1.0)
    with pytest.raises(SettingError, match="steps"):
        BatchedRelaxationSettings(steps=0)
    potential, training = trained()
    other = potential.with_parameters(1.1 * potential.parameters)
    with pytest.raises(ActiveSetError):
        relax(starts(), active_set=build_active_set(other, training))


def test_many_quadratic_functions_are_minimised_each_by_its_own_curvature():
    rng = np.random.default_rng(0)
    sizes = np.array([1, 3, 12, 5])
    matrices = []
    for size in sizes:
        basis = np.linalg.qr(rng.standard_normal((size, size)))[0]
        matrices.append(basis @ np.diag(np.geomspace(0.5, 40.0, size)) @ basis.T)
    offsets = np.cumsum(np.append(0, sizes))

    def gradient(x: np.ndarray) -> np.ndarray:
        parts = zip(matrices, np.split(x, offsets[1:-1]), strict=True)
        return np.concatenate([matrix @ part for matrix, part in parts])

    minimizer = BatchedMinimizer(sizes, longest_step=1.0)
    x = rng.standard_normal(sizes.sum())
    now = gradient(x)
    for _ in range(60):
        step = minimizer.propose(now, np.ones(len(x)))
        assert np.abs(step).max() <= 1.0 + 1e-12
        x = x + step
        minimizer.learn(step, gradient(x) - now, np.ones(len(sizes), bool))
        now = gradient(x)
    np.testing.assert_allclose(x, 0.0, atol=1e-6)
