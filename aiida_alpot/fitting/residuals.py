# SPDX-License-Identifier: MIT
"""How far a potential is from each label, in the units of the loss.

A deviation is the length of the weighted residual of one label: the energy or the strain derivative
of a configuration, the force on an atom. The weights of the loss make deviations of one kind
comparable; the weight of the configuration is taken out, so that one that counts little is judged
like the others.

What is usual for a kind is the deviation that nine labels of ten do not exceed: a few absurd labels
do not move it, and sets of calm and of violent structures in one are judged by the violent ones.
Forces that are zero by symmetry, on which every potential agrees, do not enter it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.loss import LossWeights, make_targets
from aiida_alpot.fitting.metrics import SMALLEST_FORCE, Predictions

Array = np.ndarray
USUAL_SHARE = 0.9
"""Share of the labels whose deviations count as usual."""


@dataclass(frozen=True)
class Deviations:
    """Lengths of weighted residuals, NaN where there is no label that counts.

    Parameters
    ----------
    energy, strain : (n,) float64
        Of configurations.
    forces : (n_atoms,) float64
        Of atoms.
    usual_energy, usual_strain, usual_forces : float
        What is usual for each kind, zero where there is no label.
    """

    energy: Array
    strain: Array
    forces: Array
    usual_energy: float
    usual_strain: float
    usual_forces: float


def deviations(
    configurations: Configurations, prediction: Predictions, weights: LossWeights
) -> Deviations:
    """Return how far predictions are from the labels of a set.

    Parameters
    ----------
    configurations : Configurations
        Labelled; their weights do not matter.
    prediction : Predictions
        For the same configurations in the same order.
    weights : LossWeights
        Of the loss.
    """
    targets = make_targets(configurations.replace(weight=np.ones(len(configurations))), weights)
    strain = prediction.stress * configurations.volumes[:, None]
    energy = _length((prediction.energy - targets.energy)[:, None], targets.energy_scale[:, None])
    strain = _length(np.nan_to_num(strain) - targets.strain, targets.strain_scale)
    forces = _length(prediction.forces - targets.forces, targets.force_scale)
    has_size = np.linalg.norm(targets.forces, axis=1) > SMALLEST_FORCE
    of_size = forces[has_size] if np.isfinite(forces[has_size]).any() else forces
    return Deviations(energy, strain, forces, usual(energy), usual(strain), usual(of_size))


def usual(values: Array) -> float:
    """Return what nine of ten values do not exceed, zero if there is none; never the largest."""
    known = values[np.isfinite(values)]
    return float(np.quantile(known, USUAL_SHARE, method="lower")) if len(known) else 0.0


def _length(residuals: Array, scales: Array) -> Array:
    return np.where(scales.any(axis=1), np.linalg.norm(residuals * scales, axis=1), np.nan)
