# SPDX-License-Identifier: MIT
"""Two atoms pushed together in a structure: hollows are found where they are."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.compression import closest_pair, compression_curve, find_hollows
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.zbl import CorePair, ZblCore, screened_repulsion

from .builders import random_potential, slab_mixed_pbc

CU = CorePair("Cu", "Cu", 1.3, 1.9)


def potential_of_pairs(strength: float):
    """Return a potential of level 2, a pair potential strength (5 - r)^2 without its core."""
    rng = np.random.default_rng(0)
    potential = initial_potential(2, 5.0, species=["Cu"], min_distance=2.0, rng=rng)
    parameters = np.zeros(potential.n_parameters)
    # V_i = xi * scaling * sum (5 - r)^2 with T_0 = 1
    parameters[0] = 1.0
    parameters[-1] = 0.5 * strength / potential.scaling
    return potential.with_parameters(parameters).with_core(ZblCore((CU,)))


def test_the_closest_pair_is_found_through_the_boundary():
    near = Atoms("Cu2Au", positions=[[0.2, 0, 0], [7.9, 0, 0], [4, 0, 0]], cell=[10, 10, 10])
    near.pbc = True
    far = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 3.0]])
    found = closest_pair(Configurations.from_atoms([far, near]), CU, 5.0)
    assert found.configuration == 1
    assert {found.first, found.second} == {0, 1}
    assert np.linalg.norm(found.vector) == pytest.approx(2.3)
    assert closest_pair(Configurations.from_atoms([far]), CorePair("Cu", "Au", 1, 2), 5.0) is None


def test_the_curve_of_two_atoms_is_their_energy():
    potential = potential_of_pairs(0.3)
    dimer = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.5]])
    closest = closest_pair(Configurations.from_atoms([dimer]), CU, 5.0)
    distances = np.array([0.5, 1.0, 1.3, 2.0, 2.5])
    expected = screened_repulsion("Cu", "Cu", distances)
    expected[3:] = 0.3 * (5.0 - distances[3:]) ** 2
    found = compression_curve(potential, dimer, closest, distances)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_curve_ends_at_the_structure_itself():
    atoms = slab_mixed_pbc()
    potential = random_potential(8, atoms)
    configurations = Configurations.from_atoms([atoms])
    closest = closest_pair(configurations, CorePair("Al", "Ni", 0.5, 1.0), potential.cutoff)
    [energy] = compression_curve(potential, atoms, closest, [np.linalg.norm(closest.vector)])
    assert energy == pytest.approx(evaluate(potential, configurations).energy[0], rel=1e-12)


def test_a_repulsive_potential_has_no_hollow():
    training = Configurations.from_atoms([bulk("Cu", cubic=True)])
    assert find_hollows(potential_of_pairs(0.2), training) == ()


def test_a_hollow_is_found_where_the_potential_attracts_below_its_data():
    training = Configurations.from_atoms([bulk("Cu", cubic=True)])
    potential = potential_of_pairs(-2.0)
    [hollow] = find_hollows(potential, training)
    assert hollow.pair == CU
    assert 1.3 < hollow.distance < 2.0
    assert hollow.depth > 1.0
    assert find_hollows(potential.with_core(None), training) == ()
