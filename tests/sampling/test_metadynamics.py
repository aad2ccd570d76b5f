# SPDX-License-Identifier: MIT
"""Hills drive dynamics out of where it has been, and the frames stay those of the calculator."""

import importlib.util

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.trajectories.collective_variables import parse_variable
from aiida_alpot.sampling.trajectories.hills import Hills, WithHills
from aiida_alpot.testing.calculators import assert_gradients
from aiida_alpot.testing.chain_molecule import ChainForces, make_chain, torsions
from aiida_alpot.testing.samplers import SamplerContract

TORSION = {"variables": ["dihedral 0 1 2 3"], "temperature_K": 300, "timestep_fs": 1.0}


def crystal():
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.rattle(0.1, seed=1)
    return atoms


class TestContract(SamplerContract):
    def make_starts(self):
        starts = [make_chain(4, identifier=f"chain {seed}") for seed in range(2)]
        for seed, atoms in enumerate(starts):
            atoms.rattle(0.03, seed=seed)
        return starts

    def make_calculator(self):
        return ChainForces()

    def make_sampler(self):
        return make_sampler("metadynamics", {**TORSION, "steps": 12, "hill_every": 3})


@pytest.mark.parametrize(
    "text",
    ["distance 0 5", "angle 1 0 4", "dihedral 0 1 3 6", "coordination 2 3.0", "distance 7 0"],
)
@pytest.mark.parametrize("structure", [crystal, lambda: make_chain(8)], ids=["crystal", "chain"])
def test_the_gradient_of_a_variable_is_that_of_its_value(text, structure):
    atoms = structure()
    atoms.rattle(0.1, seed=2)
    variable = parse_variable(text)
    _, gradient = variable.evaluate(atoms)
    assert str(variable).split()[:2] == text.split()[:2]
    for index in np.ndindex(*gradient.shape):
        values = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index] += sign * 1e-4
            values.append(variable.evaluate(moved)[0])
        slope = variable.difference(values[0], values[1]) / 2e-4
        assert gradient[index] == pytest.approx(slope, abs=1e-4)


def test_variables_have_the_values_that_ase_finds():
    atoms = make_chain(5)
    atoms.rattle(0.2, seed=3)
    values = [
        parse_variable(text).evaluate(atoms)[0]
        for text in ("distance 0 3", "angle 0 1 2", "dihedral 0 1 2 3")
    ]
    expected = [atoms.get_distance(0, 3), atoms.get_angle(0, 1, 2), atoms.get_dihedral(0, 1, 2, 3)]
    np.testing.assert_allclose(values, expected, rtol=1e-12)


def test_an_atom_of_a_crystal_has_its_nearest_neighbours_as_coordination():
    atoms = bulk("Cu", cubic=True) * 3
    count, _ = parse_variable("coordination 0 3.0").evaluate(atoms)
    assert 11.0 < count < 14.0


def test_the_forces_of_the_hills_are_the_gradient_of_the_bias():
    atoms = crystal()
    variables = [parse_variable(one) for one in ("distance 0 5", "coordination 2 3.0")]
    hills = Hills(variables, [0.2, 0.3], height=0.5, tempering=1.0)
    for seed in range(3):
        moved = atoms.copy()
        moved.rattle(0.05, seed=seed)
        hills.lay(moved)
    assert_gradients(WithHills(EMT(), hills), atoms, stress=False)


def test_hills_in_one_place_grow_lower_by_the_rule_of_tempering():
    atoms, tempering = make_chain(4), 9 * units.kB * 300
    hills = Hills([parse_variable("dihedral 0 1 2 3")], [20.0], height=0.02, tempering=tempering)
    total = 0.0
    for _ in range(5):
        hills.lay(atoms)
        assert hills.heights[-1] == pytest.approx(0.02 * np.exp(-total / tempering))
        total += hills.heights[-1]
    assert hills.evaluate(atoms)[0] == pytest.approx(total)


def test_a_dihedral_has_no_seam():
    hills = Hills([parse_variable("dihedral 0 1 2 3")], [20.0], height=1.0, tempering=np.inf)
    hills.restore({"centres": [[179.0]], "heights": [1.0]})
    other = Hills(hills.variables, [20.0], height=1.0, tempering=np.inf)
    other.restore({"centres": [[539.0]], "heights": [1.0]})
    atoms = make_chain(4)
    atoms.set_dihedral(0, 1, 2, 3, 182.0, indices=[3])
    assert hills.evaluate(atoms)[0] == pytest.approx(other.evaluate(atoms)[0])
    assert hills.evaluate(atoms)[0] == pytest.approx(np.exp(-((3 / 20) ** 2) / 2))


def test_the_forces_of_the_chain_are_those_of_its_energy():
    atoms = make_chain(6)
    atoms.rattle(0.3, seed=5)
    assert_gradients(ChainForces(), atoms, stress=False)


def wells_visited(kind, **settings):
    sampler = make_sampler(kind, settings)
    wells = set()
    for frame in sampler.frames([make_chain(4)], ChainForces(), np.random.default_rng(0)):
        [angle] = torsions(frame.atoms)
        wells.add(int(angle // 120))
    return wells


def test_metadynamics_finds_the_conformations_that_dynamics_does_not():
    dynamics = {"temperature_K": 150, "steps": 2500, "timestep_fs": 1.0}
    assert wells_visited("molecular_dynamics", **dynamics) == {1}
    biased = {**dynamics, "variables": ["dihedral 0 1 2 3"], "hill_every": 25}
    assert wells_visited("metadynamics", **biased) == {0, 1, 2}


def test_a_variable_of_an_atom_that_is_not_there_is_refused():
    sampler = make_sampler("metadynamics", {**TORSION, "steps": 5})
    with pytest.raises(GeometryError, match="has 3 atoms; the variables name atom 3"):
        run_sampler(sampler, [make_chain(3)], ChainForces(), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give either 'variables' or 'plumed'"),
        ({"variables": ["distance 0 0"]}, "The variable 'distance 0 0' is none"),
        ({"variables": ["distance 0"]}, "write 'distance I J'"),
        ({"variables": ["coordination 0 -1"]}, "is none"),
        ({"variables": ["rings 0 1"]}, "is none"),
        ({"variables": ["distance 0 1"], "widths": [0.1, 0.2]}, "number for each variable"),
        ({"variables": ["distance 0 1"], "bias_factor": 1}, "above 1, or null"),
        ({"plumed": ["LOAD FILE=evil.cpp"]}, "without LOAD"),
        ({"plumed": ["d: DISTANCE ATOMS=1,2", "a: INCLUDE FILE=x"]}, "without LOAD, INCLUDE"),
        ({"plumed": ["x: PYFUNCTION IMPORT=os"]}, "could run code"),
    ],
)
def test_settings_that_bias_nothing_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        make_sampler("metadynamics", {"temperature_K": 300, "steps": 5, **settings})


@pytest.mark.skipif(
    importlib.util.find_spec("plumed") is not None, reason="PLUMED is installed here"
)
def test_without_plumed_it_is_said_what_to_install():
    sampler = make_sampler("metadynamics", {"temperature_K": 9, "steps": 5, "plumed": ["PRINT"]})
    with pytest.raises(SettingError, match="conda install -c conda-forge py-plumed"):
        run_sampler(sampler, [make_chain(4)], ChainForces(), rng=np.random.default_rng(0))
