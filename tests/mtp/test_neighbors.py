# SPDX-License-Identifier: MIT
"""Neighbour lists against those of ASE and vesin on awkward systems, and their order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.neighborlist import neighbor_list as ase_neighbor_list
from vesin import NeighborList as VesinNeighborList

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError
from aiida_alpot.neighbors import (
    PairMemory,
    batch_neighbor_list,
    minimum_distance,
    neighbor_list,
    pair_vectors,
    search_neighbors,
    smallest_distance,
)
from aiida_alpot.periodic_cells import complete_cells

CUTOFF = 4.3
SKEWED = [[3.0, 0.0, 0.0], [2.5, 2.0, 0.0], [-2.0, 1.5, 3.0]]


def random_atoms(n_atoms: int, cell: list, pbc: object, extent: float = 4.0) -> Atoms:
    positions = np.random.default_rng(n_atoms).random((n_atoms, 3)) * extent
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
    # more atoms, sorted into bins
    "many in a skewed cell": lambda: random_atoms(70, SKEWED, True),
    "many in a left-handed cell, mixed boundaries": lambda: random_atoms(
        80, [[9.0, 0, 1.0], [0, -8.0, 3.0], [0, 4.0, 7.0]], (True, True, False), 20.0
    ),
    "many on a wire": lambda: random_atoms(60, [[0, 0, 0], [1.0, 5.0, 0], [0, 0, 0]], (0, 1, 0)),
    "many in a large cell": lambda: random_atoms(300, [23.0, 21.0, 6.0], True, 30.0),
    "many in a flat cell": lambda: random_atoms(60, [14.0, 12.0, 1.4], True, 12.0),
    "two clusters far from each other": lambda: (
        random_atoms(50, [1, 1, 1], False) + Atoms("Cu", positions=[[5e6, -3e7, 1e5]])
    ),
    "many on a line": lambda: Atoms(
        "Cu99", positions=np.outer(np.arange(99) * 1.1, [0.0, 0.6, 0.8])
    ),
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


@pytest.mark.parametrize("system", SYSTEMS)
def test_pairs_are_those_of_vesin(system):
    atoms = SYSTEMS[system]()
    found = VesinNeighborList(cutoff=CUTOFF, full_list=True).compute(
        points=atoms.positions,
        box=complete_cells(atoms.cell.array[None], atoms.pbc[None])[0],
        periodic=[bool(flag) for flag in atoms.pbc],
        quantities="ijS",
    )
    pairs = neighbor_list(atoms, CUTOFF)
    atom = np.repeat(np.arange(len(atoms)), np.diff(pairs.first))
    ours = np.column_stack([atom, pairs.neighbor, pairs.shifts])
    theirs = np.column_stack(found).astype(int)
    np.testing.assert_array_equal(ours, theirs[np.lexsort(theirs.T[::-1])])


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


@pytest.mark.parametrize("part", [1, 7, 100])
def test_rows_of_some_atoms_are_those_of_the_whole_list(part):
    configurations = Configurations.from_atoms([make() for make in SYSTEMS.values()])
    whole = batch_neighbor_list(configurations, CUTOFF)
    search = search_neighbors(configurations, CUTOFF)
    memory = PairMemory()
    for start in range(0, whole.n_atoms, part):
        stop = min(start + part, whole.n_atoms)
        rows = search.rows(start, stop, memory)
        here = slice(whole.first[start], whole.first[stop])
        np.testing.assert_array_equal(
            rows.first[start : stop + 1], whole.first[start : stop + 1] - here.start
        )
        for name in ("neighbor", "vectors", "shifts"):
            np.testing.assert_array_equal(getattr(rows, name), getattr(whole, name)[here])


def test_an_empty_batch_has_no_pairs():
    batch = batch_neighbor_list(Configurations.empty(), CUTOFF)
    assert (batch.n_atoms, batch.n_pairs, batch.largest_count) == (0, 0, 0)


def moved_crystal() -> Atoms:
    """Whole shells lie at the cutoff, on this side or that by rounding."""
    atoms = bulk("Ni", a=CUTOFF / np.sqrt(2.0), cubic=True) * (3, 3, 3)
    atoms.positions += [0.1, -7.3, 1e3 / 3.0]
    return atoms


@pytest.mark.parametrize(
    "make", [*SYSTEMS.values(), moved_crystal], ids=[*SYSTEMS, "shells at the cutoff"]
)
def test_every_pair_has_its_opposite(make):
    pairs = neighbor_list(make(), CUTOFF)
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


def test_atoms_that_coincide_are_pairs_of_no_length():
    atoms = bulk("Ni", a=3.52, cubic=True) * (3, 3, 3)
    atoms.positions[5] = atoms.positions[80]
    assert minimum_distance(atoms, 1.0) == (0.0, 5, 80)


def test_atoms_absurdly_far_outside_are_refused():
    atoms = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 1e11]], cell=[3, 3, 3], pbc=True)
    with pytest.raises(GeometryError, match="Wrap the positions"):
        neighbor_list(atoms, CUTOFF)


@pytest.mark.parametrize("periodic", [1, 2, 4, 3, 5, 6])
def test_completed_cells_are_orthogonal_to_what_is_periodic(periodic):
    pbc = np.array([[periodic & 1, periodic & 2, periodic & 4]], dtype=bool)
    cell = complete_cells(np.array([SKEWED]), pbc)[0]
    np.testing.assert_array_equal(cell[pbc[0]], np.array(SKEWED)[pbc[0]])
    added = cell[~pbc[0]]
    np.testing.assert_allclose(added @ added.T, np.eye(len(added)), atol=1e-14)
    np.testing.assert_allclose(added @ cell[pbc[0]].T, 0.0, atol=1e-14)


def test_the_minimum_distance_names_its_atoms():
    atoms = Atoms("Cu3", positions=[[0, 0, 0], [2, 0, 0], [2, 1.1, 0]])
    assert minimum_distance(atoms, below=1.5) == (pytest.approx(1.1), 1, 2)
    assert minimum_distance(atoms, below=1.0) is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_positions_that_are_not_finite_are_refused(value):
    atoms = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, value]])
    with pytest.raises(GeometryError, match="not finite"):
        neighbor_list(atoms, CUTOFF)


@pytest.mark.parametrize("cell", [[[1, 0, 0], [2, 0, 0], [0, 0, 1]], [3, 0, 0], [3, 3, 0]])
def test_a_cell_without_volume_is_refused(cell):
    atoms = Atoms("Cu", cell=cell, pbc=True)
    with pytest.raises(GeometryError, match="volume"):
        neighbor_list(atoms, CUTOFF)


def test_the_smallest_distance_is_that_of_all_configurations():
    cells = [SYSTEMS[name]() for name in ("crystal", "many in a large cell", "skewed cell")]
    expected = min(np.linalg.norm(neighbor_list(cell, 6.0).vectors, axis=1).min() for cell in cells)
    assert smallest_distance(Configurations.from_atoms(cells), 6.0) == pytest.approx(expected)
    assert smallest_distance(Configurations.from_atoms([Atoms("Cu")]), 6.0) == np.inf
    assert smallest_distance(Configurations.empty(), 6.0) == np.inf
