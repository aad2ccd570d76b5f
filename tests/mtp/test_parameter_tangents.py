# SPDX-License-Identifier: MIT
"""Products of rows with directions of the parameters, and how they change as atoms move."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.evaluate import energy_rows
from aiida_alpot.mtp.parameter_tangents import TangentEvaluator
from aiida_alpot.mtp.site_evaluator import SiteEvaluator
from aiida_alpot.mtp.zbl import CorePair, ZblCore
from aiida_alpot.neighbors import batch_neighbor_list

from .builders import (
    CUTOFF,
    central_difference,
    every_structure,
    fcc_rattled,
    random_potential,
    slab_mixed_pbc,
    triclinic_binary,
)

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def along(potential, atoms, directions, **settings):
    configurations = Configurations.from_atoms([atoms])
    evaluator = TangentEvaluator(potential, potential.types_of(configurations.numbers))
    pairs = batch_neighbor_list(configurations, potential.cutoff)
    return evaluator.evaluate_along(pairs, directions, **settings)


def random_directions(potential, atoms, seed=3):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((len(atoms), potential.n_parameters))


def deform(atoms, strain):
    """Return atoms in a cell strained by the six numbers xx yy zz yz xz xy."""
    matrix = np.eye(3)
    for (i, j), value in zip(VOIGT, strain, strict=True):
        matrix[i, j] += value / (2 if i != j else 1)
        matrix[j, i] += value / 2 if i != j else 0.0
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ matrix)
    moved.positions = atoms.positions @ matrix
    return moved


@every_structure
@pytest.mark.parametrize("level", [2, 8])
def test_values_are_products_of_rows_and_directions(structure, level):
    potential = random_potential(level, structure)
    directions = random_directions(potential, structure)
    rows = energy_rows(potential, Configurations.from_atoms([structure]))
    found = along(potential, structure, directions).energies
    np.testing.assert_allclose(found, (rows * directions).sum(axis=1), rtol=1e-12, atol=1e-9)


@every_structure
@pytest.mark.parametrize("level", [2, 8])
def test_forces_and_strains_are_derivatives_of_the_values(structure, level):
    potential = random_potential(level, structure)
    directions = random_directions(potential, structure)
    n = structure.positions.size

    def total(steps):
        sums = []
        for step in steps:
            moved = structure.copy()
            moved.positions += step[:n].reshape(-1, 3)
            moved = deform(moved, step[n:])
            rows = energy_rows(potential, Configurations.from_atoms([moved]))
            sums.append((rows * directions).sum())
        return np.array(sums)

    expected = central_difference(total, n + 6, 1e-3)
    found = along(potential, structure, directions)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(-found.forces.ravel(), expected[:n], atol=1e-8 * scale)
    np.testing.assert_allclose(found.strains.sum(axis=0), expected[n:], atol=1e-8 * scale)


@pytest.mark.parametrize("make", [fcc_rattled, triclinic_binary, slab_mixed_pbc])
def test_along_the_linear_coefficients_they_are_forces_of_a_potential_with_those(make):
    atoms = make()
    potential = random_potential(10, atoms)
    n_radial = potential.n_radial_parameters
    direction = np.zeros(potential.n_parameters)
    direction[n_radial:] = potential.parameters[n_radial:]
    configurations = Configurations.from_atoms([atoms])
    evaluator = SiteEvaluator(potential, potential.types_of(configurations.numbers))
    expected = evaluator.evaluate(batch_neighbor_list(configurations, CUTOFF))
    found = along(potential, atoms, direction)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_a_core_fades_the_radial_functions_and_has_no_parameters_itself():
    atoms = fcc_rattled()
    potential = random_potential(8, atoms)
    shortest = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)].min()
    cored = potential.with_core(
        ZblCore((CorePair("Ni", "Ni", inner=shortest - 0.2, outer=shortest + 0.3),))
    )
    directions = random_directions(potential, atoms)
    rows = energy_rows(cored, Configurations.from_atoms([atoms]))
    found = along(cored, atoms, directions).energies
    np.testing.assert_allclose(found, (rows * directions).sum(axis=1), rtol=1e-10)
    assert not np.allclose(found, along(potential, atoms, directions).energies)


def test_numbers_do_not_depend_on_threads():
    atoms = fcc_rattled() * (4, 4, 4)
    potential = random_potential(6, atoms)
    directions = random_directions(potential, atoms)
    one, two = (along(potential, atoms, directions, threads=threads) for threads in (1, 2))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_directions_of_another_shape_are_refused():
    atoms = fcc_rattled()
    potential = random_potential(6, atoms)
    with pytest.raises(SettingError, match="give one for each atom, or one for all"):
        along(potential, atoms, np.zeros((2, potential.n_parameters)))
