# SPDX-License-Identifier: MIT
"""The engine against the slow oracle in plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import energy_rows, evaluate
from aiida_alpot.mtp.gradient import loss_gradient

from .builders import every_structure, random_potential, small_ternary, triclinic_binary
from .reference_mtp import evaluate_reference, parameter_gradients, reference_of


def arguments_of(potential, atoms):
    """Return what the oracle takes: potential, types, positions, cell, pbc."""
    return (
        reference_of(potential),
        potential.types_of(atoms.numbers),
        atoms.positions,
        atoms.cell.array,
        atoms.pbc,
    )


@every_structure
@pytest.mark.parametrize("level", [2, 8, 12])
def test_results_equal_the_oracle(structure, level):
    potential = random_potential(level, structure, seed=level)
    expected = evaluate_reference(*arguments_of(potential, structure))
    result = evaluate(potential, Configurations.from_atoms([structure]))
    np.testing.assert_allclose(result.energy[0], expected.energy, rtol=1e-12)
    np.testing.assert_allclose(result.site_energies, expected.site_energies, atol=1e-11)
    np.testing.assert_allclose(result.forces, expected.forces, atol=1e-10)
    if structure.pbc.all():
        np.testing.assert_allclose(result.stress[0], expected.stress, atol=1e-11)


@pytest.mark.parametrize("level", [4, 6, 10, 14, 16, 18])
def test_results_equal_the_oracle_at_other_levels(level):
    structure = triclinic_binary()
    potential = random_potential(level, structure, seed=level)
    expected = evaluate_reference(*arguments_of(potential, structure))
    result = evaluate(potential, Configurations.from_atoms([structure]))
    np.testing.assert_allclose(result.site_energies, expected.site_energies, atol=1e-11)
    np.testing.assert_allclose(result.forces, expected.forces, atol=1e-10)
    np.testing.assert_allclose(result.stress[0], expected.stress, atol=1e-11)


def test_parameter_gradients_equal_the_oracle():
    structure = triclinic_binary()
    configurations = Configurations.from_atoms([structure])
    potential = random_potential(6, structure)
    expected = parameter_gradients(*arguments_of(potential, structure))
    rows = energy_rows(potential, configurations)
    rng = np.random.default_rng(0)
    of_forces, of_stress = rng.standard_normal((4, 3)), rng.standard_normal((1, 6))
    gradient = loss_gradient(
        potential, configurations, force_residual=of_forces, stress_residual=of_stress
    )
    for column, one in enumerate(expected):
        np.testing.assert_allclose(rows[:, column], one.site_energies, atol=1e-9)
        combined = (of_forces * one.forces).sum() + of_stress[0] @ one.stress
        np.testing.assert_allclose(gradient[column], combined, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("radial_basis_size", [2, 3, 11])
def test_any_number_of_chebyshev_polynomials_may_be_used(radial_basis_size):
    structure = small_ternary()
    potential = random_potential(8, structure, radial_basis_size=radial_basis_size)
    expected = evaluate_reference(*arguments_of(potential, structure))
    result = evaluate(potential, Configurations.from_atoms([structure]))
    np.testing.assert_allclose(result.forces, expected.forces, atol=1e-10)


def test_distances_below_the_shortest_of_the_basis_are_extrapolated():
    """As MLIP-2 does: the Chebyshev polynomials go on below min_distance."""
    structure = triclinic_binary()
    structure.set_cell(structure.cell * 0.4, scale_atoms=True)
    potential = random_potential(4, structure)
    expected = evaluate_reference(*arguments_of(potential, structure))
    result = evaluate(potential, Configurations.from_atoms([structure]))
    np.testing.assert_allclose(result.forces, expected.forces, rtol=1e-9, atol=1e-9)
