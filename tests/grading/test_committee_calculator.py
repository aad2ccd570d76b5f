# SPDX-License-Identifier: MIT
"""A committee grades on the way what its first potential computes."""

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.committee_calculator import CommitteeMTP
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.mlip_files import write_potential


@pytest.fixture(scope="module")
def members(make_potential):
    """Three of one level, the last one of a longer cutoff than the others."""
    return [make_potential(6, seed=1), make_potential(6, seed=2), make_potential(6, cutoff=5.5)]


@pytest.fixture
def make_calculator(potential, members):
    return lambda **settings: CommitteeMTP(potential, members, **settings)


@pytest.fixture
def atoms():
    cell = bulk("Cu", a=3.6, cubic=True) * (2, 1, 1)
    cell.rattle(0.1, seed=3)
    return cell


def grades_of(calculator, atoms):
    calculator.calculate(atoms)
    return calculator.results["grades"]


def test_energy_forces_and_stress_are_those_of_the_potential_to_the_last_bit(
    make_calculator, potential, atoms
):
    graded, plain = make_calculator(), MTP(potential)
    for step in range(3):
        atoms.positions[step] += 0.1
        graded.calculate(atoms)
        plain.calculate(atoms)
        for name, value in plain.results.items():
            np.testing.assert_array_equal(graded.results[name], value)


def test_grades_are_those_of_the_grader(make_calculator, members, atoms):
    calculator = make_calculator(threads=2)
    for seed in range(3):
        atoms.rattle(0.05, seed=seed)
        expected = CommitteeGrader(members).grade(Configurations.from_atoms([atoms]))
        np.testing.assert_allclose(grades_of(calculator, atoms), expected.per_atom, rtol=1e-10)
        assert calculator.results["grade"] == calculator.results["grades"].max() > 0.0
    assert calculator.get_property("grade", atoms) == calculator.results["grade"]


def test_other_atoms_are_graded_as_what_they_are(make_calculator, members, atoms):
    calculator = make_calculator()
    grades_of(calculator, atoms)
    fewer = atoms[:-1]
    expected = CommitteeGrader(members).grade(Configurations.from_atoms([fewer])).per_atom
    np.testing.assert_allclose(grades_of(calculator, fewer), expected, rtol=1e-10)


def test_equal_members_never_disagree(potential, members, atoms):
    assert not grades_of(CommitteeMTP(potential, [members[0]] * 3), atoms).any()


def test_two_members_deviate_by_their_difference_over_the_root_of_two(members, potential, atoms):
    one, other = (MTP(member) for member in members[:2])
    difference = one.get_forces(atoms) - other.get_forces(atoms)
    expected = np.linalg.norm(difference, axis=1) / np.sqrt(2.0)
    found = grades_of(CommitteeMTP(potential, members[:2]), atoms)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_grades_turn_and_move_with_the_atoms(make_calculator, atoms):
    before = grades_of(make_calculator(), atoms)
    rotation, _ = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ rotation)
    moved.set_positions((atoms.positions + np.array([0.3, -2.0, 5.1])) @ rotation)
    np.testing.assert_allclose(grades_of(make_calculator(), moved), before, rtol=1e-9)


def test_potential_and_members_come_from_files(tmp_path, potential, members, atoms):
    write_potential(potential, tmp_path / "first.mtp")
    paths = [tmp_path / f"member_{number}.mtp" for number in range(len(members))]
    for member, path in zip(members, paths, strict=True):
        write_potential(member, path)
    from_files = CommitteeMTP(tmp_path / "first.mtp", paths)
    np.testing.assert_array_equal(
        grades_of(from_files, atoms), grades_of(CommitteeMTP(potential, members), atoms)
    )


def test_what_cannot_disagree_is_refused(potential, members, make_potential):
    with pytest.raises(SettingError, match="committee of 1 cannot disagree"):
        CommitteeMTP(potential, members[:1])
    with pytest.raises(SpeciesError, match="Au and Cu"):
        CommitteeMTP(make_potential(6, ["Au"]), members)
