# SPDX-License-Identifier: MIT
"""Neighbour lists against those of ASE on awkward systems, and their order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.neighborlist import neighbor_list as ase_neighbor_list

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError
from aiida_alpot.neighbors import batch_neighbor_list, minimum_distance, neighbor_list, pair_vectors

CUTOFF = 4.3
SKEWED = [[3.0, 0.0, 0.0], [2.5, 2.0, 0.0], [-2.0, 1.5, 3.0]]


def random_atoms(n_atoms: int, cell: list, pbc: object) -> Atoms:
    positions = np.random.default_rng(n_atoms).random((n_atoms, 3)) * 4.0
    return Atoms(f"Cu{n_atoms}", positions=positions, cell=cell, pbc=pbc)


def outside_of_the_cell() -> Atoms:
    atoms = bulk("Ni", a=3.52, cubic=True) * (2, 2, 2)
    images = np.random.default_rng(0).integers(-3, 4, (len(atoms), 3))
    atoms.positions += images @ atoms.cell.array + 0.01
    return atoms


def slab_without_third_vector() -> Atoms:
    slab = fcc111("Al", (2, 3, 3), vacuum=6.0)
    slab.set_cell([*slab.cell.array[:2], [0.0, 0.0, 0.0]])
    slab.pbc = (True, True, False)
    return slab


SYSTEMS: dict[str, Callable[[], Atoms]] = {
    "crystal": lambda: bulk("Ni", a=3.52, cubic=True) * (3, 3, 3),
    "one atom in a small cell": lambda: bulk("Ni", a=3.52),
    "outside of the cell": outside_of_the_cell,
    "slab without third vector": slab_without_third_vector,
    "cluster": lambda: molecule("C60"),
    "isolated atom": lambda: Atoms("Cu"),
    "cluster in a cell smaller than itself": lambda: random_atoms(9, [2.0, 2.0, 2.0], False),
    "skewed cell": lambda: random_atoms(3, SKEWED, True),
    "left-handed cell": lambda: random_atoms(4, SKEWED[::-1], True),
    "skewed cell, mixed boundaries": lambda: random_atoms(3, SKEWED, (True, False, True)),
    "wire": lambda: random_atoms(2, [[0, 0, 0], [0, 0, 0], [0, 0.5, 2.5]], (False, False, True)),
    "flat cell": lambda: random_atoms(2, [9.0, 9.0, 1.1], True),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_pairs_are_those_of_ase_in_order_of_atom_neighbor_and_image(system):
    atoms = SYSTEMS[system]()
    atom, neighbor, vectors, shifts = ase_neighbor_list("ijDS", atoms, CUTOFF)
    order = np.lexsort((*shifts.T[::-1], neighbor, atom))
    pairs = neighbor_list(atoms, CUTOFF)
    np.testing.assert_array_equal(
        np.repeat(np.arange(len(atoms)), np.diff(pairs.first)), atom[order]
    )
    np.testing.assert_array_equal(pairs.neighbor, neighbor[order])
    np.testing.assert_array_equal(pairs.shifts, shifts[order])
    np.testing.assert_allclose(pairs.vectors, vectors[order], atol=1e-12)
    assert pairs.n_atoms == len(atoms)
    assert pairs.largest_count == np.bincount(atom, minlength=1).max()


def test_a_batch_joins_the_lists_of_its_configurations():
    structures = [make() for make in SYSTEMS.values()]
    configurations = Configurations.from_atoms(structures)
    batch = batch_neighbor_list(configurations, CUTOFF)
    assert batch.n_atoms == configurations.offsets[-1]
    for index, atoms in enumerate(structures):
        single = neighbor_list(atoms, CUTOFF)
        start, end = configurations.offsets[index : index + 2]
        rows = slice(batch.first[start], batch.first[end])
        np.testing.assert_array_equal(batch.first[start : end + 1] - rows.start, single.first)
        np.testing.assert_array_equal(batch.neighbor[rows] - start, single.neighbor)
        np.testing.assert_array_equal(batch.vectors[rows], single.vectors)
        np.testing.assert_array_equal(batch.shifts[rows], single.shifts)


def test_an_empty_batch_has_no_pairs():
    batch = batch_neighbor_list(Configurations.empty(), CUTOFF)
    assert (batch.n_atoms, batch.n_pairs, batch.largest_count) == (0, 0, 0)


def test_every_pair_has_its_opposite():
    pairs = neighbor_list(SYSTEMS["skewed cell"](), CUTOFF)
    atom = np.repeat(np.arange(pairs.n_atoms), np.diff(pairs.first))
    forward = {(i, j, *s) for i, j, s in zip(atom, pairs.neighbor, pairs.shifts, strict=True)}
    backward = {(j, i, *-s) for i, j, s in zip(atom, pairs.neighbor, pairs.shifts, strict=True)}
    assert forward == backward


def test_a_longer_list_holds_the_same_vectors_to_the_last_bit():
    atoms = SYSTEMS["outside of the cell"]()
    short, long = neighbor_list(atoms, CUTOFF), neighbor_list(atoms, CUTOFF + 1.0)
    is_near = np.linalg.norm(long.vectors, axis=1) < CUTOFF
    np.testing.assert_array_equal(long.vectors[is_near], short.vectors)
    again = pair_vectors(
        atoms.positions, atoms.cell.array, short.first, short.neighbor, short.shifts
    )
    np.testing.assert_array_equal(again, short.vectors)


def test_images_beyond_the_reach_of_packed_keys_are_sorted_too():
    """Two atoms so far apart that pairs have huge cell translations."""
    atoms = Atoms("Cu2", positions=[[0, 0, 0], [1e9, 1e9, 1.0]], cell=[1.3, 1.4, 30.0], pbc=True)
    pairs = neighbor_list(atoms, 3.0)
    atom = np.repeat(np.arange(2), np.diff(pairs.first))
    order = np.lexsort((*pairs.shifts.T[::-1], pairs.neighbor, atom))
    np.testing.assert_array_equal(order, np.arange(pairs.n_pairs))
    np.testing.assert_array_less(np.linalg.norm(pairs.vectors, axis=1), 3.0 + 1e-6)


def test_the_minimum_distance_names_its_atoms():
    atoms = Atoms("Cu3", positions=[[0, 0, 0], [2, 0, 0], [2, 1.1, 0]])
    assert minimum_distance(atoms, below=1.5) == (pytest.approx(1.1), 1, 2)
    assert minimum_distance(atoms, below=1.0) is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_that_are_not_finite_are_refused(value):
    atoms = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, value]])
    with pytest.raises(GeometryError, match="not finite"):
        neighbor_list(atoms, CUTOFF)


def test_a_cell_without_volume_is_refused():
    atoms = Atoms("Cu", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True)
    with pytest.raises(GeometryError, match="volume"):
        neighbor_list(atoms, CUTOFF)
