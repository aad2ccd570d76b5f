# SPDX-License-Identifier: MIT
"""k-points, division of cores and magnetic states by rule."""

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.interfaces.vasp_rules import (
    ATOMS_PER_CORE,
    CoreDivision,
    count_kpoints,
    divide_cores,
    find_left_state,
    magmom_tag,
    mesh_of,
    needs_gamma_only,
    work_of,
)

PERIODIC = (True, True, True)


@pytest.mark.parametrize("spacing", [0.11, 0.2, 0.35, 0.5])
def test_neighbouring_kpoints_are_at_most_the_spacing_apart(spacing):
    cell = bulk("Cu", a=3.6).repeat((1, 2, 3)).cell.array
    mesh = mesh_of(cell, PERIODIC, spacing)
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
    assert (lengths / mesh <= spacing * (1 + 1e-6)).all()
    assert (lengths / (np.array(mesh) - 0.999) > spacing)[np.array(mesh) > 1].all()


def test_a_supercell_has_the_mesh_of_its_cell_folded():
    cell = bulk("Cu", a=3.6, cubic=True)
    spacing = 2 * np.pi / 3.6 / 8
    assert mesh_of(cell.cell.array, PERIODIC, spacing) == (8, 8, 8)
    assert mesh_of(cell.repeat((2, 4, 8)).cell.array, PERIODIC, spacing) == (4, 2, 1)


def test_rounding_of_a_cell_adds_no_plane_of_kpoints():
    cell = bulk("Cu", a=3.6, cubic=True).cell.array
    spacing = 2 * np.pi / 3.6 / 8
    assert mesh_of(cell * (1 - 1e-9), PERIODIC, spacing) == (8, 8, 8)


def test_there_is_one_kpoint_along_directions_that_are_not_periodic():
    cell = bulk("Cu", a=3.6, cubic=True).cell.array
    assert mesh_of(cell, (True, False, True), 0.3) == (6, 1, 6)


@pytest.mark.parametrize("mesh", [(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 3, 1), (6, 6, 1), (2, 1, 5)])
def test_points_that_differ_by_their_sign_count_once(mesh):
    points = {
        tuple(sorted([(i, j, k), tuple((-n) % m for n, m in zip((i, j, k), mesh, strict=True))]))
        for i in range(mesh[0])
        for j in range(mesh[1])
        for k in range(mesh[2])
    }
    assert count_kpoints(mesh) == len(points)


def test_gamma_alone_is_for_its_own_executable():
    assert needs_gamma_only((1, 1, 1))
    assert not needs_gamma_only((1, 1, 2))
    assert work_of(10, (3, 3, 3)) == 140


@pytest.mark.parametrize("n_cores", [1, 2, 7, 24, 32, 64, 96, 128])
@pytest.mark.parametrize("n_kpoints", [1, 2, 5, 14, 100])
@pytest.mark.parametrize("n_atoms", [1, 8, 54, 128, 500])
def test_the_cores_are_divided_without_a_rest(n_cores, n_kpoints, n_atoms):
    per_node = next(size for size in (32, 24, 7, 2, 1) if n_cores % size == 0)
    division = divide_cores(n_cores, n_kpoints, n_atoms, cores_per_node=per_node)
    group, rest = divmod(n_cores, division.kpar)
    assert rest == 0
    assert group % division.ncore == 0
    assert per_node % division.ncore == 0
    assert division.kpar <= n_kpoints
    assert division.kpar == 1 or group * ATOMS_PER_CORE >= n_atoms


@pytest.mark.parametrize(
    ("arguments", "division"),
    [
        ((1, 14, 4), CoreDivision(1, 1)),
        ((16, 14, 4), CoreDivision(8, 1)),  # 14 points in two rounds, as 16 groups could not
        ((32, 1, 4), CoreDivision(1, 1)),
        ((32, 1, 128), CoreDivision(1, 4)),
        ((128, 4, 128), CoreDivision(4, 4)),
        ((128, 32, 128), CoreDivision(8, 4)),  # memory: a group for every 16 cores at most
    ],
)
def test_the_division_of_known_cases(arguments, division):
    assert divide_cores(*arguments) == division


def test_moments_are_written_in_runs():
    assert magmom_tag([2.2] * 8 + [-1, -1, 0.5]) == "8*2.2 2*-1 0.5"


def test_a_state_that_was_kept_is_no_failure():
    requested = np.array([2.2, 2.2, -2.2, 0.0])
    assert find_left_state(requested, [2.5, 1.9, -2.0, 0.4], kept=0.3) is None


def test_all_moments_reversed_are_the_same_state():
    assert find_left_state(np.array([2.0, -2.0, 2.0]), [-2.1, 1.9, -2.0], kept=0.3) is None


@pytest.mark.parametrize(
    ("final", "atom"),
    [([2.1, 2.0, 2.1], 2), ([2.1, 0.1, -2.1], 1), ([0.0, 0.0, 0.0], 0)],
    ids=["flipped", "collapsed", "lost"],
)
def test_a_moment_that_flipped_or_vanished_is_named(final, atom):
    told = find_left_state(np.array([2.0, 2.0, -2.0]), final, kept=0.3)
    assert told.startswith(f"atom {atom} was asked")


def test_small_moments_that_were_asked_for_are_not_judged():
    assert find_left_state(np.array([0.3, 0.0]), [-0.3, 0.0], kept=0.3) is None
