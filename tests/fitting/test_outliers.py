# SPDX-License-Identifier: MIT
"""Outlier reports: absurd labels are named, good ones never."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.fit import start_potential
from aiida_alpot.fitting.outliers import has_close_pairs, suspicious_labels
from aiida_alpot.fitting.residuals import usual
from aiida_alpot.fitting.training import TrainingSettings, train_potential
from aiida_alpot.mtp.jacobian import make_environment

from .data import emt_set, random_potential


def labelled(cells):
    for atoms in cells:
        atoms.calc = EMT()
        atoms.get_forces()
    return Configurations.from_atoms(cells, level_of_theory="emt")


def train(training, **settings):
    initial = start_potential(training, level=6, cutoff=4.5)
    return train_potential(
        training, initial=initial, settings=TrainingSettings(max_iterations=8, **settings)
    )


def suspicious(configurations):
    environment = make_environment(random_potential(2, ["Cu", "Au"]), configurations)
    return suspicious_labels(configurations, has_close_pairs(configurations, environment))


def test_sets_of_calm_and_violent_structures_have_no_outliers():
    calm = emt_set(60, seed=1, rattle=0.005)
    violent = emt_set(15, seed=2, rattle=0.4)
    assert train(concatenate([calm, violent])).outliers == ()


def test_forces_that_are_zero_by_symmetry_make_no_outliers_of_the_others():
    crystals = labelled([bulk("Cu", cubic=True, a=a) for a in np.linspace(3.4, 3.8, 60)])
    assert train(concatenate([crystals, emt_set(4, seed=2, rattle=0.3)])).outliers == ()


def test_close_pairs_explain_huge_forces_and_energies():
    dimers = [Atoms("Cu2", positions=[[0, 0, 0], [d, 0, 0]]) for d in (0.6, 1.2, 1.9)]
    data = concatenate([emt_set(40, seed=1), labelled(dimers)])
    assert np.linalg.norm(data.forces, axis=1).max() > 100.0
    assert suspicious(data) == []
    result = train(data)
    warning = next(one for one in result.warnings if one.kind == "huge_forces")
    assert warning.configurations == ("0", "1")
    assert "force_limit" in warning.message
    far = concatenate([emt_set(40, seed=1), labelled(dimers[2:])])
    forces = far.forces.copy()
    forces[-2:] = 0.0
    forces[3] = [0.0, 400.0, 0.0]
    assert [one.configuration for one in suspicious(far.replace(forces=forces))] == [0, 0]


def test_forces_that_do_not_add_up_to_zero_are_named():
    data = emt_set(10, seed=3)
    forces = data.forces.copy()
    forces[4 * 6 : 4 * 7] += np.array([0.0, 0.8, 0.0])
    found = suspicious(data.replace(forces=forces))
    assert [outlier.configuration for outlier in found] == [6]
    assert "its forces add up to 3.2 eV/A instead of zero" in found[0].reason
    mask = data.force_mask.copy()
    mask[4 * 6] = False  # the forces on a part of the atoms need not
    assert suspicious(data.replace(forces=forces, force_mask=mask)) == []


def test_free_atoms_are_not_mistaken_for_outliers():
    """Cohesive energies are a few eV, those of codes thousands."""
    data = concatenate([emt_set(40, seed=1), labelled([Atoms("Cu"), Atoms("Cu")])])
    shifted = data.replace(energy=data.energy - 45_000.0 * data.n_atoms)
    assert suspicious(shifted) == []


def test_energies_of_two_species_are_compared_by_composition():
    copper, gold = emt_set(20, seed=1), emt_set(20, seed=2)
    gold = gold.replace(
        numbers=np.full_like(gold.numbers, 79), energy=gold.energy - 900.0 * gold.n_atoms
    )
    both = concatenate([copper, gold])
    assert suspicious(both) == []
    energy = both.energy.copy()
    energy[3] = energy[30]  # copper with the energy of gold
    found = suspicious(both.replace(energy=energy))
    assert [(one.configuration, one.kind) for one in found] == [(3, "energy")]


@pytest.mark.parametrize("n", [2, 5, 10, 11, 50])
def test_one_value_of_any_size_does_not_change_what_is_usual(n):
    values = np.linspace(1.0, 2.0, n)
    spoiled = np.append(values[:-1], 1e9)
    assert usual(spoiled) <= 2.0
    assert usual(np.full(3, np.nan)) == 0.0
