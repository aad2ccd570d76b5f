# SPDX-License-Identifier: MIT
"""The oracle is held to laws of its own, so that it cannot share a mistake with the engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_alpot.mtp.contractions import moment_basis

from .reference_mtp import (
    VOIGT,
    ReferencePotential,
    evaluate_reference,
    find_neighbors,
    parameter_gradients,
)

CUTOFF = 3.5
TYPES = np.array([0, 1, 1, 0])
POSITIONS = np.array([[0.1, 0.0, 0.2], [1.9, 0.3, 0.1], [0.2, 2.0, -0.1], [1.6, 1.9, 1.8]])
TRICLINIC = np.array([[4.1, 0.0, 0.3], [0.7, 3.9, 0.0], [0.2, -0.5, 4.3]])
BOUNDARIES = [(True, True, True), (True, False, True), (False, False, False)]


def random_reference(level: int, seed: int = 0) -> ReferencePotential:
    rng = np.random.default_rng(seed)
    basis = moment_basis(level)
    return ReferencePotential(
        basis.basic,
        basis.products,
        basis.scalars,
        basis.n_moments,
        radial_coefficients=rng.normal(size=(2, 2, basis.n_radial, 5)),
        species_coefficients=rng.normal(size=2),
        moment_coefficients=rng.normal(size=basis.n_scalars),
        min_distance=1.2,
        cutoff=CUTOFF,
        scaling=0.1,
    )


@pytest.mark.parametrize("pbc", BOUNDARIES)
@pytest.mark.parametrize("cell", [TRICLINIC, 0.6 * TRICLINIC], ids=["wide", "narrow"])
def test_the_oracle_finds_the_neighbors_that_ase_finds(pbc, cell):
    centers, others, vectors = neighbor_list(
        "ijD", _atoms(cell, pbc), CUTOFF, self_interaction=False
    )
    for i, found in enumerate(find_neighbors(POSITIONS, cell, pbc, CUTOFF)):
        expected = _sorted_rows(np.column_stack([others, vectors])[centers == i])
        ours = _sorted_rows(np.array([[j, *vector] for j, vector in found]).reshape(-1, 4))
        np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("pbc", BOUNDARIES)
def test_forces_of_the_oracle_are_minus_the_energy_gradient(pbc):
    potential = random_reference(8)
    result = evaluate_reference(potential, TYPES, POSITIONS, TRICLINIC, pbc)
    step = 1e-5
    for place in np.ndindex(POSITIONS.shape):
        displaced = np.zeros_like(POSITIONS)
        displaced[place] = step
        plus, minus = (
            evaluate_reference(potential, TYPES, POSITIONS + sign * displaced, TRICLINIC, pbc)
            for sign in (1, -1)
        )
        slope = (plus.energy - minus.energy) / (2 * step)
        assert result.forces[place] == pytest.approx(-slope, abs=1e-7)
    np.testing.assert_allclose(result.site_energies.sum(), result.energy)


def test_stress_of_the_oracle_is_the_strain_derivative_of_the_energy():
    potential, step = random_reference(8), 1e-6
    result = evaluate_reference(potential, TYPES, POSITIONS, TRICLINIC, (True, True, True))
    volume = np.linalg.det(TRICLINIC)
    for index, (row, column) in enumerate(VOIGT):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            energies.append(
                evaluate_reference(
                    potential, TYPES, POSITIONS @ strain, TRICLINIC @ strain, (True, True, True)
                ).energy
            )
        slope = (energies[0] - energies[1]) / (2 * step)
        assert result.stress[index] == pytest.approx(slope / volume, abs=1e-8)
    np.testing.assert_allclose(result.virial, result.virial.T, atol=1e-10)


def test_the_lowest_level_of_the_oracle_is_a_pair_potential():
    potential = random_reference(2)
    distance = 2.1
    result = evaluate_reference(
        potential,
        np.array([0, 1]),
        np.array([[0.0, 0.0, 0.0], [0.0, distance, 0.0]]),
        np.zeros((3, 3)),
        (False, False, False),
    )
    x = (2 * distance - (1.2 + CUTOFF)) / (CUTOFF - 1.2)
    chebyshev = np.cos(np.arange(5) * np.arccos(x))
    expected = [
        potential.species_coefficients[i]
        + potential.moment_coefficients[0]
        * 0.1
        * (CUTOFF - distance) ** 2
        * (potential.radial_coefficients[i, 1 - i, 0] @ chebyshev)
        for i in range(2)
    ]
    np.testing.assert_allclose(result.site_energies, expected, rtol=1e-12)
    assert np.isnan(result.stress).all()


def test_parameter_gradients_of_the_oracle_are_finite_differences():
    potential = random_reference(6)
    arguments = (TYPES, POSITIONS, TRICLINIC, (True, False, True))
    gradients = parameter_gradients(potential, *arguments)
    names = ("radial_coefficients", "species_coefficients", "moment_coefficients")
    assert len(gradients) == sum(getattr(potential, name).size for name in names)
    step = 1e-6
    for number, (name, place) in {
        7: ("radial_coefficients", (0, 0, 1, 2)),
        26: ("radial_coefficients", (1, 0, 1, 1)),
        41: ("species_coefficients", (1,)),
        44: ("moment_coefficients", (2,)),
    }.items():
        plus, minus = (_shifted(potential, name, place, sign * step) for sign in (1, -1))
        plus, minus = (evaluate_reference(shifted, *arguments) for shifted in (plus, minus))
        for key in ("energy", "site_energies", "forces", "stress"):
            slope = (getattr(plus, key) - getattr(minus, key)) / (2 * step)
            np.testing.assert_allclose(getattr(gradients[number], key), slope, atol=1e-6)


def _shifted(
    potential: ReferencePotential, name: str, place: tuple[int, ...], by: float
) -> ReferencePotential:
    values = getattr(potential, name).copy()
    values[place] += by
    return replace(potential, **{name: values})


def _atoms(cell, pbc):
    return Atoms(numbers=[1] * len(POSITIONS), positions=POSITIONS, cell=cell, pbc=pbc)


def _sorted_rows(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(np.round(rows, 9).T)]
