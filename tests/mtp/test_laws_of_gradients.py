# SPDX-License-Identifier: MIT
"""Derivatives of energies, forces and stresses with respect to the parameters of a potential."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import energy_rows, evaluate
from aiida_alpot.mtp.gradient import loss_gradient

from .builders import (
    central_difference,
    every_structure,
    fcc_rattled,
    random_potential,
    slab_mixed_pbc,
    small_ternary,
    triclinic_binary,
)


def assert_gradients(potential, configurations, columns):
    """Compare rows and gradients of random combinations of results with differences."""
    rng = np.random.default_rng(5)
    n_atoms = configurations.offsets[-1]
    of_energy = rng.standard_normal(len(configurations))
    of_forces = rng.standard_normal((n_atoms, 3))
    of_stress = rng.standard_normal((len(configurations), 6))
    parameters = potential.parameters

    def results(steps):
        found = []
        for step in steps:
            shifted = parameters.copy()
            shifted[columns] += step
            result = evaluate(potential.with_parameters(shifted), configurations)
            stress = np.where(np.isnan(result.stress), 0.0, result.stress)
            combined = [
                of_energy @ result.energy,
                (of_forces * result.forces).sum(),
                (of_stress * stress).sum(),
            ]
            found.append([*combined, *result.site_energies])
        return np.array(found)

    expected = central_difference(results, len(columns), 1e-3).T
    found = [
        loss_gradient(potential, configurations, energy_residual=of_energy),
        loss_gradient(potential, configurations, force_residual=of_forces),
        loss_gradient(potential, configurations, stress_residual=of_stress),
        *energy_rows(potential, configurations),
    ]
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, np.abs(one).max())
        np.testing.assert_allclose(one[columns], other, atol=1e-8 * scale)


@every_structure
@pytest.mark.parametrize("level", [2, 8])
def test_parameter_gradients_equal_differences(structure, level):
    potential = random_potential(level, structure)
    assert_gradients(
        potential, Configurations.from_atoms([structure]), np.arange(potential.n_parameters)
    )


@pytest.mark.parametrize("level", [4, 6, 10, 12, 14, 16])
def test_parameter_gradients_equal_differences_at_other_levels(level):
    potential = random_potential(level, small_ternary())
    columns = np.random.default_rng(level).choice(potential.n_parameters, 20, replace=False)
    structures = Configurations.from_atoms([small_ternary(), small_ternary() * (2, 1, 1)])
    assert_gradients(potential, structures, columns)


def test_a_loss_of_everything_is_the_sum_of_its_parts():
    configurations = Configurations.from_atoms([slab_mixed_pbc(), fcc_rattled()])
    potential = random_potential(12, slab_mixed_pbc())
    rng = np.random.default_rng(6)
    residuals = {
        "energy_residual": rng.standard_normal(2),
        "force_residual": rng.standard_normal((configurations.offsets[-1], 3)),
        "stress_residual": rng.standard_normal((2, 6)),
    }
    together = loss_gradient(potential, configurations, **residuals)
    parts = [
        loss_gradient(potential, configurations, **{name: value})
        for name, value in residuals.items()
    ]
    np.testing.assert_allclose(together, sum(parts), rtol=1e-9, atol=1e-9 * np.abs(together).max())


def test_rows_of_the_energy_are_the_gradient_of_the_energy():
    configurations = Configurations.from_atoms([triclinic_binary()])
    potential = random_potential(16, triclinic_binary())
    rows = energy_rows(potential, configurations)
    gradient = loss_gradient(potential, configurations, energy_residual=np.ones(1))
    np.testing.assert_allclose(rows.sum(axis=0), gradient, rtol=1e-10, atol=1e-10)


def test_linear_columns_reproduce_the_energy():
    """V_i = sum of the columns of species and moments times their coefficients."""
    configurations = Configurations.from_atoms([small_ternary()])
    potential = random_potential(14, small_ternary())
    n_radial = potential.n_radial_parameters
    rows = energy_rows(potential, configurations)[:, n_radial:]
    site_energies = evaluate(potential, configurations).site_energies
    np.testing.assert_allclose(rows @ potential.parameters[n_radial:], site_energies, rtol=1e-11)


def test_radial_rows_of_other_centers_are_zero():
    configurations = Configurations.from_atoms([small_ternary()])
    potential = random_potential(8, small_ternary())
    rows = energy_rows(potential, configurations)
    types = potential.types_of(configurations.numbers)
    radial = rows[:, : potential.n_radial_parameters].reshape(len(rows), 3, -1)
    for center, by_center in zip(types, radial, strict=True):
        assert np.abs(by_center[center]).max() > 0.0
        assert (np.delete(by_center, center, axis=0) == 0.0).all()


def test_gradients_do_not_depend_on_the_number_of_threads():
    atoms = triclinic_binary() * (6, 6, 6)
    atoms.rattle(0.05, seed=4)
    potential = random_potential(6, triclinic_binary())
    configurations = Configurations.from_atoms([atoms])
    force_residual = np.random.default_rng(7).standard_normal((len(atoms), 3))
    one, three = (
        loss_gradient(potential, configurations, force_residual=force_residual, threads=threads)
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(
        energy_rows(potential, configurations),
        energy_rows(potential, configurations, threads=3),
    )


def test_an_empty_set_has_no_gradient():
    potential = random_potential(4, fcc_rattled())
    assert not loss_gradient(potential, Configurations.empty()).any()
    assert energy_rows(potential, Configurations.empty()).shape == (0, potential.n_parameters)
