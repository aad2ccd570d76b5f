# SPDX-License-Identifier: MIT
"""Parity mode against motep, whose ``mlip`` algorithm reproduces the grades that MLIP-2 prints."""

from __future__ import annotations

import numpy as np
import pytest
from motep.calculator import make_calculator
from motep.grade.maxvol import _mlip
from motep.io.mlip.mtp import read_mtp

from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.mlip_files import write_potential

# warnings inside motep are none of ours
pytestmark = pytest.mark.filterwarnings("ignore")


def motep_rows(potential, configurations, path):
    """Rows divided by the number of atoms, from motep's own engine."""
    write_potential(potential, path)
    data = read_mtp(str(path))
    data.species = [29]
    rows = []
    for atoms in configurations:
        atoms.calc = make_calculator(data, engine="cext", mode="train", relax_magmoms=False)
        atoms.get_potential_energy()
        rows.append(atoms.calc.engine.jac_energy(atoms).parameters / len(atoms))
    return np.array(rows)


def motep_grades(training_rows, rows):
    submatrix = _mlip(training_rows).submatrix
    return np.abs(rows @ np.linalg.inv(submatrix)).max(axis=1)


@pytest.mark.parametrize("level", [8, 12])
def test_grades_in_parity_mode_equal_those_of_the_algorithm_of_mlip(
    make_potential, make_cells, tmp_path, level
):
    potential = make_potential(level)
    training = make_cells(150, rattle=0.15, strain=0.05)
    candidates = make_cells(30, rattle=0.2, strain=0.08, seed=1)
    active_set = build_active_set(potential, training, mode="configuration", method="parity")
    # fewer than the parameters: directions of the gauge are never selected
    assert 0.8 * potential.n_parameters < active_set.n_initialized < potential.n_parameters
    grades = ExtrapolationGrader(potential, active_set).grade(candidates).per_configuration
    path = tmp_path / "potential.mtp"
    expected = motep_grades(
        motep_rows(potential, training, path), motep_rows(potential, candidates, path)
    )
    assert expected.max() > 1.5
    np.testing.assert_allclose(grades, expected, rtol=1e-4, atol=1e-4)
