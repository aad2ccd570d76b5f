# SPDX-License-Identifier: MIT
"""Levenberg-Marquardt search for the radial coefficients, the linear ones eliminated.

In each step the normal equations of all parameters are solved with a damping on the radial
coefficients c alone. The linear coefficients xi are then eliminated exactly,

    (A_cc + lambda D - A_cx A_xx^-1 A_xc) delta_c = g_c - A_cx A_xx^-1 g_x,

which is the Gauss-Newton step of variable projection (Golub & Pereyra, SIAM J. Numer. Anal. 10, 413
(1973)) in the form of Ruhe & Wedin, SIAM Rev. 22, 318 (1980): it needs one Jacobian, and a trial costs
no more than energies and forces. lambda follows the ratio of the actual to the predicted drop of the
loss (Nielsen, IMM-REP-1999-05, Technical University of Denmark).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aiida_alpot.fitting.linear import REGULARISATION, normal_equations, solve_scaled
from aiida_alpot.fitting.loss import Targets, loss_at, penalty_residuals
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
FIRST_DAMPING = 1e-2
"""lambda of the first step, in units of the diagonal of A_cc."""
_LARGEST_DAMPING = 1e10
_QUIET_STEPS = 3


@dataclass(frozen=True)
class SearchState:
    """Where a search stands; what a progress report is given."""

    iteration: int
    potential: MomentTensorPotential
    loss: float
    damping: float


def search_radial(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    max_iterations: int,
    tolerance: float,
    report: Callable[[SearchState], None],
    threads: int = 1,
) -> bool:
    """Minimise the loss over all parameters, step by step.

    Parameters
    ----------
    potential : MomentTensorPotential
        Starting point; its linear coefficients should minimise the loss already.
    environment, targets
        Configurations and labels.
    max_iterations : int
        Largest number of accepted steps.
    tolerance : float
        The search has converged when the loss drops by less than this fraction in each of three
        steps in a row.
    report : callable
        Is given the state at the start and after every accepted step, so that a search that is
        interrupted leaves the best point so far.
    threads : int
        See :func:`normal_equations`.

    Returns
    -------
    bool
        Whether the search converged.
    """
    loss = loss_at(potential, environment, targets, threads=threads)
    damping, n_quiet = FIRST_DAMPING, 0
    report(SearchState(0, potential, loss, damping))
    for iteration in range(1, max_iterations + 1):
        model = _linearise(potential, environment, targets, threads)
        step = _find_step(model, potential, environment, targets, loss, damping, threads)
        if step is None:
            return True
        n_quiet = n_quiet + 1 if loss - step.loss <= tolerance * loss else 0
        potential, loss, damping = step.potential, step.loss, step.damping
        report(SearchState(iteration, potential, loss, damping))
        if n_quiet == _QUIET_STEPS:
            return True
    return False


@dataclass(frozen=True)
class _Model:
    """The loss to second order, L - 2 g.delta + delta.A.delta, with the penalty."""

    matrix: Array
    gradient: Array


@dataclass(frozen=True)
class _Step:
    potential: MomentTensorPotential
    loss: float
    damping: float


def _linearise(
    potential: MomentTensorPotential, environment: Environment, targets: Targets, threads: int
) -> _Model:
    equations = normal_equations(potential, environment, targets, threads=threads)
    matrix, gradient = equations.matrix, equations.gradient
    n_radial = potential.n_radial_parameters
    residuals, jacobian = penalty_residuals(potential)
    # the penalty must not move coefficients of pairs that no label knows
    jacobian[:, np.diag(matrix)[:n_radial] == 0.0] = 0.0
    matrix[:n_radial, :n_radial] += jacobian.T @ jacobian
    gradient[:n_radial] -= jacobian.T @ residuals
    return _Model(matrix, gradient)


def _find_step(
    model: _Model,
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    loss: float,
    damping: float,
    threads: int,
) -> _Step | None:
    """Return the first step that lowers the loss, raising the damping until one does."""
    n_radial = potential.n_radial_parameters
    factors = np.full(len(model.gradient), REGULARISATION)
    growth = 2.0
    while damping < _LARGEST_DAMPING:
        factors[:n_radial] = damping
        delta = solve_scaled(model.matrix, model.gradient, damping=factors)
        predicted = float(delta @ (2.0 * model.gradient - model.matrix @ delta))
        trial = potential.with_parameters(potential.parameters + delta)
        trial_loss = loss_at(trial, environment, targets, threads=threads)
        if trial_loss < loss:
            ratio = (loss - trial_loss) / predicted if predicted > 0.0 else 0.0
            shrink = max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3)
            return _Step(trial, trial_loss, max(damping * shrink, 1e-12))
        if not predicted > 1e-14 * loss or math.isnan(trial_loss):
            return None
        damping *= growth
        growth *= 2.0
    return None
