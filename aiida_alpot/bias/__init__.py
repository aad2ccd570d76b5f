# SPDX-License-Identifier: MIT
"""Bias: drive atoms to where a potential is uncertain, along the gradient of its uncertainty."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "BiasedCalculator": "calculator",
    "CommitteeBias": "committee",
    "FixedStrength": "strength",
    "GradeBias": "grade",
    "HyperactiveStrength": "strength",
    "make_biased": "from_settings",
    "tilt": "direction",
}
__all__ = [
    "BiasedCalculator",
    "CommitteeBias",
    "FixedStrength",
    "GradeBias",
    "HyperactiveStrength",
    "make_biased",
    "tilt",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
