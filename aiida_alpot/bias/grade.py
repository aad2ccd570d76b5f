# SPDX-License-Identifier: MIT
r"""Bias by the extrapolation grade of an active set, made smooth.

The grade gamma = max_ij \|c_ij\| of the coefficients c_i = b_i C of the rows b_i = dV_i/dtheta
(C = P A^-1, see :mod:`aiida_alpot.grading.active_rows`) has kinks where another atom i or another
active row j becomes the largest. In its place stands the logarithm of a p-norm, which is smooth ::

    B = ln ( sum_ij |c_ij|^p )^(1/p),     ln gamma <= B <= ln gamma + ln(N rank) / p

With g_ij = dB/dc_ij = sign(c_ij) |c_ij|^(p-1) / sum |c|^p and the directions w_i = C g_i of the
parameters, dB/dx = sum_i w_i . db_i/dx at fixed w_i: the force of an energy whose parameters are
the w_i, one set for each atom, which :mod:`aiida_alpot.mtp.parameter_tangents` evaluates exactly.
Directions of the parameters that no environment can tell apart (a change of the radial functions
that linear coefficients undo) are not among the coordinates of an active set, and so never in w_i.
Where whole configurations are graded, c = mean_i b_i C and w_i = C g / N.

It is dimensionless: a bias that is worth alpha = 1 eV pulls with 1 eV for every factor e that the
grade grows by. Cost: the evaluation with its grades, two products of matrices, and 1.5 to 1.8
evaluations for the derivatives, whatever the rank.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from aiida_alpot.bias.base import BiasTerm
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_rows import ActiveSet
from aiida_alpot.mtp.calculator import MTP, GradeCollector
from aiida_alpot.mtp.parameter_tangents import TangentEvaluator
from aiida_alpot.mtp.site_evaluator import rows_by_atom

Array = np.ndarray
POWER = 8.0


class GradeBias:
    """B = ln of the p-norm of the coefficients of all rows in the active ones.

    Parameters
    ----------
    power : float
        p, 2 at least. The larger, the nearer the bias is to the logarithm of the grade, and the
        more it pulls at the worst atom alone.

    Raises
    ------
    SettingError
        If the power is below 2.
    """

    name: ClassVar[str] = "grade"

    def __init__(self, power: float = POWER) -> None:
        if not power >= 2.0:
            raise SettingError(f"The power of the bias is {power!r}; it must be at least 2.")
        self.power = power
        self._tangents: TangentEvaluator | None = None
        self._evaluated: tuple[Any, Array] = (None, np.zeros(0))

    def prepare(self, calculator: Any) -> Any:
        """Return a calculator of the same results that keeps the coefficients of the rows.

        Raises
        ------
        SettingError
            If the calculator has no active set.
        """
        if getattr(calculator, "active_set", None) is None:
            raise SettingError(
                "The bias 'grade' needs an active set, which this calculator does not have. Give "
                "the active set of the potential, or choose the bias 'committee'."
            )
        return CoefficientMTP(
            calculator.potential,
            active_set=calculator.active_set,
            skin=calculator.neighbors.skin,
            threads=calculator.threads,
        )

    def term(self, calculator: CoefficientMTP) -> BiasTerm:
        """Return B with its derivatives."""
        active_set, coefficients = calculator.active_set, calculator.coefficients
        value, by_coefficient = log_norm(coefficients, self.power)
        assert active_set is not None
        directions = by_coefficient @ active_set.coefficient_matrix.T
        if active_set.mode == "configuration":
            directions = directions[0] / len(calculator.atoms)
        along = self._evaluator_of(calculator).evaluate_along(
            calculator.neighbors, directions, threads=calculator.threads
        )
        return BiasTerm(value, -along.forces, along.strains.sum(axis=0))

    def _evaluator_of(self, calculator: CoefficientMTP) -> TangentEvaluator:
        """Return what takes derivatives, made anew where potential or atoms are others."""
        potential, numbers = self._evaluated
        present = calculator.atoms.numbers
        if (
            self._tangents is None
            or potential is not calculator.potential
            or not np.array_equal(numbers, present)
        ):
            types = calculator.potential.types_of(present)
            self._tangents = TangentEvaluator(calculator.potential, types)
            self._evaluated = (calculator.potential, present.copy())
        return self._tangents


def log_norm(coefficients: Array, power: float) -> tuple[float, Array]:
    """Return ln (sum |c|^p)^(1/p) over all coefficients, and its derivative by each of them.

    Parameters
    ----------
    coefficients : (m, n) float64
        Not all of them zero.
    power : float
        p.
    """
    largest = np.abs(coefficients).max()
    shares = np.abs(coefficients) / largest  # so that no power overflows
    lower = shares ** (power - 1.0)
    total = float((shares * lower).sum())
    derivative: Array = np.sign(coefficients) * lower / (largest * total)
    return float(np.log(largest) + np.log(total) / power), derivative


class CoefficientMTP(MTP):
    """The calculator of a potential with its active set, with the coefficients of the rows kept.

    All results are those of :class:`~aiida_alpot.mtp.calculator.MTP`, to the last bit.
    """

    coefficients: Array
    """c of the last evaluation: (n_atoms, rank), or (1, rank) where configurations are graded."""

    def _collector_of_grades(self, n_atoms: int) -> GradeCollector | None:
        assert self.active_set is not None
        rows = n_atoms if self.active_set.mode == "neighborhood" else 1
        self.coefficients = np.zeros((rows, self.active_set.rank))
        return _CoefficientCollector(self.active_set, n_atoms, self.coefficients)


class _CoefficientCollector(GradeCollector):
    """Grades rows and writes their coefficients."""

    def __init__(self, active_set: ActiveSet, n_atoms: int, coefficients: Array) -> None:
        super().__init__(active_set, n_atoms)
        self._matrix = active_set.coefficient_matrix
        self._coefficients = coefficients

    def take(self, blocks: Array, rows: Array) -> None:
        super().take(blocks, rows)
        if self._by_atom:
            atoms, by_atom = rows_by_atom(blocks, rows)
            self._coefficients[atoms] = by_atom @ self._matrix

    def results(self) -> dict[str, Any]:
        if not self._by_atom:
            self._coefficients[:] = self._mean_row() @ self._matrix
        return super().results()
