# SPDX-License-Identifier: MIT
"""The engine against motep, a second implementation with its own reader of potential files."""

from __future__ import annotations

import numpy as np
import pytest
from ase.data import atomic_numbers
from motep.calculator import MTP as MotepMTP  # noqa: N811
from motep.io.mlip.mtp import read_mtp

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.mlip_files import write_potential

from .builders import every_structure, random_potential, triclinic_binary


def assert_equal_to_motep(potential, atoms, path, engine):
    write_potential(potential, path)
    data = read_mtp(path)
    data.species = [atomic_numbers[symbol] for symbol in potential.species]
    atoms.calc = MotepMTP(data, engine=engine)
    result = evaluate(potential, Configurations.from_atoms([atoms]))
    scale = max(1.0, np.abs(result.forces).max())
    np.testing.assert_allclose(
        result.site_energies, atoms.get_potential_energies(), atol=1e-9 * scale
    )
    np.testing.assert_allclose(result.forces, atoms.get_forces(), atol=1e-9 * scale)
    if atoms.pbc.all():
        np.testing.assert_allclose(result.stress[0], atoms.get_stress(), atol=1e-9 * scale)


@every_structure
@pytest.mark.parametrize("level", [2, 8, 16])
def test_results_equal_motep(structure, level, tmp_path):
    potential = random_potential(level, structure)
    assert_equal_to_motep(potential, structure, tmp_path / "potential.mtp", "cext")


@pytest.mark.parametrize("level", [4, 6, 10, 12, 14, 18, 20])
def test_results_equal_motep_at_other_levels(level, tmp_path):
    atoms = triclinic_binary()
    potential = random_potential(level, atoms)
    assert_equal_to_motep(potential, atoms, tmp_path / "potential.mtp", "cext")


def test_results_equal_the_numpy_engine_of_motep(tmp_path):
    atoms = triclinic_binary()
    assert_equal_to_motep(random_potential(8, atoms), atoms, tmp_path / "potential.mtp", "numpy")
