# SPDX-License-Identifier: MIT
"""Grades by the disagreement of a committee meet the contract of graders."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.fitting.training import TrainingSettings, train_potential
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.testing.graders import GraderContract


def labelled_cells():
    structures = []
    for seed in range(8):
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        atoms.rattle(0.08, seed=seed)
        atoms.calc = EMT()
        atoms.get_forces()
        structures.append(atoms)
    return Configurations.from_atoms(structures)


@pytest.fixture(scope="module")
def training():
    return labelled_cells()


@pytest.fixture(scope="module")
def committee(training):
    initial = start_potential(training, level=6, cutoff=4.5)
    settings = TrainingSettings(committee=CommitteeSettings(4), max_iterations=15)
    trained = train_potential(training, initial=initial, settings=settings)
    return [member.potential for member in trained.committee]


class TestCommittee(GraderContract):
    largest_training_grade = None
    tolerance = 1e-5

    @pytest.fixture(autouse=True)
    def _take(self, committee, training):
        self.committee, self.training = committee, training

    def make_grader(self):
        return CommitteeGrader(self.committee)

    def make_training(self):
        return self.training


def test_a_grade_is_the_standard_deviation_of_forces(committee, training):
    grades = CommitteeGrader(committee).grade(training)
    forces = np.array([evaluate(potential, training).forces for potential in committee])
    expected = np.sqrt(forces.var(axis=0, ddof=1).sum(axis=1))
    np.testing.assert_allclose(grades.per_atom, expected, rtol=1e-10)


def test_members_that_agree_grade_nothing(committee, training):
    grades = CommitteeGrader([committee[0]] * 3).grade(training)
    assert not grades.per_atom.any()


def test_a_committee_needs_two_members_of_the_same_species(committee, make_potential):
    with pytest.raises(SettingError, match="committee of 1 cannot disagree"):
        CommitteeGrader(committee[:1])
    with pytest.raises(SpeciesError, match="Au and Cu"):
        CommitteeGrader([committee[0], make_potential(6, ["Au"])])
