# SPDX-License-Identifier: MIT
"""The tables for LAMMPS hold what an overlay adds to the moment tensor potential."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.pair_tables import pair_commands, write_pair_tables
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.zbl import CorePair, ZblCore

PAIRS = (CorePair("W", "W", 1.3, 2.0), CorePair("H", "W", 0.9, 1.5), CorePair("H", "H", 0.4, 0.8))


def overlay_alone():
    rng = np.random.default_rng(0)
    potential = initial_potential(2, 5.0, species=["W", "H"], min_distance=1.8, rng=rng)
    return potential.with_core(ZblCore(PAIRS, fades=False))


def read_table(lines):
    """Return name, keyword line and rows of one table."""
    name, parameters = lines[0], lines[1].split()
    rows = np.array([[float(word) for word in line.split()] for line in lines[3:] if line])
    return name, parameters, rows


def test_every_pair_has_a_table_of_the_energies_and_forces_of_the_kernel(tmp_path):
    potential = overlay_alone()
    write_pair_tables(potential, tmp_path / "zbl.table", n_points=50)
    text = (tmp_path / "zbl.table").read_text()
    tables = [part.strip().split("\n") for part in text.split("ZBL_")[1:]]
    assert len(tables) == 3
    for pair, lines in zip(potential.core.pairs, tables, strict=True):
        name, parameters, rows = read_table(lines)
        assert name == f"{pair.first}_{pair.second}"
        assert parameters == ["N", "50", "RSQ", "0.1", repr(pair.outer)]
        index, distance, energy, force = rows.T
        np.testing.assert_array_equal(index, np.arange(1, 51))
        np.testing.assert_allclose(np.diff(distance**2), np.diff(distance**2)[0], rtol=1e-9)
        dimers = [Atoms(f"{pair.first}{pair.second}", [[0, 0, 0], [0, 0, r]]) for r in distance]
        expected = evaluate(potential, Configurations.from_atoms(dimers))
        np.testing.assert_allclose(energy, expected.energy, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(force, expected.forces[1::2, 2], rtol=1e-10, atol=1e-10)


def test_the_commands_number_types_in_the_order_of_the_species():
    assert pair_commands(overlay_alone(), "zbl.table") == [
        "pair_style hybrid/overlay mlip mlip.ini table spline 4000",
        "pair_coeff * * mlip",
        "pair_coeff 1 1 table zbl.table ZBL_W_W 2.0",
        "pair_coeff 1 2 table zbl.table ZBL_H_W 1.5",
        "pair_coeff 2 2 table zbl.table ZBL_H_H 0.8",
    ]


def test_without_a_core_there_is_no_table(tmp_path):
    with pytest.raises(SettingError, match="no ZBL core"):
        write_pair_tables(overlay_alone().with_core(None), tmp_path / "zbl.table")
