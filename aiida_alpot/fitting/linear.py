# SPDX-License-Identifier: MIT
"""Normal equations of a fit, and the exact solution for the linear coefficients.

At fixed radial functions the predictions are linear in the coefficients of species and moments, and
the loss is a sum of squares: its minimum solves A delta = J^T r with A = J^T J, J the weighted Jacobian
and r the weighted residuals (label minus prediction). A and J^T r are sums over blocks of
configurations, always added in the same order.

The contractions are not all independent in three dimensions, so A is singular by construction. Its
rows and columns are scaled to a unit diagonal and a small multiple of the unit matrix is added; the
residuals are then evaluated again and the equations solved for the correction, which removes the bias
in every direction that the data determine.
"""

from __future__ import annotations

from collections.abc import Callable
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
_REFINEMENTS = 3


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
        Weighted labels.
    with_radial : bool
        Whether the radial coefficients, first, belong to the parameters.
    threads : int
        Blocks of configurations are shared among so many threads; the sums are the same.
    """

    def of_block(block: tuple[int, int]) -> NormalEquations:
        return _block_equations(potential, environment, targets, block, with_radial)

    blocks = environment.blocks()
    if threads == 1:
        return _add(map(of_block, blocks))
    with ThreadPoolExecutor(threads) as pool:
        return _add(pool.map(of_block, blocks))


def _add(parts: object) -> NormalEquations:
    total: NormalEquations | None = None
    for part in parts:  # type: ignore[attr-defined]
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
    residuals = np.concatenate(labels) - linear @ jacobian[-len(linear) :]
    scale = np.concatenate(scales)
    used = scale > 0.0
    if not used.all():
        jacobian, residuals, scale = jacobian[:, used], residuals[used], scale[used]
    jacobian = jacobian * scale
    residuals = residuals * scale
    return NormalEquations(
        jacobian @ jacobian.T, jacobian @ residuals, float(residuals @ residuals)
    )


def linear_coefficients(potential: MomentTensorPotential) -> Array:
    """Return the coefficients of species and moments, in the order of the parameters."""
    return np.concatenate([potential.species_coefficients, potential.moment_coefficients])


def solve_linear(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    threads: int = 1,
) -> MomentTensorPotential:
    """Return the potential with the coefficients of species and moments that minimise the loss.

    Coefficients that no label depends on keep their values.
    """
    n_radial = potential.n_radial_parameters
    for _ in range(_REFINEMENTS):
        equations = normal_equations(
            potential, environment, targets, with_radial=False, threads=threads
        )
        step = solve_scaled(equations.matrix, equations.gradient)
        parameters = potential.parameters
        parameters[n_radial:] += step
        potential = potential.with_parameters(parameters)
    return potential


def solve_scaled(
    matrix: Array, right: Array, *, damping: Array | float = REGULARISATION
) -> Array:
    """Solve symmetric positive semidefinite equations, scaled to a unit diagonal and damped.

    Parameters
    ----------
    matrix : (n, n) float64
        Rows and columns that are zero are left out; their part of the solution is zero.
    right : (n,) float64
        Right-hand side.
    damping : float or (n,) float64
        Added to the unit diagonal.

    Returns
    -------
    (n,) float64
        The solution; of least norm in the scaled unknowns where rounding makes the equations
        indefinite.
    """
    diagonal = np.diag(matrix)
    solution = np.zeros(len(right))
    used = np.flatnonzero(diagonal > 0.0)
    scale = 1.0 / np.sqrt(diagonal[used])
    scaled = matrix[np.ix_(used, used)] * np.outer(scale, scale)
    scaled[np.diag_indices(len(used))] += np.broadcast_to(damping, diagonal.shape)[used]
    solution[used] = scale * _solve_positive(scaled, scale * right[used])
    return solution


def _solve_positive(matrix: Array, right: Array) -> Array:
    solver: Callable[[Array], Array]
    try:
        factor = scipy.linalg.cho_factor(matrix, lower=True, check_finite=False)
        solution: Array = scipy.linalg.cho_solve(factor, right, check_finite=False)
    except scipy.linalg.LinAlgError:
        values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
        kept = values > 1e-14 * values[-1]
        solution = vectors[:, kept] @ ((vectors[:, kept].T @ right) / values[kept])
    return solution
