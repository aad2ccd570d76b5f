# SPDX-License-Identifier: MIT
"""Equation of state, elastic constants and vacancies against known numbers of ASE's EMT."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from aiida_alpot.errors import SettingError
from aiida_alpot.properties import (
    ElasticSettings,
    EquationOfStateSettings,
    PropertyError,
    VacancySettings,
    elastic,
    equation_of_state,
    vacancy,
)
from aiida_alpot.properties.equation_of_state import count_repeats

# lattice constant (A), C11, C12, C44 (GPa): computed with an independent implementation
EMT_CRYSTALS = {
    "Al": (3.9943, 53.3, 32.9, 36.2),
    "Cu": (3.5898, 172.6, 115.4, 89.9),
    "Pt": (3.9218, 318.0, 258.5, 79.1),
}
# relaxed and unrelaxed vacancy formation energy in 108 sites, eV
EMT_VACANCIES = {"Al": (0.952, 0.976), "Cu": (1.224, 1.238), "Au": (0.736, 0.754)}


@pytest.mark.parametrize("symbol", EMT_CRYSTALS)
def test_elastic_constants_of_emt(symbol):
    a, *expected = EMT_CRYSTALS[symbol]
    found = elastic(EMT(), bulk(symbol, a=1.01 * a, cubic=True))
    np.testing.assert_allclose([found.C11_GPa, found.C12_GPa, found.C44_GPa], expected, atol=0.06)
    matrix = np.array(found.matrix_GPa)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.abs(matrix[:3, 3:]).max() < 1e-6


@pytest.mark.parametrize("symbol", EMT_CRYSTALS)
def test_the_lattice_constant_and_bulk_modulus_of_emt(symbol):
    a, c11, c12, _ = EMT_CRYSTALS[symbol]
    found = equation_of_state(EMT(), bulk(symbol, a=a, cubic=True))
    assert found.lattice_constant_A == pytest.approx(a, abs=1e-4)
    # within 1 %: EMT is not smooth enough in the volume for the fit to agree better (Al)
    assert found.bulk_modulus_GPa == pytest.approx((c11 + 2 * c12) / 3, rel=1e-2)


def test_elastic_constants_turn_with_the_crystal():
    crystal = bulk("Cu", a=3.5898, cubic=True)
    turned = crystal.copy()
    turned.rotate(45, "z", rotate_cell=True)
    plain = np.array(elastic(EMT(), crystal).matrix_GPa)
    matrix = np.array(elastic(EMT(), turned).matrix_GPa)
    # C11' = (C11 + C12 + 2 C44) / 2 and C66' = (C11 - C12) / 2 after 45 degrees about z
    assert matrix[0, 0] == pytest.approx((plain[0, 0] + plain[0, 1]) / 2 + plain[3, 3], rel=1e-3)
    assert matrix[5, 5] == pytest.approx((plain[0, 0] - plain[0, 1]) / 2, rel=1e-3)


@pytest.mark.parametrize("symbol", EMT_VACANCIES)
def test_the_vacancy_formation_energy_of_emt(symbol):
    relaxed, unrelaxed = EMT_VACANCIES[symbol]
    found = vacancy(EMT(), bulk(symbol, cubic=True) * (3, 3, 3), VacancySettings(site=5))
    assert found.formation_energy_eV == pytest.approx(relaxed, abs=1e-3)
    assert found.unrelaxed_formation_energy_eV == pytest.approx(unrelaxed, abs=1e-3)
    assert found.n_atoms == 107


def test_the_window_moves_to_a_minimum_outside_of_it():
    far = equation_of_state(EMT(), bulk("Cu", a=3.80, cubic=True))
    near = equation_of_state(EMT(), bulk("Cu", a=3.59, cubic=True))
    assert far.lattice_constant_A == pytest.approx(near.lattice_constant_A, abs=2e-4)
    assert far.bulk_modulus_GPa == pytest.approx(near.bulk_modulus_GPa, rel=2e-3)


def test_a_supercell_has_the_lattice_constant_of_its_unit_cell():
    cell = bulk("Cu", cubic=True)
    one = equation_of_state(EMT(), cell)
    many = equation_of_state(EMT(), cell * (1, 3, 2))
    assert many.lattice_constants_A == pytest.approx(one.lattice_constants_A, abs=1e-6)
    assert many.energy_per_atom_eV == pytest.approx(one.energy_per_atom_eV, abs=1e-8)


@pytest.mark.parametrize(
    ("atoms", "repeats"),
    [
        (bulk("Cu", cubic=True) * (3, 1, 2), (3, 1, 2)),
        (bulk("Cu") * (2, 2, 2), (2, 2, 2)),
        (bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (1, 2, 1), (1, 2, 1)),
        (Atoms("CuAu", [(0, 0, 0), (2, 0, 0)], cell=[4, 2, 2], pbc=True), (1, 1, 1)),
        (Atoms("Cu2", [(0, 0, 0), (2, 0, 0)], cell=[4, 2, 2], pbc=True), (2, 1, 1)),
    ],
)
def test_repeats_of_a_cell_are_its_translations(atoms, repeats):
    assert count_repeats(atoms) == repeats


def test_internal_positions_relax_at_each_volume():
    # hexagonal cell of which the inner atom has been moved off its site
    moved = bulk("Cu", "hcp", a=2.55, c=4.16)
    moved.positions[1] += 0.1
    relaxed = equation_of_state(EMT(), moved)
    sites = equation_of_state(EMT(), bulk("Cu", "hcp", a=2.55, c=4.16))
    assert relaxed.energy_per_atom_eV == pytest.approx(sites.energy_per_atom_eV, abs=1e-5)


def test_the_bulk_modulus_is_the_curvature_of_the_points():
    found = equation_of_state(EMT(), bulk("Cu", cubic=True), EquationOfStateSettings(strain=0.005))
    curve = np.polynomial.Polynomial.fit(found.volumes, found.energies, 4)
    volume = found.volume_per_atom_A3
    assert volume * curve.deriv(2)(volume) / units.GPa == pytest.approx(
        found.bulk_modulus_GPa, rel=1e-3
    )


def test_an_energy_without_a_minimum_is_no_equation_of_state():
    repulsive = LennardJones(sigma=9.0, epsilon=1.0, rc=9.0)
    with pytest.raises(PropertyError, match="has no minimum between"):
        equation_of_state(repulsive, bulk("Cu", cubic=True) * (2, 2, 2))


def test_a_relaxation_without_a_minimum_says_why():
    crystal = bulk("Cu", cubic=True) * (2, 2, 2)
    crystal.rattle(0.2, seed=0)
    with pytest.raises(PropertyError, match=r"Cu32 ended without a minimum \(largest force"):
        vacancy(EMT(), crystal, VacancySettings(steps=25, fmax=1e-5))


def test_what_makes_no_sense_is_refused():
    cluster = Atoms("Cu2", positions=[(0, 0, 0), (0, 0, 2.3)])
    for measure in (equation_of_state, elastic, vacancy):
        with pytest.raises(SettingError, match="Cu2 is not periodic in three directions"):
            measure(EMT(), cluster)
    with pytest.raises(SettingError, match="several species"):
        vacancy(EMT(), bulk("CuAu", "rocksalt", a=5))
    with pytest.raises(SettingError, match="below the number of atoms, 4"):
        vacancy(EMT(), bulk("Cu", cubic=True), VacancySettings(site=4))
    with pytest.raises(SettingError, match="'strain' is 0"):
        ElasticSettings(strain=0.0)


def test_the_structure_is_not_modified():
    crystal = bulk("Cu", a=3.6, cubic=True) * (2, 2, 2)
    before = crystal.copy()
    for measure in (equation_of_state, elastic, vacancy):
        assert dataclasses.is_dataclass(measure(EMT(), crystal))
        assert crystal == before
        assert crystal.calc is None
