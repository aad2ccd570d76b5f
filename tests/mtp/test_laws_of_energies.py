# SPDX-License-Identifier: MIT
"""What holds for the energy of any potential: derivatives, symmetries, locality."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError, SpeciesError
from aiida_alpot.mtp.evaluate import Evaluation, evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential

from .builders import (
    CUTOFF,
    central_difference,
    every_structure,
    fcc_rattled,
    random_potential,
    slab_mixed_pbc,
    small_ternary,
    triclinic_binary,
)

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def evaluate_atoms(potential: MomentTensorPotential, *structures: Atoms) -> Evaluation:
    return evaluate(potential, Configurations.from_atoms(list(structures)))


def displaced(atoms: Atoms, steps: np.ndarray) -> list[Atoms]:
    copies = [atoms.copy() for _ in steps]
    for copy, step in zip(copies, steps, strict=True):
        copy.positions += step.reshape(-1, 3)
    return copies


def strained(atoms: Atoms, steps: np.ndarray) -> list[Atoms]:
    copies = [atoms.copy() for _ in steps]
    for copy, step in zip(copies, steps, strict=True):
        strain = np.zeros((3, 3))
        for component, (a, b) in zip(step, VOIGT, strict=True):
            strain[a, b] += component / 2
            strain[b, a] += component / 2
        copy.set_cell(copy.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return copies


def assert_derivatives(potential: MomentTensorPotential, atoms: Atoms) -> None:
    result = evaluate_atoms(potential, atoms)
    gradient = central_difference(
        lambda steps: evaluate_atoms(potential, *displaced(atoms, steps)).energy,
        3 * len(atoms),
        1e-3,
    )
    scale = np.abs(result.forces).max()
    assert scale > 1e-3
    np.testing.assert_allclose(result.forces.ravel(), -gradient, atol=2e-8 * max(1.0, scale))
    if atoms.pbc.all():
        gradient = central_difference(
            lambda steps: evaluate_atoms(potential, *strained(atoms, steps)).energy, 6, 1e-4
        )
        stress = gradient / atoms.get_volume()
        np.testing.assert_allclose(result.stress[0], stress, atol=2e-8 * max(1.0, scale))
    else:
        assert np.isnan(result.stress).all()


@every_structure
@pytest.mark.parametrize("level", [2, 8, 16])
def test_forces_and_stress_are_derivatives_of_the_energy(structure, level):
    assert_derivatives(random_potential(level, structure), structure)


@pytest.mark.parametrize("level", [4, 6, 10, 12, 14, 20])
def test_forces_and_stress_are_derivatives_of_the_energy_at_other_levels(level):
    assert_derivatives(random_potential(level, triclinic_binary()), triclinic_binary())


@every_structure
@pytest.mark.parametrize("level", [6, 12, 16])
@pytest.mark.parametrize("reflection", [False, True])
def test_a_rotated_or_reflected_structure_has_the_same_energy(structure, level, reflection):
    potential = random_potential(level, structure)
    matrix = Rotation.from_euler("xyz", [0.4, -1.1, 2.3]).as_matrix()
    if reflection:
        matrix = matrix @ np.diag([1.0, 1.0, -1.0])
    turned = structure.copy()
    turned.set_cell(structure.cell.array @ matrix.T)
    turned.positions = structure.positions @ matrix.T
    before, after = evaluate_atoms(potential, structure), evaluate_atoms(potential, turned)
    np.testing.assert_allclose(after.energy, before.energy, rtol=1e-11)
    np.testing.assert_allclose(after.forces, before.forces @ matrix.T, atol=1e-9)
    if structure.pbc.all():
        full = _matrix(before.stress[0])
        np.testing.assert_allclose(_matrix(after.stress[0]), matrix @ full @ matrix.T, atol=1e-10)


def _matrix(voigt: np.ndarray) -> np.ndarray:
    xx, yy, zz, yz, xz, xy = voigt
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


@every_structure
def test_the_order_of_atoms_does_not_matter(structure):
    potential = random_potential(12, structure)
    order = np.random.default_rng(3).permutation(len(structure))
    before, after = (
        evaluate_atoms(potential, structure),
        evaluate_atoms(potential, structure[order]),
    )
    np.testing.assert_allclose(after.site_energies, before.site_energies[order], rtol=1e-11)
    np.testing.assert_allclose(after.forces, before.forces[order], atol=1e-10)


@pytest.mark.parametrize("structure", ["slab_mixed_pbc", "small_ternary", "cluster"], indirect=True)
def test_the_order_of_species_does_not_matter(structure):
    potential = random_potential(12, structure)
    order = np.arange(potential.n_species)[::-1]
    relabelled = dataclasses.replace(
        potential,
        species=tuple(potential.species[i] for i in order),
        radial_coefficients=potential.radial_coefficients[np.ix_(order, order)],
        species_coefficients=potential.species_coefficients[order],
    )
    before, after = evaluate_atoms(potential, structure), evaluate_atoms(relabelled, structure)
    np.testing.assert_allclose(after.energy, before.energy, rtol=1e-11)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-10)


def test_equal_coefficients_of_two_species_make_them_one():
    atoms = fcc_rattled()
    single = random_potential(12, atoms)
    double = dataclasses.replace(
        single,
        species=("Ni", "Cu"),
        radial_coefficients=np.tile(single.radial_coefficients, (2, 2, 1, 1)),
        species_coefficients=np.repeat(single.species_coefficients, 2),
    )
    mixed = atoms.copy()
    mixed.symbols[[0, 2]] = "Cu"
    one, two = evaluate_atoms(single, atoms), evaluate_atoms(double, mixed)
    np.testing.assert_allclose(two.site_energies, one.site_energies, rtol=1e-11)
    np.testing.assert_allclose(two.forces, one.forces, atol=1e-10)


@every_structure
def test_a_translation_changes_nothing(structure):
    potential = random_potential(12, structure)
    moved = structure.copy()
    moved.positions += [3.3, -7.1, 12.4]
    if structure.pbc.any():
        moved.wrap()
    before, after = evaluate_atoms(potential, structure), evaluate_atoms(potential, moved)
    np.testing.assert_allclose(after.energy, before.energy, rtol=1e-11)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-9)


@pytest.mark.parametrize("level", [4, 16])
@pytest.mark.parametrize("make", [fcc_rattled, triclinic_binary, small_ternary])
def test_energy_is_extensive(make, level):
    cell = make()
    potential = random_potential(level, cell)
    one, many = evaluate_atoms(potential, cell), evaluate_atoms(potential, cell * (3, 2, 1))
    np.testing.assert_allclose(many.energy, 6 * one.energy, rtol=1e-11)
    np.testing.assert_allclose(many.forces, np.tile(one.forces, (6, 1)), atol=1e-9)
    np.testing.assert_allclose(many.stress, one.stress, atol=1e-10)


@pytest.mark.parametrize("level", [2, 8, 16])
def test_a_pair_leaves_the_cutoff_smoothly(level):
    """Energy goes to zero as the square of the distance that is left, the force in proportion."""
    potential = random_potential(level, fcc_rattled())
    left = np.array([1e-1, 1e-2, 1e-3, 1e-4])
    pairs = [Atoms("Ni2", positions=[[0, 0, 0], [0, 0, CUTOFF - gap]]) for gap in left]
    result = evaluate_atoms(potential, *pairs)
    energy = np.abs(result.energy - 2 * potential.species_coefficients[0])
    force = np.abs(result.forces[::2, 2])
    np.testing.assert_allclose(energy[2:] / left[2:] ** 2, energy[-1] / left[-1] ** 2, rtol=0.1)
    np.testing.assert_allclose(force[2:] / left[2:], force[-1] / left[-1], rtol=0.1)


@pytest.mark.parametrize("level", [2, 8, 16])
def test_energy_and_forces_are_continuous_where_a_neighbor_leaves_a_crowd(level):
    gap = 1e-7
    crowd = np.array([[0.0, 0.0, 0.0], [2.1, 0.2, 0.4], [0.3, 2.2, -0.5], [-0.4, 0.3, 2.3]])
    direction = np.array([0.48, -0.64, 0.6])
    potential = random_potential(level, fcc_rattled())
    inside, outside = (
        Atoms("Ni5", positions=[*crowd, direction * (CUTOFF + sign * gap)]) for sign in (-1, 1)
    )
    near, far = evaluate_atoms(potential, inside), evaluate_atoms(potential, outside)
    np.testing.assert_allclose(near.site_energies[0], far.site_energies[0], atol=1e-9)
    np.testing.assert_allclose(near.forces, far.forces, atol=1e-4)


def test_an_isolated_atom_has_the_energy_of_its_species():
    potential = random_potential(8, slab_mixed_pbc())
    result = evaluate_atoms(
        potential,
        Atoms("Ni"),
        Atoms("Al", cell=[20, 20, 20], pbc=True),
        Atoms("AlNi", positions=[[0, 0, 0], [0, 0, CUTOFF]]),
    )
    aluminium, nickel = potential.species_coefficients
    np.testing.assert_array_equal(result.energy, [nickel, aluminium, aluminium + nickel])
    np.testing.assert_array_equal(result.forces, 0.0)
    np.testing.assert_array_equal(result.stress[1], 0.0)


@pytest.mark.parametrize("level", [4, 16])
def test_an_atom_alone_in_its_cell_sees_its_images(level):
    cell = Atoms("Ni", cell=[[0.1, 1.7, 1.8], [1.9, 0.0, 1.7], [1.6, 1.8, 0.1]], pbc=True)
    potential = random_potential(level, cell)
    one, many = evaluate_atoms(potential, cell), evaluate_atoms(potential, cell * (3, 3, 3))
    np.testing.assert_allclose(many.site_energies, one.energy[0], rtol=1e-11)
    np.testing.assert_allclose(one.forces, 0.0, atol=1e-10)
    np.testing.assert_allclose(many.stress, one.stress, atol=1e-11)


def test_configurations_do_not_see_each_other():
    structures = [make() for make in (slab_mixed_pbc, fcc_rattled)]
    potential = random_potential(10, slab_mixed_pbc())
    together = evaluate_atoms(potential, *structures)
    single = [evaluate_atoms(potential, one) for one in structures]
    np.testing.assert_array_equal(together.energy, [one.energy[0] for one in single])
    np.testing.assert_array_equal(together.forces, np.concatenate([one.forces for one in single]))


def test_numbers_do_not_depend_on_the_number_of_threads():
    atoms = triclinic_binary() * (6, 6, 6)
    atoms.rattle(0.05, seed=4)
    potential = random_potential(8, triclinic_binary())
    configurations = Configurations.from_atoms([atoms, atoms[:40]])
    one = evaluate(potential, configurations, threads=1)
    three = evaluate(potential, configurations, threads=3)
    for field in dataclasses.fields(Evaluation):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(three, field.name))


def test_an_empty_set_has_no_energies():
    result = evaluate(random_potential(4, fcc_rattled()), Configurations.empty())
    assert result.energy.shape == (0,)
    assert result.forces.shape == (0, 3)


def test_a_species_that_the_potential_lacks_is_named():
    with pytest.raises(SpeciesError, match="Cu"):
        evaluate_atoms(random_potential(4, fcc_rattled()), Atoms("Cu"))


def test_positions_that_are_not_finite_are_refused():
    atoms = fcc_rattled()
    atoms.positions[1, 2] = np.nan
    with pytest.raises(GeometryError, match="not finite"):
        evaluate_atoms(random_potential(4, fcc_rattled()), atoms)


def test_atoms_in_one_place_are_refused():
    with pytest.raises(GeometryError, match="coincide"):
        evaluate_atoms(random_potential(4, fcc_rattled()), Atoms("Ni2", positions=np.zeros((2, 3))))
