# SPDX-License-Identifier: MIT
"""Settings and results of structures that relax together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.sampling.relaxation_settings import CommonRelaxationSettings
from aiida_alpot.sampling.settings import require, setting

Array = np.ndarray
CONVERGED, UNCONVERGED = "converged", "unconverged"
EXTRAPOLATING, TOO_CLOSE, COLLAPSED = "extrapolating", "too close", "collapsed"


@dataclass(frozen=True)
class BatchedRelaxationSettings(CommonRelaxationSettings):
    """Settings of :func:`relax_together`."""

    steps: int = setting(200, "Most evaluations of a structure.")
    cell: Literal["fixed", "isotropic", "flexible"] = setting(
        "flexible", "How the cell changes: fixed, isotropic (volume only) or flexible (shape too)."
    )
    gamma_break: float = setting(10.0, "Extrapolation grade at which a structure is stopped.")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.gamma_break > 0, "gamma_break", self.gamma_break, "a positive number")


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
