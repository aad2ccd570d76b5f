# SPDX-License-Identifier: MIT
"""A training set made ready for a fit: checked, weighed, with neighbours and a look at its labels.

An absurd energy is never the zero of an energy window, since it is known before anything is
weighed. Configurations of weight zero are left out.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from aiida_alpot.carving.labels import keep_central_forces
from aiida_alpot.configuration_checks import check_geometry, check_labels
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError, LabelError
from aiida_alpot.fitting.outliers import Outlier, has_close_pairs, suspicious_labels
from aiida_alpot.fitting.weighting import Weighting, weigh_configurations
from aiida_alpot.mtp.jacobian import Environment, make_environment
from aiida_alpot.mtp.potential import MomentTensorPotential

LARGEST_LABEL = 1e100


@dataclass(frozen=True)
class TrainingData:
    """A training set that is ready to be fitted to.

    Parameters
    ----------
    configurations : Configurations
        Those that count, with their weights.
    environment : Environment
        Their neighbours.
    suspicious : list of Outlier
        Labels that are absurd beside the others.
    """

    configurations: Configurations
    environment: Environment
    suspicious: list[Outlier]


def prepare_training(
    training: Configurations, initial: MomentTensorPotential, weighting: Weighting
) -> TrainingData:
    """Check a training set, list its neighbours, look at its labels and weigh it.

    Raises
    ------
    EmptyDataError
        If there is no configuration, or none has a weight.
    GeometryError, LabelError
        If a structure is not usable or a label is no number that can be computed with.
    SpeciesError
        If the potential lacks a species.
    """
    training = keep_central_forces(training)
    check_geometry(training)
    check_labels(training)
    _require_computable(training)
    return _weigh(_look_at(training, initial), initial, weighting)


def _require_computable(configurations: Configurations) -> None:
    """Raise LabelError for a label whose square has no place among floating-point numbers."""
    forces = np.where(configurations.force_mask[:, None], configurations.forces, 0.0)
    largest = np.fmax.reduce(
        [
            np.abs(configurations.energy),
            np.fmax.reduceat(np.abs(forces).max(axis=1), configurations.offsets[:-1]),
            np.abs(configurations.stress).max(axis=1),
        ]
    )
    for index in np.flatnonzero(largest > LARGEST_LABEL).tolist():
        raise LabelError(
            f"Configuration {configurations.describe(index)} has a label of {largest[index]:.3g}, "
            "which is no physical value. Label it again or leave it out."
        )


def _look_at(configurations: Configurations, initial: MomentTensorPotential) -> TrainingData:
    environment = make_environment(initial, configurations)
    is_close = has_close_pairs(configurations, environment)
    return TrainingData(configurations, environment, suspicious_labels(configurations, is_close))


def _weigh(
    data: TrainingData, initial: MomentTensorPotential, weighting: Weighting
) -> TrainingData:
    """Return the configurations that count, with their weights."""
    training = data.configurations
    trusted = np.ones(len(training), dtype=bool)
    trusted[[one.configuration for one in data.suspicious if one.kind == "energy"]] = False
    weighed = weigh_configurations(training, weighting, trusted=trusted)
    counts = weighed.weight != 0.0
    if not counts.any():
        raise EmptyDataError(
            "Every configuration of the training set has the weight zero. Give one a weight, or "
            "widen the limits of the weighting."
        )
    if counts.all():
        return dataclasses.replace(data, configurations=weighed)
    return _look_at(weighed.select(counts), initial)
