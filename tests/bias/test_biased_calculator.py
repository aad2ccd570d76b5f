# SPDX-License-Identifier: MIT
"""U - alpha B is one energy: forces and stress are its derivatives, whatever the bias."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from aiida_alpot.bias import BiasedCalculator, CommitteeBias, FixedStrength, GradeBias
from aiida_alpot.bias.grade import CoefficientMTP, log_norm
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.committee_calculator import CommitteeMTP
from aiida_alpot.grading.row_space import row_space
from aiida_alpot.mtp.calculator import MTP

KINDS = ["committee", "grade"]


def assert_is_gradient(calculator, atoms):
    """Compare forces and stress with differences of the energy, and with those of no bias."""
    moved = atoms.copy()
    moved.calc = calculator
    forces = moved.get_forces()
    plain = calculator.results["unbiased_forces"]
    assert np.abs(forces - plain).max() > 1e-2, "the bias does nothing here"
    numerical = calculate_numerical_forces(moved, eps=1e-5)
    np.testing.assert_allclose(forces, numerical, atol=1e-5)
    if atoms.pbc.all():
        moved = atoms.copy()
        moved.calc = calculator
        stress = moved.get_stress()
        assert np.abs(stress - calculator.results["unbiased_stress"]).max() > 1e-4
        numerical = calculate_numerical_stress(moved, eps=1e-6)
        np.testing.assert_allclose(stress, numerical, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.5, -1.0])
def test_forces_and_stress_are_derivatives_of_the_biased_energy(biased, alloy, kind, alpha):
    assert_is_gradient(biased(kind, alpha), alloy)


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
@pytest.mark.parametrize("method", ["projected", "parity"])
def test_the_bias_on_the_grade_knows_all_modes(pair, make_active_set, alloy, mode, method):
    calculator = MTP(pair, active_set=make_active_set(mode, method))
    assert_is_gradient(BiasedCalculator(calculator, GradeBias(), FixedStrength(1.0)), alloy)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_is_biased_without_a_stress(biased, alloy, kind):
    cluster = Atoms(alloy.get_chemical_symbols(), alloy.positions)
    assert_is_gradient(biased(kind), cluster)
    assert "stress" not in biased(kind).results


@pytest.mark.parametrize("kind", KINDS)
def test_without_strength_all_results_are_those_of_the_potential_to_the_last_bit(
    biased, committee, graded, alloy, kind
):
    plain = {"committee": committee, "grade": graded}[kind]
    calculator = biased(kind, 0.0)
    moved = alloy.copy()
    for step in range(3):
        moved.positions[step] += 0.1
        calculator.calculate(moved)
        found = dict(calculator.results)
        plain.calculate(moved)
        for name in ("energy", "free_energy", "forces", "stress", "grade", "grades"):
            np.testing.assert_array_equal(found[name], plain.results[name])
        np.testing.assert_array_equal(found["unbiased_forces"], plain.results["forces"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_energy_is_lowered_by_the_bias_times_its_strength(biased, alloy, kind):
    calculator = biased(kind, 0.7)
    calculator.calculate(alloy)
    found = calculator.results
    assert found["energy"] == found["unbiased_energy"] - 0.7 * found["bias"]
    assert found["bias_strength"] == 0.7
    assert found["unbiased_energy"] == MTP(calculator.calculator.potential).get_potential_energy(
        alloy
    )


def test_the_committee_bias_is_the_deviation_of_its_energies(biased, members, alloy):
    calculator = biased("committee")
    calculator.calculate(alloy)
    energies = [MTP(member).get_potential_energy(alloy) for member in members]
    assert calculator.results["bias"] == pytest.approx(np.std(energies, ddof=1), rel=1e-9)
    graders = CommitteeGrader(members).energy_deviations(Configurations.from_atoms([alloy]))
    assert calculator.results["bias"] == pytest.approx(graders[0], rel=1e-9)


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_the_grade_bias_is_a_bound_of_the_logarithm_of_the_grade(
    pair, make_active_set, alloy, mode
):
    active_set = make_active_set(mode)
    calculator = MTP(pair, active_set=active_set)
    calculator.calculate(alloy)
    grade = np.log(calculator.results["grade"])
    n = active_set.rank * (len(alloy) if mode == "neighborhood" else 1)
    values = []
    for power in (4.0, 8.0, 40.0):
        biased = BiasedCalculator(calculator, GradeBias(power), FixedStrength(1.0))
        biased.calculate(alloy)
        values.append(biased.results["bias"])
        assert grade <= values[-1] <= grade + np.log(n) / power
    assert values == sorted(values, reverse=True), "the larger the power, the nearer to the grade"


@pytest.mark.parametrize("kind", KINDS)
def test_another_number_of_atoms_is_biased_as_what_it_is(biased, alloy, kind):
    used, fresh = biased(kind), biased(kind)
    used.calculate(alloy)
    fewer = alloy[:-1]
    used.calculate(fewer)
    fresh.calculate(fewer)
    np.testing.assert_array_equal(used.results["forces"], fresh.results["forces"])


def test_members_that_agree_bias_nothing(pair, alloy):
    committee = CommitteeMTP(pair, [pair, pair, pair])
    calculator = BiasedCalculator(committee, CommitteeBias(), FixedStrength(1.0))
    calculator.calculate(alloy)
    assert calculator.results["bias"] == pytest.approx(1e-8)
    np.testing.assert_array_equal(
        calculator.results["forces"], calculator.results["unbiased_forces"]
    )


def test_what_the_calculator_lacks_is_said_in_one_line(pair, graded, committee):
    strength = FixedStrength(1.0)
    with pytest.raises(SettingError, match="needs a committee of potentials"):
        BiasedCalculator(graded, CommitteeBias(), strength)
    with pytest.raises(SettingError, match="needs an active set"):
        BiasedCalculator(MTP(pair), GradeBias(), strength)
    with pytest.raises(SettingError, match="needs an active set"):
        BiasedCalculator(committee, GradeBias(), strength)
    with pytest.raises(SettingError, match="only a committee tells"):
        BiasedCalculator(graded, GradeBias(), strength, tolerance=0.3)


def test_directions_that_no_environment_shows_are_never_followed(pair, active_set, alloy):
    """Mixed radial functions are the same potential; the bias must not depend on the mixture."""
    calculator = CoefficientMTP(pair, active_set=active_set)
    calculator.calculate(alloy)
    _, by_coefficient = log_norm(calculator.coefficients, 8.0)
    directions = by_coefficient @ active_set.coefficient_matrix.T
    absent = row_space(pair).absent_rows
    assert len(absent) > 0
    overlap = directions @ absent.T
    scale = np.linalg.norm(directions, axis=1).max() * np.linalg.norm(absent, axis=1).max()
    assert np.abs(overlap).max() < 1e-9 * scale
