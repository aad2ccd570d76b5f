# SPDX-License-Identifier: MIT
"""The exact solution for the linear coefficients.

At fixed radial functions the predictions are linear in the coefficients of species and moments, and
the loss is a sum of squares: its minimum solves A delta = J^T r, see
:mod:`aiida_alpot.fitting.normal_equations`.

The contractions are not all independent in three dimensions, so A is singular by construction. Its
rows and columns are scaled to a unit diagonal and a small multiple of the unit matrix is added; the
residuals are then evaluated again and the equations solved for the correction, which removes the
bias in every direction that the data determine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg

from aiida_alpot.fitting.loss import Targets
from aiida_alpot.fitting.normal_equations import normal_equations
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

__all__ = ["PositiveSystem", "normal_equations", "solve_linear"]

Array = np.ndarray
REGULARISATION = 1e-12
"""Added to the unit diagonal of the scaled normal equations."""


def solve_linear(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    refinements: int = 3,
    threads: int = 1,
) -> MomentTensorPotential:
    """Return the potential with the coefficients of species and moments that minimise the loss.

    Parameters
    ----------
    potential : MomentTensorPotential
        Gives the radial functions; its linear coefficients are where the solution starts from.
        Those that no label depends on keep their values.
    environment, targets
        Configurations and labels.
    refinements : int
        How often residuals are evaluated and corrections solved for.
    threads : int
        See :func:`normal_equations`.
    """
    n_radial = potential.n_radial_parameters
    for _ in range(refinements):
        equations = normal_equations(
            potential, environment, targets, with_radial=False, threads=threads
        )
        parameters = potential.parameters
        parameters[n_radial:] += PositiveSystem(equations.matrix).solve(equations.gradient)
        potential = potential.with_parameters(parameters)
    return potential


class PositiveSystem:
    """Symmetric positive semidefinite equations, scaled to a unit diagonal and regularised.

    Unknowns whose row is zero are left out, their part of a solution is zero. Where rounding makes
    the equations indefinite, the solution of least norm in the scaled unknowns is returned.

    Parameters
    ----------
    matrix : (n, n) float64
        Symmetric.
    """

    def __init__(self, matrix: Array) -> None:
        diagonal = np.diag(matrix)
        self._used = np.flatnonzero(diagonal > 0.0)
        self._scale = 1.0 / np.sqrt(diagonal[self._used])
        scaled = matrix[np.ix_(self._used, self._used)] * np.outer(self._scale, self._scale)
        scaled[np.diag_indices(len(scaled))] += REGULARISATION
        self._solver = _factorise(scaled)

    def solve(self, right: Array) -> Array:
        """Return the solution for one right-hand side (n,) or several (n, m)."""
        scale = self._scale if right.ndim == 1 else self._scale[:, None]
        solution = np.zeros(right.shape)
        solution[self._used] = scale * self._solver(scale * right[self._used])
        return solution


def _factorise(matrix: Array) -> Callable[[Array], Array]:
    if not len(matrix):
        return lambda right: right
    try:
        factor = scipy.linalg.cho_factor(matrix, lower=True, check_finite=False)
        return lambda right: scipy.linalg.cho_solve(factor, right, check_finite=False)
    except scipy.linalg.LinAlgError:
        values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
        kept = vectors[:, values > 1e-14 * values[-1]]
        inverse = kept / values[values > 1e-14 * values[-1]]
        return lambda right: inverse @ (kept.T @ right)
