# SPDX-License-Identifier: MIT
"""Settings and results of structures that relax together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.sampling.settings import require, setting

# The keys of a settings file carry their units.
# ruff: noqa: N815

Array = np.ndarray
CONVERGED, UNCONVERGED = "converged", "unconverged"
EXTRAPOLATING, TOO_CLOSE, COLLAPSED = "extrapolating", "too close", "collapsed"


@dataclass(frozen=True)
class BatchedRelaxationSettings:
    """Settings of :func:`relax_together`."""

    steps: int = setting(200, "Most evaluations of a structure.")
    fmax: float = setting(
        0.01,
        "Largest force on an atom at which a structure has converged, eV/A; of a cell, the virial "
        "per atom, eV, must be below this too.",
    )
    cell: Literal["fixed", "isotropic", "flexible"] = setting(
        "flexible", "How cells change: fixed, isotropic (volume only) or flexible (shape too)."
    )
    pressure_GPa: float = setting(0.0, "External pressure on cells that change, GPa.")
    max_step: float = setting(0.1, "Longest step of an atom, A.")
    gamma_break: float = setting(10.0, "Extrapolation grade at which a structure is stopped.")

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "a whole number of at least 1")
        require(self.fmax > 0, "fmax", self.fmax, "a positive number")
        require(self.max_step > 0, "max_step", self.max_step, "a positive number")
        require(self.gamma_break > 0, "gamma_break", self.gamma_break, "a positive number")
        kinds = ("fixed", "isotropic", "flexible")
        require(self.cell in kinds, "cell", self.cell, f"one of {', '.join(kinds)}")
        require(
            self.cell != "fixed" or self.pressure_GPa == 0,
            "pressure_GPa",
            self.pressure_GPa,
            "0 for fixed cells; choose cell isotropic or flexible",
        )


@dataclass(frozen=True)
class RelaxedStructures:
    """What became of the structures, in their order.

    Parameters
    ----------
    configurations : Configurations
        As they were when they stopped, with predicted energies, forces and stresses as labels, and
        grades if there was an active set.
    outcome : (n,) str
        "converged", "unconverged" (steps used up, or no step goes down any more), "extrapolating",
        "too close" or "collapsed" (the volume changed eightfold, or the energy is not finite).
    n_steps : (n,) int64
        Evaluations of each structure.
    largest_force : (n,) float64
        eV/A; of a cell that changes, at least the largest virial per atom, eV.
    """

    configurations: Configurations
    outcome: Array
    n_steps: Array
    largest_force: Array

    def count(self, outcome: str) -> int:
        """Return how many structures ended in this way."""
        return int((self.outcome == outcome).sum())
