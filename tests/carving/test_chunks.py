# SPDX-License-Identifier: MIT
"""Chunks hold what is near an atom, and its force in them is that in the whole structure."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.cluster import Octahedron

from aiida_alpot.carving import carve_chunk, carve_periodic_chunk, measure_locality, passivate
from aiida_alpot.errors import GeometryError, SettingError, SpeciesError


@pytest.fixture(scope="module")
def particle():
    """Pt260 of the literature, rattled."""
    atoms = Atoms(Octahedron("Pt", 8, cutoff=3))
    atoms.rattle(0.1, seed=1)
    return atoms


def distances_from_centre(atoms):
    return np.linalg.norm(atoms.positions - atoms.positions[0], axis=1)


def force_of_emt(atoms, index):
    copy = atoms.copy()
    copy.calc = EMT()
    return copy.get_forces()[index]


def test_a_chunk_holds_all_atoms_within_the_radius_and_no_other(particle):
    chunk = carve_chunk(particle, 100, radius=6.0)
    distances = np.linalg.norm(particle.positions - particle.positions[100], axis=1)
    assert sorted(chunk.members) == np.flatnonzero(distances < 6.0).tolist()
    np.testing.assert_allclose(distances_from_centre(chunk.atoms), distances[chunk.members])


def test_the_central_atom_comes_first_and_the_others_by_distance(particle):
    chunk = carve_chunk(particle, 17, radius=7.0)
    assert chunk.members[0] == chunk.centre == 17
    assert (np.diff(distances_from_centre(chunk.atoms)) >= -1e-9).all()
    assert chunk.force_mask.tolist() == [True] + [False] * (len(chunk.atoms) - 1)


@pytest.mark.parametrize("vacuum", [0.0, 5.0])
def test_a_cluster_is_not_periodic_and_has_its_vacuum(particle, vacuum):
    atoms = carve_chunk(particle, 0, radius=5.0, vacuum=vacuum).atoms
    assert not atoms.pbc.any()
    lengths = np.diag(atoms.cell.array)
    np.testing.assert_allclose(atoms.positions.min(axis=0), vacuum)
    np.testing.assert_allclose(lengths - atoms.positions.max(axis=0), vacuum)


def test_images_in_a_periodic_structure_count_as_atoms():
    chunk = carve_chunk(bulk("Cu", cubic=True), 2, radius=5.2)
    assert len(chunk.atoms) == 1 + 12 + 6 + 24 + 12
    assert set(chunk.members) == {0, 1, 2, 3}


def test_of_a_lonely_atom_the_chunk_is_the_atom():
    chunk = carve_chunk(Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 9.0]]), 1, radius=8.0)
    assert len(chunk.atoms) == 1
    assert chunk.atoms.cell.volume == pytest.approx(1000.0)


def test_forces_of_emt_are_as_local_as_the_literature_says(particle):
    """Forces on every fifth atom of rattled Pt260; the published table."""
    radii = [4.0, 5.0, 6.0, 6.5, 7.0, 8.0, 9.0]
    table = measure_locality(particle, range(0, 260, 5), make_calculator=EMT, radii=radii)
    largest = [1.56, 0.320, 0.0193, 0.0035, 0.0017, 0.0001, 0.0]
    np.testing.assert_allclose(table.largest, largest, rtol=0.02, atol=6e-5)
    mean = [0.86, 0.176, 0.0117, 0.0016, 0.0010, 0.0, 0.0]
    np.testing.assert_allclose(table.mean, mean, rtol=0.02, atol=6e-5)
    assert (np.diff(table.largest) < 0).all()
    np.testing.assert_allclose(table.sizes.mean(axis=1), [14, 29, 38, 50, 54, 79, 103], atol=1.1)
    assert table.smallest_radius(0.05) == 6.0
    assert table.smallest_radius(1e-9) is None


def test_chunks_are_compared_with_larger_chunks_where_the_whole_is_too_large(particle):
    centres = [0, 60, 120]
    whole = measure_locality(particle, centres, make_calculator=EMT, radii=[5.0, 6.0])
    larger = measure_locality(
        particle, centres, make_calculator=EMT, radii=[5.0, 6.0], reference=10.0
    )
    np.testing.assert_allclose(larger.differences, whole.differences, atol=1e-6)
    assert larger.reference == 10.0
    with pytest.raises(SettingError, match="must be larger than 6 A"):
        measure_locality(particle, [0], make_calculator=EMT, radii=[6.0], reference=6.0)


@pytest.fixture(scope="module")
def crystal():
    """A rattled crystal of 500 atoms with a vacancy near atom 0."""
    atoms = bulk("Cu", cubic=True).repeat(5)
    atoms.rattle(0.05, seed=3)
    del atoms[7]
    return atoms


def test_a_periodic_chunk_keeps_the_environment_of_its_central_atom(crystal):
    chunk = carve_periodic_chunk(crystal, 11, radius=5.0)
    assert chunk.members[0] == 11
    assert chunk.atoms.pbc.all()
    assert len(chunk.atoms) < 0.6 * len(crystal)
    whole = carve_chunk(crystal, 11, radius=5.0)
    kept = carve_chunk(chunk.atoms, 0, radius=5.0)
    np.testing.assert_allclose(
        distances_from_centre(kept.atoms), distances_from_centre(whole.atoms), atol=1e-9
    )
    np.testing.assert_allclose(
        kept.atoms.positions - kept.atoms.positions[0],
        whole.atoms.positions - whole.atoms.positions[0],
        atol=1e-9,
    )


def test_periodic_chunks_are_compared_as_periodic_chunks(crystal):
    whole = {"make_calculator": EMT, "radii": [4.0, 6.0]}
    clusters = measure_locality(crystal, [0, 250], **whole)
    periodic = measure_locality(crystal, [0, 250], **whole, kind="periodic")
    assert (periodic.sizes > clusters.sizes).all()
    assert (periodic.differences[0] < 0.1 * clusters.differences[0]).all()


def test_saturated_chunks_are_compared_as_saturated_chunks(particle):
    whole = {"make_calculator": EMT, "radii": [4.0, 5.0], "reference": 7.0}
    bare = measure_locality(particle, [0, 60], **whole)
    saturated = measure_locality(particle, [0, 60], **whole, element="H")
    assert (saturated.sizes > bare.sizes).all()
    assert not np.allclose(saturated.differences, bare.differences)


def test_the_seams_of_a_periodic_chunk_close_as_the_crystal_does(crystal):
    chunk = carve_periodic_chunk(crystal, 11, radius=5.0)
    shortest = chunk.atoms.get_all_distances(mic=True)[np.triu_indices(len(chunk.atoms), 1)].min()
    assert shortest > 0.8 * 2.3
    density = len(chunk.atoms) / chunk.atoms.cell.volume
    assert density == pytest.approx(len(crystal) / crystal.cell.volume, rel=0.03)


def test_the_force_in_a_periodic_chunk_is_that_in_the_bulk(crystal):
    chunk = carve_periodic_chunk(crystal, 11, radius=7.0)
    difference = force_of_emt(chunk.atoms, 0) - force_of_emt(crystal, 11)
    assert np.linalg.norm(difference) < 0.002


def test_a_cell_that_is_no_larger_than_a_chunk_is_kept_whole(crystal):
    chunk = carve_periodic_chunk(crystal, 0, radius=9.5)
    assert len(chunk.atoms) == len(crystal)
    np.testing.assert_allclose(chunk.atoms.cell.array, crystal.cell.array)


def test_a_slab_is_cut_along_its_plane_alone():
    slab = bulk("Cu", cubic=True).repeat((5, 5, 2))
    slab.center(vacuum=6.0, axis=2)
    slab.pbc = [True, True, False]
    chunk = carve_periodic_chunk(slab, 4, radius=5.0)
    assert chunk.atoms.pbc.tolist() == [True, True, False]
    assert chunk.atoms.cell[2, 2] == pytest.approx(slab.cell[2, 2])
    assert np.linalg.norm(chunk.atoms.cell[0]) < np.linalg.norm(slab.cell[0])


def test_a_cluster_has_no_periodic_chunk(particle):
    with pytest.raises(GeometryError, match="carve clusters"):
        carve_periodic_chunk(particle, 0)


def test_cut_bonds_of_silicon_are_saturated_with_hydrogen():
    """The first shell of an atom of diamond: four atoms with three cut bonds each."""
    crystal = bulk("Si", cubic=True).repeat(2)
    chunk = passivate(carve_chunk(crystal, 0, radius=3.0), crystal, vacuum=5.0)
    assert chunk.n_added == 12
    assert str(chunk.atoms.symbols) == "Si5H12"
    distances = chunk.atoms.get_all_distances()
    nearest = np.sort(distances[5:, :5], axis=1)
    np.testing.assert_allclose(nearest[:, 0], 1.11 + 0.31, atol=1e-6)
    assert chunk.members[:5].min() >= 0
    assert (chunk.members[5:] == -1).all()
    assert chunk.force_mask.sum() == 1


def test_what_cannot_be_saturated_is_refused_in_words():
    crystal = bulk("Si", cubic=True).repeat(2)
    chunk = carve_chunk(crystal, 0, radius=3.0)
    with pytest.raises(SpeciesError, match="no element 'Xx'"):
        passivate(chunk, crystal, element="Xx", vacuum=5.0)
    periodic = carve_periodic_chunk(crystal, 0, radius=3.0)
    with pytest.raises(SettingError, match="periodic chunk has no cut bonds"):
        passivate(periodic, crystal, vacuum=5.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"centre": 500}, "no atom 500 in a structure of 499"),
        ({"centre": 0, "radius": 0.0}, "radius of a chunk is 0 A"),
        ({"centre": 0, "vacuum": -1.0}, "vacuum around a chunk is -1 A"),
    ],
)
def test_what_cannot_be_carved_is_refused_in_words(crystal, settings, message):
    with pytest.raises(SettingError, match=message):
        carve_chunk(crystal, **settings)
