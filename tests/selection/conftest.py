# SPDX-License-Identifier: MIT
from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.mtp.potential import initial_potential


@pytest.fixture(scope="session")
def make_potential():
    """Factory of potentials with random coefficients."""

    def make(level=8, species=("Cu",), *, seed=0, cutoff=5.0):
        rng = np.random.default_rng(seed)
        initial = initial_potential(level, cutoff, species=species, min_distance=1.9, rng=rng)
        return with_generic_coefficients(initial)

    return make


@pytest.fixture(scope="session")
def make_cells():
    """Factory of strained and rattled cubic cells, of different sizes."""

    def make(
        n, *, rattle=0.05, strain=0.02, seed=0, symbol="Cu", crystal="fcc", a=3.6, repeats=(1, 2)
    ):
        rng = np.random.default_rng(seed)
        structures = []
        for index in range(n):
            atoms = bulk(symbol, crystal, a=a, cubic=True).repeat(repeats[index % len(repeats)])
            deformation = np.eye(3) + strain * rng.uniform(-1.0, 1.0, (3, 3))
            atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            atoms.positions += rng.normal(0.0, rattle, (len(atoms), 3))
            structures.append(atoms)
        names = [f"{symbol}_{seed}_{index}" for index in range(n)]
        return Configurations.from_atoms(structures, identifiers=names)

    return make
