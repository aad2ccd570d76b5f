# SPDX-License-Identifier: MIT
"""Grades of configurations: how far each lies outside what a potential was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from aiida_alpot.carving.labels import is_carved
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.active_rows import ActiveSet
from aiida_alpot.grading.rows import iterate_rows
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray


@dataclass(frozen=True)
class Grades:
    """Extrapolation grades.

    Parameters
    ----------
    per_configuration : (n,) float64
        In neighbourhood mode the largest grade of its atoms.
    per_atom : (n_atoms,) float64 or None
        Flat as the arrays of ``Configurations``; None where a grader knows whole configurations
        only.
    """

    per_configuration: Array
    per_atom: Array | None


@runtime_checkable
class Grader(Protocol):
    """Anything that says how far configurations lie outside the training set."""

    def grade(self, configurations: Configurations) -> Grades:
        """Return the grades of ``configurations``, in their order."""
        ...


class ExtrapolationGrader:
    """Grades by the active set of a potential.

    Parameters
    ----------
    potential : MomentTensorPotential
        Its energies are linearised.
    active_set : ActiveSet
        Must have been built with the potential.

    Raises
    ------
    ActiveSetError
        If the active set belongs to another potential.
    """

    def __init__(self, potential: MomentTensorPotential, active_set: ActiveSet) -> None:
        active_set.check_potential(potential)
        self.potential = potential
        self.active_set = active_set

    def grade(self, configurations: Configurations) -> Grades:
        """Return the grades of ``configurations`` in the mode of the active set.

        Raises
        ------
        SpeciesError
            If the potential lacks a species that occurs.
        """
        mode = self.active_set.mode
        parts = [
            self.active_set.grades(block.rows)
            for block in iterate_rows(self.potential, configurations, mode=mode)
        ]
        grades = np.concatenate(parts) if parts else np.zeros(0)
        if mode == "configuration":
            return Grades(per_configuration=grades, per_atom=None)
        largest = (
            np.maximum.reduceat(grades, configurations.offsets[:-1]) if len(grades) else grades
        )
        return Grades(per_configuration=largest, per_atom=grades)


class TrainedAtomsGrader:
    """Grades chunks by the atoms whose forces they teach, and all else as another grader does.

    The rim of a chunk is no structure that anybody asks about; by the largest grade of all its
    atoms it would seem more worth a label than its frame is.

    Parameters
    ----------
    grader : Grader
        Of atoms; grades of whole configurations stay as they are.
    """

    def __init__(self, grader: Grader) -> None:
        self.grader = grader

    def grade(self, configurations: Configurations) -> Grades:
        """Return the grades, those of chunks of their central atoms.

        Raises
        ------
        SpeciesError
            As the other grader.
        """
        found = self.grader.grade(configurations)
        carved = is_carved(configurations)
        if found.per_atom is None or not carved.any():
            return found
        rim = np.repeat(carved, configurations.n_atoms) & ~configurations.force_mask
        counted = np.where(rim, 0.0, found.per_atom)
        largest = np.maximum.reduceat(counted, configurations.offsets[:-1])
        return Grades(per_configuration=largest, per_atom=found.per_atom)
