# SPDX-License-Identifier: MIT
"""Fits of moment tensor potentials: loss, searches, warm starts, trainings, errors.

Names are loaded when they are used, since most of them bring compiled code along.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "CommitteeSettings": "committee",
    "Errors": "metrics",
    "FitResult": "fit",
    "FitWarning": "diagnosis",
    "LossWeights": "loss",
    "Outlier": "outliers",
    "Training": "training",
    "TrainingSettings": "training_settings",
    "Weighting": "weighting",
    "errors": "metrics",
    "fit_potential": "fit",
    "predict": "prediction",
    "require_disjoint": "fit",
    "start_potential": "start",
    "train_potential": "training",
    "warm_start": "start",
}
__all__ = [
    "CommitteeSettings",
    "Errors",
    "FitResult",
    "FitWarning",
    "LossWeights",
    "Outlier",
    "Training",
    "TrainingSettings",
    "Weighting",
    "errors",
    "fit_potential",
    "predict",
    "require_disjoint",
    "start_potential",
    "train_potential",
    "warm_start",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
