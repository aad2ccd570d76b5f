# SPDX-License-Identifier: MIT
"""Normal equations of a fit, and the exact solution for the linear coefficients.

At fixed radial functions the predictions are linear in the coefficients of species and moments, and
the loss is a sum of squares: its minimum solves A delta = J^T r with A = J^T J, J the weighted
Jacobian and r the weighted residuals (label minus prediction). A and J^T r are sums over blocks of
configurations, always added in the same order.

The contractions are not all independent in three dimensions, so A is singular by construction. Its
rows and columns are scaled to a unit diagonal and a small multiple of the unit matrix is added; the
residuals are then evaluated again and the equations solved for the correction, which removes the
bias in every direction that the data determine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from aiida_alpot.fitting.loss import Targets
from aiida_alpot.mtp.jacobian import Environment, block_jacobian
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
REGULARISATION = 1e-12
"""Added to the unit diagonal of the scaled normal equations."""


@dataclass(frozen=True)
class NormalEquations:
    """Sums over all labels at one point.

    Parameters
    ----------
    matrix : (n, n) float64
        J^T J for the parameters that were asked for.
    gradient : (n,) float64
        J^T r; minus half of the gradient of the loss.
    loss : float
        r^T r, without the penalty.
    """

    matrix: Array
    gradient: Array
    loss: float


def normal_equations(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    with_radial: bool = True,
    threads: int = 1,
) -> NormalEquations:
    """Sum the normal equations of all labels.

    Parameters
    ----------
    potential : MomentTensorPotential
        Point of linearisation.
    environment : Environment
        Of the configurations of ``targets``.
    targets : Targets
        Weighted labels. Rows and columns of parameters that their restraints freeze are zero.
    with_radial : bool
        Whether the radial coefficients, first, belong to the parameters.
    threads : int
        Blocks of configurations are shared among so many threads; the sums are the same.
    """

    def of_block(block: tuple[int, int]) -> NormalEquations:
        return _block_equations(potential, environment, targets, block, with_radial)

    blocks = environment.blocks()
    if threads == 1:
        return _restrain(_add(map(of_block, blocks)), potential, targets)
    with ThreadPoolExecutor(threads) as pool:
        return _restrain(_add(pool.map(of_block, blocks)), potential, targets)


def _restrain(
    equations: NormalEquations, potential: MomentTensorPotential, targets: Targets
) -> NormalEquations:
    """Add what the restraints of the targets ask for, after the sum over all labels."""
    restraints = targets.restraints
    if restraints is None:
        return equations
    parameters = potential.parameters
    matrix, gradient = restraints.hold(equations.matrix, equations.gradient, parameters)
    return NormalEquations(matrix, gradient, equations.loss + restraints.loss(parameters))


def _add(parts: Iterable[NormalEquations]) -> NormalEquations:
    total: NormalEquations | None = None
    for part in parts:
        if total is None:
            total = part
        else:
            total = NormalEquations(
                total.matrix + part.matrix, total.gradient + part.gradient, total.loss + part.loss
            )
    assert total is not None
    return total


def _block_equations(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    block: tuple[int, int],
    with_radial: bool,
) -> NormalEquations:
    first, end = block
    atoms = slice(int(environment.offsets[first]), int(environment.offsets[end]))
    with_forces = targets.has_forces(first, end, atoms)
    jacobian = block_jacobian(
        potential, environment, block, with_radial=with_radial, with_forces=with_forces
    ).rows
    labels, scales = [targets.energy[first:end]], [targets.energy_scale[first:end]]
    if with_forces:
        labels += [targets.strain[first:end].ravel(), targets.forces[atoms].T.ravel()]
        scales += [targets.strain_scale[first:end].ravel(), targets.force_scale[atoms].T.ravel()]
    linear = linear_coefficients(potential)
    products = multiply_weighted_rows(
        jacobian, linear, np.concatenate(labels), np.concatenate(scales)
    )
    n_rows = len(jacobian)
    return NormalEquations(
        products[:n_rows, :n_rows].copy(),
        products[:n_rows, n_rows].copy(),
        float(products[n_rows, n_rows]),
    )


def multiply_weighted_rows(jacobian: Array, linear: Array, labels: Array, scales: Array) -> Array:
    """Return the scalar products of the weighted rows of a Jacobian and, behind them, of residuals.

    Parameters
    ----------
    jacobian : (n_rows, n) float64
        Rows of parameters, those of the linear coefficients last.
    linear : (n_linear,) float64
        Linear coefficients, which times their rows give the predictions.
    labels, scales : (n,) float64
        Labels and the square roots of their weights; columns of weight zero are left out.

    Returns
    -------
    (m, m) float64
        m > n_rows; what lies behind row and column ``n_rows`` is zero.
    """
    from aiida_alpot.mtp.kernels.lanes import LANES
    from aiida_alpot.mtp.kernels.normal_equations import TILE, multiply_rows, weigh_rows

    columns = np.flatnonzero(scales > 0.0)
    n_rows = len(jacobian)
    shape = (-(-(n_rows + 1) // TILE) * TILE, -(-len(columns) // LANES) * LANES)
    weighted = np.zeros(shape)
    weigh_rows(jacobian, n_rows - len(linear), linear, labels, scales, columns, weighted)
    products = np.empty((shape[0], shape[0]))
    multiply_rows(weighted, products)
    return products


def linear_coefficients(potential: MomentTensorPotential) -> Array:
    """Return the coefficients of species and moments, in the order of the parameters."""
    return np.concatenate([potential.species_coefficients, potential.moment_coefficients])


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
