# SPDX-License-Identifier: MIT
"""The assertions about labels let good ones pass and name what is wrong with others."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.configurations import Configurations
from aiida_alpot.testing.labels import assert_gradients_of_labels, gradient_probe


@pytest.fixture(scope="module")
def labelled():
    atoms = bulk("Cu", a=3.7, cubic=True)
    atoms.set_cell(
        atoms.cell.array @ [[1.0, 0.02, 0], [0, 1.01, 0.03], [0, 0, 1]], scale_atoms=True
    )
    atoms.rattle(0.1, seed=4)
    atoms.symbols[[0, 2]] = "Au"
    cells = list(gradient_probe(atoms, np.random.default_rng(5)))
    for cell in cells:
        cell.calc = EMT()
        results = {"energy": cell.get_potential_energy(), "forces": cell.get_forces()}
        cell.calc = SinglePointCalculator(cell, **results, stress=cell.get_stress())
    return Configurations.from_atoms(cells)


def test_labels_of_a_calculator_pass(labelled):
    assert_gradients_of_labels(labelled)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda one: one.replace(stress=-one.stress), "the stress"),
        (lambda one: one.replace(stress=one.stress[:, [0, 1, 2, 4, 5, 3]]), "the stress"),
        (lambda one: one.replace(stress=one.stress / 160.2), "the stress"),
        (lambda one: one.replace(forces=-one.forces), "forces"),
        (lambda one: one.replace(forces=one.forces[[1, 0, *range(2, 20)]]), "forces"),
        (lambda one: one.replace(energy=one.energy / 27.2), "forces"),
        (
            lambda one: one.replace(energy=one.energy + 0.05 * np.sin(one.positions[::4, 0])),
            "forces",
        ),
        (lambda one: one.select([0, 1, 2]), "five cells"),
    ],
    ids=["pressure", "order", "GPa", "sign", "atoms", "Hartree", "other energy", "missing"],
)
def test_labels_with_a_slip_do_not(labelled, spoil, told):
    with pytest.raises(AssertionError, match=told):
        assert_gradients_of_labels(spoil(labelled))


def test_cells_in_which_all_vanishes_prove_nothing(labelled):
    flat = labelled.replace(energy=np.zeros(5), forces=np.zeros((20, 3)))
    with pytest.raises(AssertionError, match="distort"):
        assert_gradients_of_labels(flat)
