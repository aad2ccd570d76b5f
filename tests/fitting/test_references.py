# SPDX-License-Identifier: MIT
"""Energies of free atoms."""

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import LabelError, SettingError
from aiida_alpot.fitting.references import (
    atomic_references,
    lower_constants,
    shift_constants,
    subtract_references,
)
from aiida_alpot.mtp.evaluate import evaluate

from .data import labelled_by, random_potential, rattled_cells

ENERGIES = {"Au": -9014.5, "Cu": -3724.25}


def clusters(formulas, energies):
    """Molecules with all atoms in one place of their own, and total energies."""
    structures = []
    for formula in formulas:
        atoms = Atoms(formula)
        atoms.positions[:, 0] = 2.6 * np.arange(len(atoms))
        structures.append(atoms)
    return Configurations.from_atoms(structures).replace(energy=np.array(energies))


def test_isolated_atoms_are_told_from_cells_of_one_atom():
    data = clusters(["Cu", "Au", "CuAu"], [-3724.25, -9014.5, -12745.0])
    crystal = Atoms("Cu", cell=[[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]], pbc=True)
    cell = Configurations.from_atoms([*data, crystal])
    cell = cell.replace(energy=np.append(data.energy, -3727.75))
    assert atomic_references(cell, "isolated", cutoff=5.0) == ENERGIES
    with pytest.raises(LabelError, match=r"isolated atom of Au"):
        atomic_references(cell.select([0, 2, 3]), "isolated", cutoff=5.0)


def test_compositions_give_the_energies_that_suit_most_of_them():
    formulas = ["Cu", "Au", "CuAu", "Cu2Au", "CuAu3", "Cu2", "Au2", "Cu3Au2"]
    energies = [sum(ENERGIES[symbol] for symbol in Atoms(formula).symbols) for formula in formulas]
    energies[3] += 1e6  # an absurd one
    found = atomic_references(clusters(formulas, energies), "composition", cutoff=5.0)
    assert found == pytest.approx(ENERGIES, abs=1e-4)


def test_what_is_taken_off_is_put_back():
    potential = random_potential(8, ["Au", "Cu"])
    data = labelled_by(potential, rattled_cells(3, species=["Au", "Cu"]))
    shifted = subtract_references(data, ENERGIES)
    lowered = lower_constants(potential, ENERGIES)
    np.testing.assert_allclose(evaluate(lowered, data).energy, shifted.energy, rtol=1e-12)
    back = shift_constants(lowered, ENERGIES, sign=1)
    np.testing.assert_allclose(back.parameters, potential.parameters, rtol=0, atol=1e-11)


def test_a_constant_of_zero_was_never_fitted():
    potential = random_potential(6, ["Au", "Cu"])
    parameters = potential.parameters
    parameters[potential.n_radial_parameters] = 0.0
    lowered = lower_constants(potential.with_parameters(parameters), ENERGIES)
    assert lowered.species_coefficients[0] == 0.0
    assert shift_constants(lowered, ENERGIES, sign=1).species_coefficients[0] == ENERGIES["Au"]


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("guess", "no source of atomic energies 'guess'"),
        ({"Cu": -1.0}, "lack a value for Au"),
        ({"Cu": -1.0, "Au": np.nan}, "lack a value for Au"),
        ({"Cu": -1.0, "Au": -2.0, "Xx": 0.0}, "lack a value for Xx"),
    ],
    ids=str,
)
def test_references_that_are_none_are_refused(source, named):
    with pytest.raises(SettingError, match=named):
        atomic_references(clusters(["Cu", "Au"], [-1.0, -2.0]), source, cutoff=5.0)
