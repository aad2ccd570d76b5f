# SPDX-License-Identifier: MIT
"""Chains stop where atoms come nearer than a potential knows, unless a core holds them apart."""

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.mtp import MTP, initial_potential
from aiida_alpot.mtp.zbl import CorePair, ZblCore
from aiida_alpot.sampling import StopRules, run_sampler
from aiida_alpot.sampling.base import Frame

MIN_DISTANCE = 2.2
CORE = ZblCore((CorePair("Cu", "Cu", 1.4, 2.1),))


class Approach:
    """Moves the second atom of a dimer towards the first, 0.1 A in each step."""

    joint = False
    independent = False

    def check(self, starts):
        """Take any start."""

    def frames(self, starts, calculator, rng):
        [start] = starts
        atoms = start.copy()
        atoms.calc = calculator
        for step in range(20):
            atoms.get_forces()
            yield Frame(atoms, 0, step)
            atoms.positions[1, 2] -= 0.1


def approach(core=None, **rules):
    potential = initial_potential(
        4, 5.0, species=["Cu"], min_distance=MIN_DISTANCE, rng=np.random.default_rng(0)
    )
    [chain] = run_sampler(
        Approach(),
        [Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.55]])],
        MTP(potential.with_core(core)),
        rng=np.random.default_rng(0),
        stop_rules=StopRules(max_energy_change=None, **rules),
    ).chains
    return chain


def test_a_chain_stops_far_below_the_distances_of_the_data():
    chain = approach()
    assert chain.stop == "collision"
    # 0.7 of 2.2 A, above the 1.32 A of the covalent radii
    assert "are 1.45 A apart, nearer than 1.54 A" in chain.reason


def test_an_explicit_distance_goes_before_the_default():
    assert "nearer than 2 A" in approach(collision_distance=2.0).reason
    assert "nearer than 1 A" in approach(collision_distance=1.0).reason


def test_an_overlay_does_not_change_where_a_chain_stops():
    overlay = ZblCore(CORE.pairs, fades=False)
    assert "nearer than 1.54 A" in approach(overlay).reason


@pytest.mark.parametrize("rules", [{}, {"collision_distance": 1.2}])
def test_with_a_core_only_an_explicit_distance_stops_a_chain(rules):
    chain = approach(CORE, **rules)
    if rules:
        assert "nearer than 1.2 A" in chain.reason
    else:
        assert (chain.stop, chain.steps) == ("finished", 19)
