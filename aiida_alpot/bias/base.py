# SPDX-License-Identifier: MIT
"""What a bias is: a smooth measure of how uncertain a potential is, and its exact derivatives.

A bias B is a function of the positions and the cell, large where the potential is not to be
trusted. :class:`~aiida_alpot.bias.calculator.BiasedCalculator` moves atoms on U - alpha B.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

Array = np.ndarray


class BiasTerm(NamedTuple):
    """A bias at one geometry."""

    value: float
    """B."""
    gradient: Array
    """(n_atoms, 3) dB / d positions, per Angstrom."""
    strain: Array
    """(6,) dB / d strain, xx yy zz yz xz xy."""


class Bias(Protocol):
    """A measure of uncertainty with derivatives."""

    name: ClassVar[str]
    """In a campaign file."""

    def prepare(self, calculator: Any) -> Any:
        """Return the calculator with what the bias needs of it.

        Raises
        ------
        SettingError
            If the calculator cannot tell what the bias is made of.
        """
        ...

    def term(self, calculator: Any) -> BiasTerm:
        """Return the bias at the geometry that the prepared calculator has just evaluated."""
        ...
