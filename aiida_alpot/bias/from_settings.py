# SPDX-License-Identifier: MIT
"""A calculator with the bias that a sampler asks for."""

from __future__ import annotations

from typing import Any

from aiida_alpot.sampling.bias_settings import BiasSettings


def make_biased(calculator: Any, settings: BiasSettings | None) -> Any:
    """Return the calculator with the bias of a sampler; itself where there is none.

    Raises
    ------
    SettingError
        If the calculator lacks what the bias is made of.
    """
    if settings is None:
        return calculator
    from aiida_alpot.bias.calculator import BiasedCalculator
    from aiida_alpot.bias.committee import CommitteeBias
    from aiida_alpot.bias.grade import GradeBias
    from aiida_alpot.bias.strength import FixedStrength, HyperactiveStrength, Strength

    bias = CommitteeBias() if settings.kind == "committee" else GradeBias(settings.power)
    strength: Strength
    if settings.tau_rel is not None:
        strength = HyperactiveStrength(settings.tau_rel, settings.tau_hist)
    else:
        # along a contour the bias bends the path, not the energy
        strength = FixedStrength(settings.alpha or 0.0)
    return BiasedCalculator(calculator, bias, strength, tolerance=settings.tolerance)
