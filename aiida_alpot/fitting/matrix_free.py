# SPDX-License-Identifier: MIT
"""Search for the radial coefficients without a matrix of them.

The steps are those of :mod:`aiida_alpot.fitting.nonlinear`: the linear coefficients are solved for
exactly, from normal equations of their own, which are small. The equations of a step in the radial
coefficients, (S + lambda D) delta_c = g_c, are solved by conjugate gradients, which stop early, as
the model is only good nearby (Dembo, Eisenstat & Steihaug, SIAM J. Numer. Anal. 19, 400 (1982)).
With A = J^T J as there, S v takes two products with A, see :mod:`aiida_alpot.fitting.curvature`::

    S v = A_cc v - A_cx y,     A_xx y = A_xc v

D and the preconditioner come from a part of the configurations, see
:mod:`aiida_alpot.fitting.curvature_sample`, so that few products do. Memory grows with the number
of parameters times that of the linear coefficients, neither with its square nor with the labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aiida_alpot.fitting.curvature import curvature_product
from aiida_alpot.fitting.curvature_sample import CurvatureSample, Preconditioner
from aiida_alpot.fitting.linear import PositiveSystem
from aiida_alpot.fitting.loss import Targets, penalty_residuals
from aiida_alpot.fitting.loss_gradient import loss_and_gradient
from aiida_alpot.fitting.nonlinear import Place, PlaceKeeper, Point, SearchState, descend
from aiida_alpot.fitting.normal_equations import normal_equations
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
MOST_PRODUCTS = 40
SMALL_RESIDUAL = 0.1
"""Of the equations of a step, in units of the gradient, both in the norm of the preconditioner."""


def search_matrix_free(
    start: Place,
    environment: Environment,
    targets: Targets,
    *,
    max_iterations: int,
    tolerance: float,
    report: Callable[[SearchState], None],
    keeper: PlaceKeeper | None = None,
    threads: int = 1,
) -> bool:
    """Minimise the loss over all coefficients, step by step.

    Parameters and the result are those of :func:`~aiida_alpot.fitting.nonlinear.search_radial`; the
    potential may be untrained. Where processes share the sums over labels, the first of them makes
    the sample alone.
    """
    return descend(
        start,
        _Examiner(start.trial, environment, targets, threads),
        negligible_loss=targets.negligible_loss,
        max_iterations=max_iterations,
        tolerance=tolerance,
        report=report,
        keeper=keeper,
    )


class _Examiner:
    """Solves for the linear coefficients of trials, and makes models around accepted ones."""

    def __init__(
        self,
        potential: MomentTensorPotential,
        environment: Environment,
        targets: Targets,
        threads: int,
    ) -> None:
        self._environment, self._targets, self._threads = environment, targets, threads
        self._sample = CurvatureSample(potential, environment, targets)

    def __call__(self, trial: MomentTensorPotential, _: bool) -> Point:
        equations = normal_equations(
            trial, self._environment, self._targets, with_radial=False, threads=self._threads
        )
        linear = PositiveSystem(equations.matrix)
        parameters = trial.parameters
        parameters[trial.n_radial_parameters :] += linear.solve(equations.gradient)
        solved = trial.with_parameters(parameters)
        loss, gradient = loss_and_gradient(
            solved, self._environment, self._targets, threads=self._threads
        )
        return Point(
            solved, loss, lambda: self._model_at(solved, linear, -0.5 * gradient), trial=trial
        )

    def _model_at(
        self, potential: MomentTensorPotential, linear: PositiveSystem, gradient: Array
    ) -> _ProductModel:
        products = _ReducedProducts(
            potential, self._environment, self._targets, linear, self._sample.free, self._threads
        )
        preconditioner = self._sample.precondition(potential, threads=self._threads)
        return _ProductModel(products, preconditioner, gradient[self._sample.free])


@dataclass(frozen=True)
class _ReducedProducts:
    """Products of S, the penalty and the pull on radial coefficients included."""

    potential: MomentTensorPotential
    environment: Environment
    targets: Targets
    linear: PositiveSystem
    free: Array
    threads: int

    def __call__(self, vector: Array) -> tuple[Array, Array]:
        """Return S v, and y: how much the best linear coefficients fall along v."""
        n_radial = self.potential.n_radial_parameters
        direction = np.zeros(self.potential.n_parameters)
        direction[self.free] = vector
        along = self._curvature(direction)
        response = self.linear.solve(along[n_radial:])
        along -= self._curvature(np.concatenate([np.zeros(n_radial), response]))
        jacobian = penalty_residuals(self.potential)[1][:, self.free]
        product = along[self.free] + jacobian.T @ (jacobian @ vector)
        if self.targets.restraints is not None:
            product += self.targets.restraints.strength[self.free] * vector
        return product, response

    def _curvature(self, direction: Array) -> Array:
        return curvature_product(
            self.potential, self.environment, self.targets, direction, threads=self.threads
        )


@dataclass(frozen=True)
class _ProductModel:
    """The loss around a point as a function of the radial coefficients, L - 2 g.d + d.S.d."""

    products: _ReducedProducts
    preconditioner: Preconditioner
    gradient: Array

    def solve(self, damping: float) -> tuple[Array, float]:
        """Return the step in all parameters and the drop of the loss that it predicts."""
        added = damping * self.preconditioner.diagonal
        potential = self.products.potential

        def multiply(vector: Array) -> tuple[Array, Array]:
            product, fall = self.products(vector)
            return product + added * vector, fall

        radial, residual, fall = solve_by_products(
            multiply, self.gradient, self.preconditioner.factorise(damping)
        )
        predicted = float(radial @ (self.gradient + residual + added * radial))
        step = np.zeros(potential.n_parameters)
        step[self.products.free] = radial
        step[potential.n_radial_parameters :] = -fall
        return step, predicted


def solve_by_products(
    multiply: Callable[[Array], tuple[Array, Array]],
    right: Array,
    precondition: Callable[[Array], Array],
) -> tuple[Array, Array, Array | float]:
    """Solve positive definite equations by preconditioned conjugate gradients, roughly.

    Parameters
    ----------
    multiply : callable
        Returns the product of the matrix with a vector, and something linear in that vector.
    right : (n,) float64
        Right-hand side.
    precondition : callable
        Returns the solution of equations much like these.

    Returns
    -------
    (n,) float64, (n,) float64, (m,) float64 or float
        The solution, what is left of the right-hand side, and what ``multiply`` gives second for
        the solution.
    """
    carried: Array | float
    solution, residual, carried = np.zeros_like(right), right.copy(), 0.0
    preconditioned = precondition(residual)
    direction = preconditioned
    size = first = float(residual @ preconditioned)
    for _ in range(MOST_PRODUCTS):
        if not size > SMALL_RESIDUAL**2 * first:
            break
        product, along = multiply(direction)
        curvature = float(direction @ product)
        if not curvature > 0.0:  # rounding, in directions that the labels hardly know
            break
        length = size / curvature
        solution += length * direction
        residual -= length * product
        carried = carried + length * along
        preconditioned = precondition(residual)
        size, last = float(residual @ preconditioned), size
        direction = preconditioned + (size / last) * direction
    return solution, residual, carried
