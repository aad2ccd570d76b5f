# SPDX-License-Identifier: MIT
"""A runner of the command line, and files to run it on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.build import bulk
from click.testing import CliRunner

from aiida_alpot.cli import main
from aiida_alpot.configurations import Configurations
from aiida_alpot.jobs.label_driver import label_atoms
from aiida_alpot.mtp.mlip_files import write_potential
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.structure_files import write_configurations


@pytest.fixture
def alpot(tmp_path, monkeypatch):
    """Run ``alpot`` in a folder of its own; returns click's result."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        return CliRunner().invoke(main, [str(word) for word in words])

    return run


@pytest.fixture
def figures_of(alpot, tmp_path):
    """Run ``alpot`` where it must succeed; returns the figures that it writes as JSON."""

    def run(*words):
        result = alpot(*words, "--json", "figures.json")
        assert result.exit_code == 0, result.output
        return json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))

    return run


def copper_cells(count=6, *, seed=0):
    rng = np.random.default_rng(seed)
    cells = []
    for _ in range(count):
        atoms = bulk("Cu", a=3.6, cubic=True)
        atoms.set_cell(atoms.cell * (1 + rng.uniform(-0.02, 0.02)), scale_atoms=True)
        atoms.positions += rng.normal(scale=0.08, size=atoms.positions.shape)
        cells.append(atoms)
    return cells


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """bare.xyz, labelled.xyz, test.xyz (EMT labels) and an untrained potential.mtp of copper."""
    from ase.calculators.singlepoint import SinglePointCalculator

    folder = tmp_path_factory.mktemp("files")
    cells = copper_cells()
    write_configurations(Configurations.from_atoms(cells), folder / "bare.xyz")
    for atoms in cells:
        label = label_atoms(atoms, "EMT", {}, folder)
        atoms.calc = SinglePointCalculator(
            atoms, energy=label.energy, forces=label.forces, stress=label.stress
        )
    write_configurations(Configurations.from_atoms(cells[:4]), folder / "labelled.xyz")
    write_configurations(Configurations.from_atoms(cells[4:]), folder / "test.xyz")
    potential = initial_potential(
        4, 4.5, species=("Cu",), min_distance=2.0, rng=np.random.default_rng(0)
    )
    write_potential(potential, folder / "potential.mtp")
    return folder
