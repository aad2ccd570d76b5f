# SPDX-License-Identifier: MIT
"""The contract of graders, as a class of tests to inherit.

    class TestMyGrader(GraderContract):
        def make_grader(self):
            return MyGrader(trained_on=self.make_training())

        def make_training(self):
            return Configurations.from_atoms([...])

Flags say which promises hold; they are set so that nothing is left untested by accident.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.grading.grader import Grader, Grades


class GraderContract:
    """What any grader promises; inherit and say how grader and training set are made.

    Attributes
    ----------
    grades_atoms : bool
        Whether single atoms are graded too.
    largest_training_grade : float or None
        No training configuration has a larger grade; None where there is no such promise.
    tolerance : float
        Relative difference allowed between grades that should be equal.
    """

    grades_atoms: bool = True
    largest_training_grade: float | None = 1.0
    tolerance: float = 1e-6

    def make_grader(self) -> Grader:
        """Return the grader; called once for each test."""
        raise NotImplementedError("say how the grader is made")

    def make_training(self) -> Configurations:
        """Return configurations that the grader knows, periodic, of at least two atoms each."""
        raise NotImplementedError("say what the grader was trained on")

    def make_strange(self) -> Configurations:
        """Return configurations far from training: its atoms displaced by 0.4 A."""
        structures = [self._rattled(atoms, 0.4, seed) for seed, atoms in enumerate(self._known())]
        return Configurations.from_atoms(structures)

    def test_every_configuration_has_a_grade(self) -> None:
        """Grades are finite, not negative, one per configuration."""
        candidates = self.make_strange()
        grades = self.make_grader().grade(candidates)
        assert grades.per_configuration.shape == (len(candidates),)
        assert np.isfinite(grades.per_configuration).all()
        assert (grades.per_configuration >= 0).all()

    def test_grades_of_atoms_are_flat_and_the_largest_counts(self) -> None:
        """Where atoms are graded, a configuration has the grade of its worst atom."""
        candidates = self.make_strange()
        grades = self.make_grader().grade(candidates)
        assert (grades.per_atom is not None) is self.grades_atoms
        if grades.per_atom is not None:
            assert grades.per_atom.shape == (len(candidates.numbers),)
            worst = [
                grades.per_atom[candidates.atoms_slice(index)].max()
                for index in range(len(candidates))
            ]
            np.testing.assert_array_equal(grades.per_configuration, worst)

    def test_what_was_trained_on_is_not_strange(self) -> None:
        """Training configurations stay below the promised grade, distorted ones are beyond."""
        grader = self.make_grader()
        known = grader.grade(self.make_training()).per_configuration
        if self.largest_training_grade is not None:
            assert known.max() <= self.largest_training_grade * (1 + self.tolerance)
        strange = grader.grade(self.make_strange()).per_configuration
        assert strange.min() > known.max()

    def test_grades_do_not_depend_on_the_batch(self) -> None:
        """Graded together, alone or in another order, a configuration has one grade."""
        grader = self.make_grader()
        together = concatenate([self.make_training().without_labels(), self.make_strange()])
        grades = grader.grade(together).per_configuration
        alone = [
            grader.grade(together.select([index])).per_configuration[0]
            for index in range(len(together))
        ]
        self._assert_equal(grades, alone)
        backwards = grader.grade(together.select(np.arange(len(together))[::-1]))
        self._assert_equal(backwards.per_configuration[::-1], grades)

    def test_grades_do_not_depend_on_place_orientation_or_order(self) -> None:
        """Translated, rotated and permuted configurations are graded alike."""
        grader = self.make_grader()
        rng = np.random.default_rng(0)
        rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        moved = []
        for atoms in self.make_strange():
            changed = atoms[rng.permutation(len(atoms))]
            changed.positions += rng.uniform(-3, 3, 3)
            changed.set_cell(changed.cell.array @ rotation)
            changed.set_positions(changed.positions @ rotation)
            moved.append(changed)
        before = grader.grade(self.make_strange()).per_configuration
        self._assert_equal(grader.grade(Configurations.from_atoms(moved)).per_configuration, before)

    def test_a_repeated_cell_is_graded_as_the_cell(self) -> None:
        """A supercell is as strange as the cell that it repeats."""
        grader = self.make_grader()
        strange = self.make_strange()
        repeated = Configurations.from_atoms([atoms.repeat((2, 1, 1)) for atoms in strange])
        self._assert_equal(
            grader.grade(repeated).per_configuration, grader.grade(strange).per_configuration
        )

    def test_nothing_has_no_grades(self) -> None:
        """An empty set is graded without complaint."""
        grades: Grades = self.make_grader().grade(Configurations.empty())
        assert len(grades.per_configuration) == 0

    def _known(self) -> list[Atoms]:
        return list(self.make_training())

    def _rattled(self, atoms: Atoms, size: float, seed: int) -> Atoms:
        changed = Atoms(
            numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc
        )
        directions = np.random.default_rng(seed).standard_normal((len(atoms), 3))
        changed.positions += size * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        return changed

    def _assert_equal(self, given: Any, expected: Any) -> None:
        np.testing.assert_allclose(given, expected, rtol=self.tolerance)
