# SPDX-License-Identifier: MIT
"""What a label of a large frame costs at most is what its largest chunk costs."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.cluster import Octahedron

from aiida_alpot.configurations import Configurations
from aiida_alpot.interfaces.vasp_rules import mesh_of
from aiida_alpot.jobs.carve_settings import CarveSettings


@pytest.fixture(scope="module")
def frames():
    cell = bulk("Cu", a=3.6, cubic=True)
    cluster = Octahedron("Cu", 6, cutoff=2)
    cluster.center(vacuum=6.0)
    return Configurations.from_atoms([cell.repeat(5), cell, cluster])


@pytest.mark.parametrize("kind", ["cluster", "periodic"])
def test_frames_that_are_not_carved_stay_as_they_are(frames, kind):
    chunks = CarveSettings(above_atoms=60, radius=5.0, vacuum=5.0, kind=kind)
    found = chunks.largest_chunks(frames)
    assert found.n_atoms.tolist() == [60, 4, 60]
    np.testing.assert_array_equal(found.cells[1], frames.cells[1])


def test_a_periodic_chunk_has_the_density_of_the_bulk_and_more_k_points(frames):
    periodic = CarveSettings(above_atoms=108, radius=5.0, vacuum=5.0, kind="periodic")
    found = periodic.largest_chunks(frames.select([0]))
    volumes = np.abs(np.linalg.det(found.cells)) / found.n_atoms
    assert volumes[0] == pytest.approx(3.6**3 / 4)
    assert found.pbc.all()
    meshes = [
        np.prod(mesh_of(one.cells[0], one.pbc[0], 0.2)) for one in (found, frames.select([0]))
    ]
    assert meshes[0] > meshes[1]


def test_a_cluster_has_no_k_points_whatever_it_was_cut_from(frames):
    cluster = CarveSettings(above_atoms=60, radius=5.0, vacuum=5.0)
    assert not cluster.largest_chunks(frames.select([0, 2])).pbc.any()
