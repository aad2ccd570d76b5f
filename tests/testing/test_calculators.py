# SPDX-License-Identifier: MIT
"""The assertions accept what is right and refuse what is wrong."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.fd import FiniteDifferenceCalculator
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential

from aiida_alpot.testing import (
    assert_extensive,
    assert_gradients,
    assert_permutation_invariant,
    assert_rotation_invariant,
    assert_translation_invariant,
)

ASSERTIONS = {
    "gradients": assert_gradients,
    "rotation": assert_rotation_invariant,
    "translation": assert_translation_invariant,
    "permutation": assert_permutation_invariant,
    "extensivity": assert_extensive,
}


def lennard_jones():
    return LennardJones(sigma=2.3, epsilon=0.4, rc=5.0, smooth=True)


@pytest.fixture
def crystal():
    """A triclinic cell of four displaced atoms."""
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell([[3.9, 0.2, 0], [0.1, 4.0, 0.3], [0, -0.2, 4.2]], scale_atoms=True)
    atoms.rattle(0.05, seed=2)
    return atoms


class Wrong(Calculator):
    """Lennard-Jones with one result spoilt."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")

    def __init__(self, spoil):
        super().__init__()
        self.spoil = spoil
        self.right = lennard_jones()

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        super().calculate(atoms, properties, system_changes)
        copy = atoms.copy()
        self.right.calculate(copy, ["energy", "forces", "stress"])
        self.results = {key: np.copy(value) for key, value in self.right.results.items()}
        self.spoil(self.results, atoms)
        self.results["free_energy"] = self.results["energy"]


def spoil_one_force(results, atoms):
    results["forces"][-1, 2] += 1e-4


def spoil_one_stress(results, atoms):
    results["stress"][4] += 1e-4


def spoil_by_direction(results, atoms):
    results["energy"] = results["energy"] + 1e-3 * np.cos(atoms.positions[:, 0]).sum()


def spoil_by_place(results, atoms):
    results["energy"] = results["energy"] + 1e-3 * np.sin(atoms.positions[0]).sum()


def spoil_by_order(results, atoms):
    results["energy"] = results["energy"] + 1e-3 * np.linalg.norm(
        atoms.positions[0] - atoms.positions[1]
    )


def spoil_by_size(results, atoms):
    results["energy"] = results["energy"] + 1e-3 * len(atoms) ** 2


@pytest.mark.parametrize("name", ASSERTIONS)
def test_a_right_calculator_is_accepted(crystal, name):
    ASSERTIONS[name](lennard_jones(), crystal)


def test_a_cluster_has_no_stress_to_check():
    cluster = Atoms("Cu3", positions=[(0, 0, 0), (2.4, 0.3, 0), (0.5, 2.2, 0.7)])
    assert_gradients(MorsePotential(r0=2.5, rcut1=4.0, rcut2=5.0), cluster, stress=False)
    assert_rotation_invariant(lennard_jones(), cluster)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("gradients", spoil_one_force, r"force \(3, 2\)"),
        ("gradients", spoil_one_stress, r"stress \(4,\)"),
        ("rotation", spoil_by_direction, "energy after a rotation"),
        ("translation", spoil_by_place, "energy after a translation"),
        ("permutation", spoil_by_order, "energy after a permutation"),
        ("extensivity", spoil_by_size, "energy of a repeated cell"),
    ],
)
def test_a_wrong_calculator_is_refused_with_the_place(crystal, name, spoil, message):
    with pytest.raises(AssertionError, match=message):
        ASSERTIONS[name](Wrong(spoil), crystal)


def test_forces_from_the_same_differences_prove_nothing(crystal):
    circular = FiniteDifferenceCalculator(
        lennard_jones(), eps_disp=1e-4, eps_strain=1e-4, force_consistent=False
    )
    with pytest.raises(AssertionError, match="computed the same way"):
        assert_gradients(circular, crystal, stress=False)


def test_forces_that_vanish_prove_nothing():
    with pytest.raises(AssertionError, match="displace the atoms first"):
        assert_gradients(lennard_jones(), bulk("Cu", a=3.7, cubic=True))


def test_the_structure_is_not_modified(crystal):
    before = crystal.copy()
    for assertion in ASSERTIONS.values():
        assertion(lennard_jones(), crystal)
    assert crystal == before
    assert crystal.calc is None
