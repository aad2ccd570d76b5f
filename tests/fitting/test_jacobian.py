# SPDX-License-Identifier: MIT
"""Derivatives of energies, strains and forces by the parameters."""

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import energy_rows, evaluate
from aiida_alpot.mtp.gradient import loss_gradient
from aiida_alpot.mtp.jacobian import Environment, block_jacobian, make_environment
from aiida_alpot.mtp.potential import initial_potential

from .data import random_potential, rattled_cells

CLUSTER = Atoms("CuAuCu", positions=[[0.0, 0.0, 0.0], [0.1, 2.4, 0.2], [1.9, 1.2, 0.9]])
LONELY = Atoms("Au", cell=[20.0, 20.0, 20.0], pbc=True)


def some_configurations(species):
    extra = [CLUSTER, LONELY] if len(species) > 1 else []
    return Configurations.from_atoms(rattled_cells(2, species=species) + extra)


@pytest.mark.parametrize(
    ("level", "species"), [(2, ["Cu"]), (8, ["Cu"]), (10, ["Au", "Cu"]), (16, ["Cu"])]
)
def test_rows_are_the_derivatives_of_what_is_predicted(level, species):
    potential = random_potential(level, species)
    configurations = some_configurations(species)
    jacobian = block_jacobian(
        potential, make_environment(potential, configurations), (0, len(configurations))
    )
    volumes = configurations.volumes

    def predictions(parameters):
        result = evaluate(potential.with_parameters(parameters), configurations)
        strains = np.where(volumes[:, None] > 0.0, result.stress * volumes[:, None], 0.0)
        return result.energy, strains, result.forces.T

    is_periodic = volumes > 0.0
    step = 1e-4
    for index, at in enumerate(potential.parameters):
        difference = [np.zeros(1)] * 3
        # error of order step^4
        for shift, weight in ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0)):
            moved = potential.parameters
            moved[index] = at + shift * step
            difference = [
                total + weight * value
                for total, value in zip(difference, predictions(moved), strict=True)
            ]
        numerical = [value / (12 * step) for value in difference]
        found = [
            jacobian.energies[index],
            jacobian.strains[index] * is_periodic[:, None],
            jacobian.forces[index],
        ]
        for one, other in zip(found, numerical, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7 * (1 + np.abs(one).max()))


def test_linear_rows_give_the_predictions():
    potential = random_potential(12, ["Au", "Cu"])
    configurations = some_configurations(["Au", "Cu"])
    environment = make_environment(potential, configurations)
    jacobian = block_jacobian(potential, environment, (0, len(configurations)), with_radial=False)
    linear = np.concatenate([potential.species_coefficients, potential.moment_coefficients])
    predicted = evaluate(potential, configurations)
    np.testing.assert_allclose(linear @ jacobian.energies, predicted.energy, rtol=1e-11)
    np.testing.assert_allclose(
        np.tensordot(linear, jacobian.forces, 1).T, predicted.forces, atol=1e-11
    )


def test_energies_have_the_rows_of_the_active_set():
    potential = random_potential(10, ["Au", "Cu"])
    configurations = some_configurations(["Au", "Cu"])
    environment = make_environment(potential, configurations)
    for with_forces in (True, False):
        jacobian = block_jacobian(
            potential, environment, (0, len(configurations)), with_forces=with_forces
        )
        rows = np.add.reduceat(energy_rows(potential, configurations), configurations.offsets[:-1])
        np.testing.assert_allclose(jacobian.energies.T, rows, rtol=1e-10, atol=1e-12)


def test_the_product_with_residuals_is_the_gradient_of_the_reverse_pass():
    species = ["Au", "Cu"]
    potential = random_potential(12, species)
    configurations = Configurations.from_atoms(rattled_cells(3, species=species))
    rng = np.random.default_rng(5)
    energy, stress = rng.standard_normal(3), rng.standard_normal((3, 6))
    forces = rng.standard_normal((len(configurations.numbers), 3))
    jacobian = block_jacobian(potential, make_environment(potential, configurations), (0, 3))
    found = (
        jacobian.energies @ energy
        + np.tensordot(jacobian.forces, forces.T, 2)
        + np.tensordot(jacobian.strains, stress / configurations.volumes[:, None], 2)
    )
    expected = loss_gradient(
        potential,
        configurations,
        energy_residual=energy,
        force_residual=forces,
        stress_residual=stress,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_other_numbers_of_chebyshev_polynomials_are_padded():
    potential = initial_potential(
        8, 4.5, species=["Cu"], min_distance=2.0, rng=np.random.default_rng(0), radial_basis_size=11
    )
    potential = potential.with_parameters(
        np.random.default_rng(1).standard_normal(potential.n_parameters)
    )
    configurations = some_configurations(["Cu"])
    jacobian = block_jacobian(potential, make_environment(potential, configurations), (0, 2))
    forces = np.random.default_rng(2).standard_normal((len(configurations.numbers), 3))
    expected = loss_gradient(potential, configurations, force_residual=forces)
    np.testing.assert_allclose(
        np.tensordot(jacobian.forces, forces.T, 2), expected, rtol=1e-10, atol=1e-10
    )


def test_blocks_cover_every_configuration_once():
    sizes = [3, 300, 10, 250, 5, 1, 1, 600]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    blocks = Environment(offsets, np.zeros(0), None).blocks(256)
    assert [index for first, end in blocks for index in range(first, end)] == list(
        range(len(sizes))
    )
    atoms = [offsets[end] - offsets[first] for first, end in blocks]
    assert all(n <= 256 or end - first == 1 for n, (first, end) in zip(atoms, blocks, strict=True))
    assert Environment(np.zeros(1, int), np.zeros(0), None).blocks() == []
