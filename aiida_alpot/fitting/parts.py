# SPDX-License-Identifier: MIT
"""A part of a large training set that tells almost as much as the whole at a fraction of the cost.

A set has many more labels than a potential has parameters, so that some of its configurations
suffice to compare radial functions, or to estimate how the loss curves.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.fitting.loss import Targets
from aiida_alpot.mtp.jacobian import Environment

Array = np.ndarray
LABELS_PER_PARAMETER = 50
"""A part holds at least so many labels for each parameter."""


def part_step(n_labels: int, n_parameters: int, n_configurations: int) -> int:
    """Return n such that one of n configurations is in the part; one if the set is not large."""
    step = n_labels // (LABELS_PER_PARAMETER * n_parameters)
    return max(1, min(step, n_configurations // 8))


def part_indices(n_configurations: int, step: int) -> Array:
    """Return one of each ``step`` configurations, a random one, the same at every call.

    Sets are often in an order that repeats, so that equal distances could miss a kind of cell.
    """
    starts = np.arange(0, n_configurations, step)
    jumps = np.random.default_rng(0).integers(step, size=len(starts))
    chosen: Array = np.minimum(starts + jumps, n_configurations - 1)
    return chosen


def take_part(environment: Environment, targets: Targets, step: int) -> tuple[Environment, Targets]:
    """Return one of each ``step`` configurations; the loss is of the size of that of the set."""
    n_configurations = len(environment.offsets) - 1
    indices = part_indices(n_configurations, step)
    labels = targets.select(indices, environment.offsets)
    return environment.select(indices), labels.weigh(n_configurations / len(indices))
