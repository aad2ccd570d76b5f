# SPDX-License-Identifier: MIT
"""The grader by extrapolation meets the contract of graders, in both modes."""

from functools import cache
from typing import ClassVar

import numpy as np
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import ExtrapolationGrader, build_active_set
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.testing.graders import GraderContract


@cache
def training():
    structures = []
    for seed in range(8):
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        atoms.rattle(0.1, seed=seed)
        structures.append(atoms)
    return Configurations.from_atoms(structures)


@cache
def grader(mode):
    potential = initial_potential(
        6, 4.5, species=["Cu"], min_distance=1.8, rng=np.random.default_rng(0)
    )
    active_set = build_active_set(potential, training(), mode=mode)
    return ExtrapolationGrader(potential, active_set)


class ExtrapolationContract(GraderContract):
    mode: ClassVar[str]

    def make_grader(self):
        return grader(self.mode)

    def make_training(self):
        return training()


class TestByNeighborhood(ExtrapolationContract):
    mode: ClassVar[str] = "neighborhood"


class TestByConfiguration(ExtrapolationContract):
    mode: ClassVar[str] = "configuration"
    grades_atoms = False
