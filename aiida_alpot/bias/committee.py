# SPDX-License-Identifier: MIT
"""Bias by the spread of the energies of a committee, sigma_U in eV.

The gradient comes from the forces of the members, which are evaluated anyway; the bias costs
nothing beyond them. Formulas: :mod:`aiida_alpot.grading.committee_energies`. The spread is taken
about the mean of the members; what moves the atoms may be another potential, fitted to all data.
"""

from __future__ import annotations

from typing import Any, ClassVar

from aiida_alpot.bias.base import BiasTerm
from aiida_alpot.errors import SettingError


class CommitteeBias:
    """B = sigma_U, eV, of a :class:`~aiida_alpot.grading.committee_calculator.CommitteeMTP`."""

    name: ClassVar[str] = "committee"

    def prepare(self, calculator: Any) -> Any:
        """Return the calculator itself.

        Raises
        ------
        SettingError
            If it has no committee.
        """
        from aiida_alpot.grading.committee_calculator import CommitteeMTP

        if not isinstance(calculator, CommitteeMTP):
            raise SettingError(
                "The bias 'committee' needs a committee of potentials, which this calculator does "
                "not have. Give a committee, or choose the bias 'grade'."
            )
        return calculator

    def term(self, calculator: Any) -> BiasTerm:
        """Return sigma_U, eV, with its derivatives."""
        spread = calculator.spread
        return BiasTerm(spread.deviation, spread.gradient, spread.strain)
