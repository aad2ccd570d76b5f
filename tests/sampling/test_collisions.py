# SPDX-License-Identifier: MIT
"""Collisions are noticed when they happen, however seldom the pairs are listed."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.sampling import collisions
from aiida_alpot.sampling.collisions import CollisionWatch


@pytest.fixture
def searches(monkeypatch):
    """The sizes of the structures that were searched for pairs."""
    counted = []
    original = collisions.neighbor_list

    def count(atoms, cutoff):
        counted.append(len(atoms))
        return original(atoms, cutoff)

    monkeypatch.setattr(collisions, "neighbor_list", count)
    return counted


@pytest.mark.parametrize("seed", range(3))
def test_a_watch_agrees_with_a_search_at_every_step(seed):
    rng = np.random.default_rng(seed)
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    watch = CollisionWatch(1.9)
    found = []
    for _ in range(200):
        atoms.positions += rng.normal(scale=0.05, size=(len(atoms), 3))
        atoms.set_cell(atoms.cell @ (np.eye(3) + rng.normal(scale=2e-3, size=(3, 3))))
        expected = CollisionWatch(1.9).find(atoms)
        assert (watch.find(atoms) is None) == (expected is None)
        found.append(expected is not None)
    assert 10 < sum(found) < 190


def test_pairs_are_listed_once_while_atoms_vibrate(searches):
    rng = np.random.default_rng(0)
    sites = bulk("Cu", cubic=True) * (3, 3, 3)
    watch = CollisionWatch()
    for _ in range(50):
        atoms = sites.copy()
        atoms.rattle(0.06, rng=rng)
        atoms.set_cell(sites.cell * rng.uniform(0.99, 1.01), scale_atoms=True)
        assert watch.find(atoms) is None
    assert len(searches) == 1


def test_the_default_distance_is_half_the_sum_of_the_covalent_radii():
    # covalent radii: H 0.31 A, O 0.66 A
    assert CollisionWatch().find(Atoms("OH", positions=[(0, 0, 0), (0, 0, 0.49)])) is None
    found = CollisionWatch().find(Atoms("OH", positions=[(0, 0, 0), (0, 0, 0.48)]))
    assert found.allowed == pytest.approx(0.485)
    assert found.distance == pytest.approx(0.48)
    assert CollisionWatch().find(Atoms("H2", positions=[(0, 0, 0), (0, 0, 0.48)])) is None


def test_an_atom_can_collide_with_its_own_image():
    atoms = Atoms("Cu", cell=[1.0, 8, 8], pbc=True)
    assert CollisionWatch().find(atoms) is not None
