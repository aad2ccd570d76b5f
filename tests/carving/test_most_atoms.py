# SPDX-License-Identifier: MIT
"""Chunks hold no more atoms than can be labelled, and keep the frame that they come from."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cluster import Octahedron

from aiida_alpot.carving import (
    carve_at_most,
    carve_chunk,
    central_atom,
    chunks_as_configurations,
    frame_of_chunk,
    is_carved,
    keep_central_forces,
)
from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader, TrainedAtomsGrader
from aiida_alpot.jobs.carve_settings import CarveSettings
from aiida_alpot.jobs.chunks import carve_audit, find_unlike
from aiida_alpot.mtp.structure_files import read_configurations, write_configurations
from aiida_alpot.sampling.draw_keys import draw_key
from aiida_alpot.workflows.audit import draw

SETTINGS = CarveSettings(above_atoms=50, radius=6.0, vacuum=5.0, smallest_radius=4.5)


@pytest.fixture(scope="module")
def cluster():
    atoms = Atoms(Octahedron("Cu", 6, cutoff=2))
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.fixture(scope="module")
def frames(cluster):
    """Six frames of the cluster and two small cells, as samplers leave them."""
    structures, origins = [], []
    for step in range(8):
        atoms = cluster.copy() if step < 6 else bulk("Cu", a=3.6, cubic=True)
        atoms.rattle(0.05, seed=step)
        structures.append(atoms)
        origins.append(Origin(2, "nvt", "particle" if step < 6 else "bulk", 10 * step, 1.5))
    names = [f"turn_002/nvt/{one.chain}/{one.step:06d}" for one in origins]
    return Configurations.from_atoms(structures, identifiers=names, origins=origins)


@pytest.mark.parametrize("most", [200, 80, 50, 30])
def test_a_chunk_holds_the_nearest_atoms_and_no_more_than_are_allowed(cluster, most):
    centre = int(
        np.argmin(np.linalg.norm(cluster.positions - cluster.get_center_of_mass(), axis=1))
    )
    whole = carve_chunk(cluster, centre, radius=7.0)
    chunk = carve_at_most(cluster, centre, radius=7.0, most=most)
    n_atoms = len(chunk.atoms)
    assert n_atoms == len(whole.atoms) if len(whole.atoms) <= most else n_atoms <= most
    np.testing.assert_array_equal(chunk.members, whole.members[:n_atoms])
    distances = (
        cluster.get_distances(centre, whole.members[n_atoms:])
        if n_atoms < len(whole.atoms)
        else np.zeros(0)
    )
    assert (distances > chunk.radius).all()


def test_atoms_at_one_distance_stay_or_go_together():
    crystal = bulk("Cu", a=3.6, cubic=True).repeat(4)
    chunk = carve_at_most(crystal, 0, radius=6.0, most=25)
    assert len(chunk.atoms) == 19  # 1 + 12 + 6; the next shell has 24


def test_atoms_that_saturate_bonds_count():
    crystal = bulk("Si", cubic=True).repeat(3)
    chunk = carve_at_most(crystal, 0, radius=6.0, element="H", most=70)
    assert chunk.n_added > 0
    assert len(chunk.atoms) <= 70


def test_there_is_no_chunk_that_cuts_into_what_the_potential_sees(cluster):
    assert carve_at_most(cluster, 0, radius=6.0, most=10, smallest_radius=4.5) is None
    assert carve_at_most(cluster, 0, radius=4.0, smallest_radius=4.5) is None


def test_an_unknown_kind_is_refused(cluster):
    with pytest.raises(SettingError, match="cluster, periodic"):
        carve_at_most(cluster, 0, kind="cube")


@pytest.mark.parametrize("suffix", ["npz", "xyz"])
def test_a_chunk_of_a_frame_stays_one_in_files(frames, cluster, tmp_path, suffix):
    chunk = carve_chunk(frames.atoms(1), 7, radius=5.0)
    made = chunks_as_configurations(
        [chunk], names=[str(frames.identifier[1])], frames=[frames.origin(1)]
    )
    assert made.origin(0) == Origin(2, "nvt/carve", "particle", 10, 1.5)
    name = "turn_002/nvt/particle/000010_chunk_7"
    assert made.identifier.tolist() == [name]
    assert (central_atom(name), frame_of_chunk(name)) == (7, "turn_002/nvt/particle/000010")
    write_configurations(made, tmp_path / f"chunk.{suffix}")
    again = read_configurations(tmp_path / f"chunk.{suffix}")
    assert is_carved(again).all()
    assert not is_carved(frames).any()
    labelled = again.replace(energy=np.ones(1), forces=np.ones_like(again.positions))
    kept = keep_central_forces(labelled)
    assert np.isnan(kept.energy).all()
    np.testing.assert_array_equal(np.isfinite(kept.forces[:, 0]), made.force_mask)


def test_an_audit_holds_nothing_that_is_too_large(frames):
    audited = carve_audit(frames, SETTINGS, seed=5)
    assert len(audited) == len(frames)
    assert audited.n_atoms.max() <= 50
    np.testing.assert_array_equal(is_carved(audited), [True] * 6 + [False] * 2)
    np.testing.assert_array_equal(audited.step, frames.step)
    assert audited.identifier[6:].tolist() == frames.identifier[6:].tolist()


def test_the_atoms_of_an_audit_are_drawn_by_the_seed_alone(frames):
    def atoms(seed, some=frames):
        return [central_atom(str(one)) for one in carve_audit(some, SETTINGS, seed=seed).identifier]

    assert atoms(5) == atoms(5)
    assert atoms(5) != atoms(6)
    assert atoms(5, frames.select([3])) == atoms(5)[3:4]
    assert len(set(atoms(5)[:6])) > 2


def test_chunks_are_drawn_for_an_audit_by_the_keys_of_their_frames(frames):
    audited = carve_audit(frames, SETTINGS, seed=5)
    keys = [
        draw_key(5, "nvt", str(c), int(s)) for c, s in zip(frames.chain, frames.step, strict=True)
    ]
    drawn = draw({"pool_a": audited}, set(), count=3, seed=5)
    expected = [audited.identifier[place] for place in np.argsort(np.array(keys, np.uint64))[:3]]
    assert drawn.identifier.tolist() == expected


def test_chunks_of_the_same_atoms_about_two_centres_are_not_alike(cluster):
    everything = [carve_chunk(cluster, atom, radius=40.0) for atom in (0, 1, 0)]
    chunks = chunks_as_configurations(everything, names=["a", "a", "b"])
    assert find_unlike(chunks, 0.01).tolist() == [0, 1]
    assert find_unlike(chunks.select([1]), 0.01, known=chunks.select([0])).tolist() == [0]
    assert find_unlike(chunks.select([2, 1]), 0.01, known=chunks.select([0])).tolist() == [1]


def test_a_chunk_is_graded_by_the_atom_whose_force_it_teaches(make_potential, make_cells, cluster):
    potential = make_potential(6, cutoff=4.5)
    active_set = build_active_set(potential, make_cells(3, seed=1))
    grader = ExtrapolationGrader(potential, active_set)
    of_cluster = grader.grade(Configurations.from_atoms([cluster])).per_atom
    chunk = chunks_as_configurations([carve_chunk(cluster, 60, radius=5.0)], names=["a"])
    found = TrainedAtomsGrader(grader).grade(chunk).per_configuration
    assert found[0] == pytest.approx(of_cluster[60])
    assert grader.grade(chunk).per_configuration[0] > found[0]
    cells = make_cells(2, seed=2)
    np.testing.assert_array_equal(
        TrainedAtomsGrader(grader).grade(cells).per_configuration,
        grader.grade(cells).per_configuration,
    )
