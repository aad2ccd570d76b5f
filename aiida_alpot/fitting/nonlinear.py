# SPDX-License-Identifier: MIT
"""Search for the radial coefficients by variable projection and Levenberg-Marquardt.

The loss is minimised over the radial coefficients c alone, the linear coefficients xi being those
that minimise it at each c (Golub & Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)). Its Gauss-Newton
model follows from the normal equations of all parameters by eliminating xi (Ruhe & Wedin, SIAM Rev.
22, 318 (1980))::

    (S + lambda D) delta_c = g_c,     S = A_cc - A_cx A_xx^-1 A_xc

with D the diagonal of S, kept away from zero. lambda follows the ratio of the actual to the
predicted drop of the loss (Nielsen, IMM-REP-1999-05, Technical University of Denmark).

A trial needs the best xi at its c, which the normal equations of xi give, and an accepted one the
equations of all parameters, which cost almost twice as much. Those of all parameters at a trial, at
the xi that the model predicts, do for both where the prediction is good, as it is in the last half
of a search: A is that of the predicted xi, and g the gradient of the loss at the best one, from a
reverse pass. Steps in c and xi together, without the best xi, need several times as many.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aiida_alpot.fitting.linear import PositiveSystem
from aiida_alpot.fitting.loss import Targets, penalty_residuals
from aiida_alpot.fitting.loss_gradient import loss_and_gradient
from aiida_alpot.fitting.normal_equations import NormalEquations, normal_equations
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
_WELL_PREDICTED = 1.2
"""Largest ratio of the loss at predicted linear coefficients to that at the best ones."""
QUIET_STEPS = 3
"""Steps in a row that must lower the loss by less than the tolerance."""
_FIRST_DAMPING = 1e-2
_LARGEST_DAMPING = 1e9
_SMALLEST_DAMPING = 1e-12
LEAST_DIAGONAL = 1e-9
"""Smallest entry of D, in units of the largest."""


@dataclass(frozen=True)
class SearchState:
    """Where a search stands: accepted steps, best potential so far, its loss, lambda."""

    iteration: int
    potential: MomentTensorPotential
    loss: float
    damping: float


class RadialModel(Protocol):
    """The loss around a point as a function of the radial coefficients."""

    def solve(self, damping: float) -> tuple[Array, float]:
        """Return the step in all parameters and the drop of the loss that it predicts."""


@dataclass(frozen=True)
class Point:
    """A trial with the best linear coefficients.

    Parameters
    ----------
    potential, loss : MomentTensorPotential, float
        With those coefficients.
    model : callable
        Makes the model of the loss around it, which costs as much as the rest.
    trial, after_foretold : MomentTensorPotential, bool
        What was examined: examined once more, they give the same point.
    is_foretold : bool
        Whether the model had predicted the linear coefficients well.
    """

    potential: MomentTensorPotential
    loss: float
    model: Callable[[], RadialModel]
    trial: MomentTensorPotential
    after_foretold: bool = False
    is_foretold: bool = False


Examine = Callable[[MomentTensorPotential, bool], Point]
"""Solves for the linear coefficients of a trial, after one that was foretold well or not."""


@dataclass(frozen=True)
class Place:
    """Where a search stands, and all that it needs to go on from there to the same bits.

    Parameters
    ----------
    trial, after_foretold : MomentTensorPotential, bool
        Of the last accepted :class:`Point`.
    damping : float
        lambda.
    n_quiet : int
        Steps in a row that have lowered the loss by less than the tolerance.
    losses : tuple of float
        At the start and after every accepted step; empty before the start was examined.
    """

    trial: MomentTensorPotential
    after_foretold: bool = False
    damping: float = _FIRST_DAMPING
    n_quiet: int = 0
    losses: tuple[float, ...] = ()


class PlaceKeeper(Protocol):
    """Keeps the place of a search, from which another process can go on."""

    def keep(self, place: Place) -> None:
        """Remember an accepted point."""

    def offer(self) -> None:
        """Raise if the search is to end here; called after every trial."""


def search_radial(
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

    Parameters
    ----------
    start : Place
        Starting point; its linear coefficients minimise the loss, see :func:`solve_linear`.
    environment, targets
        Configurations and labels.
    max_iterations, tolerance, report, keeper
        See :func:`descend`.
    threads : int
        See :func:`normal_equations`.

    Returns
    -------
    bool
        Whether the search converged.
    """
    return descend(
        start,
        _Examiner(environment, targets, threads),
        negligible_loss=targets.negligible_loss,
        max_iterations=max_iterations,
        tolerance=tolerance,
        report=report,
        keeper=keeper,
    )


def descend(
    start: Place,
    examine: Examine,
    *,
    negligible_loss: float,
    max_iterations: int,
    tolerance: float,
    report: Callable[[SearchState], None],
    keeper: PlaceKeeper | None = None,
) -> bool:
    """Take steps of Levenberg and Marquardt until they lower the loss no more.

    Parameters
    ----------
    start : Place
        Starting point, or where an earlier search was left.
    examine : callable
        Gives the best linear coefficients of a trial, its loss and the model around it.
    negligible_loss : float
        A search that reaches it has converged.
    max_iterations : int
        Largest number of accepted steps.
    tolerance : float
        The search has converged when the loss drops by less than this fraction in each of
        :data:`QUIET_STEPS` steps in a row, or no step lowers it.
    report : callable
        Is given the state at the start and after every accepted step, so that a search that is
        interrupted leaves the best point so far. A search that goes on tells the losses of its
        earlier steps first, each with the point at which it goes on.
    keeper : PlaceKeeper, optional
        Is given the place after every accepted step, and may end the search after every trial.

    Returns
    -------
    bool
        Whether the search converged.
    """
    point, n_quiet = examine(start.trial, start.after_foretold), start.n_quiet
    losses = start.losses or (point.loss,)
    for iteration, loss in enumerate(losses):
        state = SearchState(iteration, point.potential, loss, start.damping)
        report(state)
    while state.iteration < max_iterations:
        _keep(keeper, Place(point.trial, point.after_foretold, state.damping, n_quiet, losses))
        following = _step(state, point, examine, keeper)
        if following is None:
            return True
        last, (state, point) = state, following
        losses = (*losses, state.loss)
        n_quiet = n_quiet + 1 if last.loss - state.loss <= tolerance * last.loss else 0
        report(state)
        if n_quiet == QUIET_STEPS or state.loss <= negligible_loss:
            return True
    return False


def _keep(keeper: PlaceKeeper | None, place: Place) -> None:
    if keeper is not None:
        keeper.keep(place)
        keeper.offer()


def _step(
    state: SearchState, last: Point, examine: Examine, keeper: PlaceKeeper | None
) -> tuple[SearchState, Point] | None:
    """Return the first trial that lowers the loss, raising lambda; None if none does."""
    model, is_foretold = last.model(), last.is_foretold
    damping, growth = state.damping, 2.0
    while damping < _LARGEST_DAMPING:
        step, predicted = model.solve(damping)
        if not predicted > 1e-15 * state.loss:
            return None
        trial = state.potential.with_parameters(state.potential.parameters + step)
        point = examine(trial, is_foretold)
        if point.loss < state.loss:
            gain = min((state.loss - point.loss) / predicted, 1.0)
            damping *= max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3)
            damping = max(damping, _SMALLEST_DAMPING)
            return SearchState(state.iteration + 1, point.potential, point.loss, damping), point
        if keeper is not None:
            keeper.offer()
        is_foretold = point.is_foretold
        damping *= growth
        growth *= 2.0
    return None


class _Examiner:
    """Solves for the linear coefficients of trials, and makes models around accepted ones."""

    def __init__(self, environment: Environment, targets: Targets, threads: int) -> None:
        self._environment, self._targets, self._threads = environment, targets, threads

    def __call__(self, trial: MomentTensorPotential, after_foretold: bool) -> Point:
        equations = self._sum(trial, with_radial=after_foretold)
        n_linear = trial.n_parameters - trial.n_radial_parameters
        linear = PositiveSystem(equations.matrix[-n_linear:, -n_linear:])
        parameters = trial.parameters
        parameters[-n_linear:] += linear.solve(equations.gradient[-n_linear:])
        solved = trial.with_parameters(parameters)
        loss, gradient = loss_and_gradient(
            solved, self._environment, self._targets, threads=self._threads
        )
        is_foretold = bool(equations.loss < _WELL_PREDICTED * loss)
        known = equations if after_foretold and is_foretold else None
        return Point(
            solved,
            loss,
            lambda: self._model_at(solved, -0.5 * gradient, known),
            trial=trial,
            after_foretold=after_foretold,
            is_foretold=is_foretold,
        )

    def _model_at(
        self, potential: MomentTensorPotential, gradient: Array, known: NormalEquations | None
    ) -> _ReducedModel:
        """Return the model; ``known`` equations of all parameters, if the trial needed them."""
        equations = known or self._sum(potential, with_radial=True)
        return _reduce(potential, equations.matrix, gradient)

    def _sum(self, potential: MomentTensorPotential, *, with_radial: bool) -> NormalEquations:
        return normal_equations(
            potential,
            self._environment,
            self._targets,
            with_radial=with_radial,
            threads=self._threads,
        )


def _reduce(potential: MomentTensorPotential, matrix: Array, gradient: Array) -> _ReducedModel:
    """Add the penalty, which the gradient has, to J^T J and eliminate the linear coefficients."""
    n_radial = potential.n_radial_parameters
    free = np.flatnonzero(np.diag(matrix)[:n_radial] > 0.0)
    # the penalty does not move coefficients of pairs that no label knows
    jacobian = penalty_residuals(potential)[1][:, free]
    linear = PositiveSystem(matrix[n_radial:, n_radial:])
    mixed = matrix[n_radial:, free]
    response = linear.solve(mixed)
    offset = linear.solve(gradient[n_radial:])
    reduced = matrix[np.ix_(free, free)] - mixed.T @ response
    reduced = 0.5 * (reduced + reduced.T) + jacobian.T @ jacobian
    diagonal = np.diag(reduced)
    return _ReducedModel(
        matrix=reduced,
        gradient=gradient[free] - mixed.T @ offset,
        diagonal=np.maximum(diagonal, LEAST_DIAGONAL * diagonal.max(initial=math.ulp(0.0))),
        free=free,
        response=response,
        offset=offset,
        n_radial=n_radial,
    )


@dataclass(frozen=True)
class _ReducedModel:
    """The loss around a point as a function of the radial coefficients, L - 2 g.d + d.S.d."""

    matrix: Array
    gradient: Array
    diagonal: Array
    free: Array
    """Radial coefficients that some label depends on."""
    response: Array
    """Change of the linear coefficients with the free radial ones."""
    offset: Array
    """Change of the linear coefficients at fixed radial ones."""
    n_radial: int

    def solve(self, damping: float) -> tuple[Array, float]:
        """Return the step in all parameters and the drop of the loss that it predicts."""
        system = PositiveSystem(self.matrix + np.diag(damping * self.diagonal))
        radial = system.solve(self.gradient)
        predicted = float(radial @ (2.0 * self.gradient - self.matrix @ radial))
        step = np.zeros(self.n_radial + len(self.offset))
        step[self.free] = radial
        step[self.n_radial :] = self.offset - self.response @ radial
        return step, predicted
