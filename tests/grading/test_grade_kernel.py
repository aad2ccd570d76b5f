# SPDX-License-Identifier: MIT
"""Grades that the engine computes on the way are those of the active set."""

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.evaluate import energy_rows
from aiida_alpot.mtp.kernels.grades import grade_blocks, pack_columns
from aiida_alpot.mtp.potential import initial_potential


@pytest.mark.parametrize("n_blocks", [1, 2, 3, 16])
@pytest.mark.parametrize(("n", "m"), [(10, 10), (26, 21), (33, 8), (5, 1)])
def test_the_grade_is_the_largest_coefficient_in_absolute_value(n_blocks, n, m):
    rng = np.random.default_rng(n + m)
    matrix = rng.standard_normal((n, m))
    rows = rng.standard_normal((n_blocks + 1, n, 8))
    blocks = rng.permutation(8 * n_blocks).reshape(n_blocks, 8)
    absent = blocks == 8 * n_blocks - 1
    blocks[absent] = -1
    grades = np.full(8 * n_blocks, -1.0)
    grade_blocks(blocks, rows, pack_columns(matrix), grades)
    wanted = np.abs(np.einsum("bpl,pj->blj", rows[:n_blocks], matrix)).max(axis=2)
    np.testing.assert_allclose(grades[blocks[~absent]], wanted[~absent], rtol=1e-13)
    assert grades[-1] == -1.0, "only the atoms of the blocks are written"


@pytest.mark.parametrize("species", [("Cu",), ("Au", "Ag", "Cu")])
@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_calculator_grades_as_the_active_set(species, mode, threads):
    rng = np.random.default_rng(1)
    potential = initial_potential(8, 4.5, species=species, min_distance=1.8, rng=rng)
    potential = potential.with_parameters(rng.standard_normal(potential.n_parameters))
    cells = []
    for seed in range(4):
        atoms = bulk("Cu", cubic=True).repeat((3, 3, 2 + seed % 2))
        atoms.symbols[:] = rng.choice(species, len(atoms))
        atoms.rattle(0.15, seed=seed)
        cells.append(atoms)
    training = Configurations.from_atoms(cells[1:])
    active_set = build_active_set(potential, training, mode=mode, method="parity")
    atoms = cells[0]
    atoms.calc = MTP(potential, active_set=active_set, threads=threads)
    atoms.get_forces()
    rows = energy_rows(potential, Configurations.from_atoms([atoms]))
    if mode == "neighborhood":
        wanted = active_set.grades(rows)
        np.testing.assert_allclose(atoms.calc.results["grades"], wanted, rtol=1e-6)
    else:
        wanted = active_set.grades(rows.mean(axis=0, keepdims=True))
    assert atoms.calc.results["grade"] == pytest.approx(wanted.max(), rel=1e-6)
