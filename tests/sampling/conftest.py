# SPDX-License-Identifier: MIT
"""Structures, and a calculator whose grades are known in advance."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT


class GradedEMT(EMT):
    """EMT that adds a grade: the largest displacement from a reference, in units of ``scale``.

    It stands for a potential with an active set: grades grow as atoms leave what was trained.
    """

    def __init__(self, reference, scale=0.1):
        super().__init__()
        self.reference = reference.get_positions()
        self.scale = scale

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        super().calculate(atoms, properties, system_changes)
        self.results["grade"] = self.grade_of(atoms)

    def grade_of(self, atoms):
        displacements = atoms.positions - self.reference
        return float(np.linalg.norm(displacements, axis=1).max() / self.scale)


@pytest.fixture
def copper():
    """32 atoms of fcc Cu at the lattice constant of EMT, on their sites."""
    atoms = bulk("Cu", a=3.5898, cubic=True) * (2, 2, 2)
    atoms.info["identifier"] = "copper"
    return atoms


@pytest.fixture
def graded(copper):
    return GradedEMT(copper)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
