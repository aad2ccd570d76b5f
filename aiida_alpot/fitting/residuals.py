# SPDX-License-Identifier: MIT
"""How far a potential is from each label, in the units of the loss.

A deviation is the length of the weighted residual of one label: the energy or the strain derivative
of a configuration, the force on an atom. The weights of the loss make deviations of one kind
comparable; the weight of the configuration is taken out, so that one that counts little is judged
like the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.loss import LossWeights, make_targets
from aiida_alpot.fitting.metrics import Predictions

Array = np.ndarray


@dataclass(frozen=True)
class Deviations:
    """Lengths of weighted residuals, NaN where there is no label that counts.

    Parameters
    ----------
    energy, strain : (n,) float64
        Of configurations.
    forces : (n_atoms,) float64
        Of atoms.
    """

    energy: Array
    strain: Array
    forces: Array


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
    return Deviations(
        _length((prediction.energy - targets.energy)[:, None], targets.energy_scale[:, None]),
        _length(np.nan_to_num(strain) - targets.strain, targets.strain_scale),
        _length(prediction.forces - targets.forces, targets.force_scale),
    )


def typical(values: Array) -> float:
    """Return the median of the deviations that are there, zero if there is none."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else 0.0


def _length(residuals: Array, scales: Array) -> Array:
    return np.where(scales.any(axis=1), np.linalg.norm(residuals * scales, axis=1), np.nan)
