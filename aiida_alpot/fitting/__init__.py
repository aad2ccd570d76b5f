# SPDX-License-Identifier: MIT
"""Fits of moment tensor potentials: loss, searches, warm starts, errors.

Names are loaded when they are used, since most of them bring compiled code along.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Errors": "metrics",
    "FitResult": "fit",
    "LossWeights": "loss",
    "errors": "metrics",
    "fit_potential": "fit",
    "predict": "prediction",
    "require_disjoint": "fit",
    "start_potential": "start",
    "warm_start": "start",
}
__all__ = [
    "Errors",
    "FitResult",
    "LossWeights",
    "errors",
    "fit_potential",
    "predict",
    "require_disjoint",
    "start_potential",
    "warm_start",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
