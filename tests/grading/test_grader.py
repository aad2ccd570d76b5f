# SPDX-License-Identifier: MIT
"""What grades mean: sizes of cells, defects, species never seen."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader, Grader

REPEATS = (3, 4, 6, 8, 10)  # 54, 128, 432, 1024, 2000 atoms of bcc


@pytest.fixture(scope="module")
def lithium(make_potential):
    return make_potential(8, ("Li",))


@pytest.fixture(scope="module")
def lithium_training(make_cells):
    return make_cells(30, symbol="Li", crystal="bcc", a=3.45, rattle=0.15, repeats=(2, 3))


@pytest.fixture(scope="module")
def interstitials():
    structures = []
    for repeat in REPEATS:
        atoms = bulk("Li", "bcc", a=3.45, cubic=True).repeat(repeat)
        atoms.append("Li")
        atoms.positions[-1] = (1.725, 1.725, 0.0)
        structures.append(atoms)
    return Configurations.from_atoms(structures)


def test_an_interstitial_is_graded_alike_in_all_cells_by_neighborhood(
    lithium, lithium_training, interstitials
):
    active_set = build_active_set(lithium, lithium_training, mode="neighborhood")
    grades = ExtrapolationGrader(lithium, active_set).grade(interstitials)
    assert grades.per_configuration.min() > 10.0
    np.testing.assert_allclose(grades.per_configuration, grades.per_configuration[0], rtol=1e-6)
    for index in range(len(interstitials)):
        per_atom = grades.per_atom[interstitials.atoms_slice(index)]
        assert per_atom.max() == grades.per_configuration[index]
        # the defect and the atoms within the cutoff stand out, the rest is bulk
        assert np.median(per_atom[:100]) <= grades.per_configuration[index]
        assert (per_atom > 0.5 * per_atom.max()).sum() < 20


def test_an_interstitial_is_diluted_by_the_size_of_the_cell_in_configuration_mode(
    lithium, lithium_training, interstitials
):
    active_set = build_active_set(lithium, lithium_training, mode="configuration")
    grades = ExtrapolationGrader(lithium, active_set).grade(interstitials)
    assert grades.per_atom is None
    assert (np.diff(grades.per_configuration) < 0.0).all()
    assert grades.per_configuration[0] > 10.0 * grades.per_configuration[-1]


def test_a_pair_of_species_never_seen_together_has_a_huge_grade(make_potential, make_cells):
    potential = make_potential(8, ("Cu", "Ni"))
    copper = make_cells(15, symbol="Cu", repeats=(1, 2))
    nickel = make_cells(15, symbol="Ni", a=3.52, repeats=(1, 2), seed=1)
    active_set = build_active_set(potential, concatenate([copper, nickel]))
    grader = ExtrapolationGrader(potential, active_set)
    alloy = copper.replace(numbers=np.where(np.arange(len(copper.numbers)) % 4, 29, 28))
    assert active_set.n_initialized < active_set.rank
    assert grader.grade(alloy).per_configuration.min() > 1e3
    assert grader.grade(copper).per_configuration.max() <= 1.0 + 1e-6
    assert grader.grade(nickel).per_configuration.max() <= 1.0 + 1e-6


def test_grades_do_not_change_with_the_order_of_atoms_or_by_rotation(
    lithium, lithium_training, make_cells
):
    active_set = build_active_set(lithium, lithium_training)
    grader = ExtrapolationGrader(lithium, active_set)
    atoms = make_cells(1, symbol="Li", crystal="bcc", a=3.4, seed=8, repeats=(2,)).atoms(0)
    order = np.random.default_rng(0).permutation(len(atoms))
    rotated = atoms.copy()
    rotated.rotate(33.0, (1, 2, 3), rotate_cell=True)
    grades = grader.grade(Configurations.from_atoms([atoms, atoms[order], rotated]))
    first, permuted, turned = np.split(grades.per_atom, 3)
    np.testing.assert_allclose(permuted, first[order], rtol=1e-8)
    np.testing.assert_allclose(turned, first, rtol=1e-6)


def test_nothing_gives_no_grades(lithium, lithium_training):
    grader = ExtrapolationGrader(lithium, build_active_set(lithium, lithium_training))
    assert isinstance(grader, Grader)
    grades = grader.grade(Configurations.empty())
    assert len(grades.per_configuration) == 0
    assert len(grades.per_atom) == 0
