# SPDX-License-Identifier: MIT
"""Search without normal equations, for potentials too large for them.

L-BFGS (Liu & Nocedal, Math. Program. 45, 503 (1989)) over all parameters, with the loss and its
gradient from one evaluation and one reverse pass: neither time nor memory grows with the square of
the number of parameters. It needs many times the steps of variable projection, so it is the
fall-back where a matrix of all parameters does not fit into memory. Derivatives by different
parameters differ by orders of magnitude; each parameter is measured in units that give the mean
square derivative of some weighted labels by it the value one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.optimize

from aiida_alpot.fitting.loss import Targets
from aiida_alpot.fitting.loss_gradient import loss_and_gradient
from aiida_alpot.fitting.nonlinear import SearchState
from aiida_alpot.mtp.jacobian import Environment, block_jacobian
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
WINDOW = 20
"""Steps over which the loss must drop by the tolerance; one step of L-BFGS tells little."""
STEPS_PER_ITERATION = 25
"""Steps of L-BFGS that stand for one of variable projection in limits of steps."""
_MEMORY = 40
_SAMPLED_BLOCKS = 4
_LEAST_SQUARE = 1e-6


def search_matrix_free(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    max_iterations: int,
    tolerance: float,
    report: Callable[[SearchState], None],
    threads: int = 1,
) -> bool:
    """Minimise the loss over all coefficients by L-BFGS.

    Parameters
    ----------
    potential : MomentTensorPotential
        Starting point, trained or not.
    environment, targets
        Configurations and labels; parameters that are frozen keep their values.
    max_iterations : int
        Largest number of reported steps, each :data:`STEPS_PER_ITERATION` of L-BFGS.
    tolerance : float
        The search has converged when :data:`WINDOW` steps of L-BFGS lower the loss by less than
        this fraction.
    report : callable
        Is given the state at the start and after every so many steps, whose damping is zero.
    threads : int
        The result does not depend on it.

    Returns
    -------
    bool
        Whether the search converged.
    """
    search = _Search(
        potential, environment, targets, tolerance=tolerance, report=report, threads=threads
    )
    result = scipy.optimize.minimize(
        search.evaluate,
        np.zeros(potential.n_parameters),
        jac=True,
        method="L-BFGS-B",
        callback=search.count_step,
        options={
            "maxcor": _MEMORY,
            "maxiter": max_iterations * STEPS_PER_ITERATION,
            "maxfun": 3 * max_iterations * STEPS_PER_ITERATION,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    search.report_last()
    return bool(search.converged or result.status == 2)  # 2: no lower point along the line


class _Search:
    """Loss and gradient in scaled parameters, and what the search has reached."""

    def __init__(
        self,
        potential: MomentTensorPotential,
        environment: Environment,
        targets: Targets,
        *,
        tolerance: float,
        report: Callable[[SearchState], None],
        threads: int,
    ) -> None:
        self._origin = potential
        self._environment, self._targets, self._threads = environment, targets, threads
        self._tolerance, self._report = tolerance, report
        self._scale = parameter_units(potential, environment, targets)
        self._losses: list[float] = []
        self._n_reported = 0
        self.converged = False
        self._best = (float("inf"), potential)

    def _at(self, moved: Array) -> MomentTensorPotential:
        return self._origin.with_parameters(self._origin.parameters + self._scale * moved)

    def evaluate(self, moved: Array) -> tuple[float, Array]:
        trial = self._at(moved)
        loss, gradient = loss_and_gradient(
            trial, self._environment, self._targets, threads=self._threads
        )
        if loss < self._best[0]:
            self._best = (loss, trial)
        if not self._losses:
            self._losses.append(loss)
            self._report(SearchState(0, trial, loss, 0.0))
        # a line search cannot go on from infinity
        return min(loss, 1e300), self._scale * gradient

    def count_step(self, intermediate_result: scipy.optimize.OptimizeResult) -> None:
        self._losses.append(float(intermediate_result.fun))
        if (len(self._losses) - 1) % STEPS_PER_ITERATION == 0:
            self.report_last()
        if len(self._losses) > WINDOW:
            before = self._losses[-WINDOW - 1]
            if before - self._losses[-1] <= self._tolerance * before:
                self.converged = True
                raise StopIteration

    def report_last(self) -> None:
        """Report the best point unless it has been."""
        loss, potential = self._best
        n_steps = len(self._losses) - 1
        if n_steps > self._n_reported:
            self._n_reported = n_steps
            self._report(SearchState(-(-n_steps // STEPS_PER_ITERATION), potential, loss, 0.0))


def parameter_units(
    potential: MomentTensorPotential, environment: Environment, targets: Targets
) -> Array:
    """Return a change of each parameter that changes some weighted labels by about one.

    Taken from a few blocks of configurations, evenly spread; those of radial coefficients at linear
    coefficients of one unit each where these are not trained. The smallest unit of all, a thousand
    times, stands in for parameters that these labels hardly depend on.
    """
    n_radial = potential.n_radial_parameters
    if not potential.moment_coefficients.any():
        units = _units_at(potential, environment, targets)
        parameters = potential.parameters
        parameters[n_radial:] = units[n_radial:] / np.sqrt(len(units) - n_radial)
        potential = potential.with_parameters(parameters)
    return _units_at(potential, environment, targets)


def _units_at(
    potential: MomentTensorPotential, environment: Environment, targets: Targets
) -> Array:
    blocks = environment.blocks()
    squares = np.zeros(potential.n_parameters)
    for first, end in blocks[:: max(1, len(blocks) // _SAMPLED_BLOCKS)]:
        atoms = slice(int(environment.offsets[first]), int(environment.offsets[end]))
        rows = block_jacobian(potential, environment, (first, end)).rows
        scales = np.concatenate(
            [
                targets.energy_scale[first:end],
                targets.strain_scale[first:end].ravel(),
                targets.force_scale[atoms].ravel(),
            ]
        )
        squares += ((rows * scales) ** 2).sum(axis=1)
    largest = squares.max(initial=0.0)
    if largest == 0.0:
        return np.ones(potential.n_parameters)
    units: Array = 1.0 / np.sqrt(np.maximum(squares, _LEAST_SQUARE * largest))
    return units
