# SPDX-License-Identifier: MIT
"""The loss of a fit and its gradient, in one evaluation and one reverse pass.

The cost does not depend on the number of parameters, and nothing is stored that grows with it.
"""

from __future__ import annotations

import math

import numpy as np

from aiida_alpot.fitting.loss import Targets, penalty_residuals, predict_sites
from aiida_alpot.mtp.gradient import site_gradient
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.site_evaluator import SiteResults

Array = np.ndarray


def loss_and_gradient(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    threads: int = 1,
) -> tuple[float, Array]:
    """Return the loss, as :func:`~aiida_alpot.fitting.loss.loss_at`, and its gradient.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where both are taken.
    environment, targets
        Configurations and labels, and what holds the parameters.
    threads : int
        The numbers are the same, bit for bit, for any number of threads.

    Returns
    -------
    float, (n_parameters,) float64
        The gradient is zero for parameters that are frozen; where the loss is infinite it is all
        zeros.
    """
    if environment.shared is None:
        loss, gradient = data_loss_and_gradient(potential, environment, targets, threads=threads)
    else:
        loss, gradient = environment.shared.loss_and_gradient(potential, threads=threads)
    if not math.isfinite(loss):
        return math.inf, np.zeros(potential.n_parameters)
    residuals, jacobian = penalty_residuals(potential)
    loss += float(residuals @ residuals)
    gradient[: potential.n_radial_parameters] += 2.0 * residuals @ jacobian
    if targets.restraints is not None:
        parameters = potential.parameters
        loss += targets.restraints.loss(parameters)
        gradient = targets.restraints.gradient(gradient, parameters)
    return loss, gradient


def data_loss_and_gradient(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    threads: int = 1,
) -> tuple[float, Array]:
    """Return what the labels on this process add to the loss and to its gradient."""
    if len(environment.offsets) == 1:
        return 0.0, np.zeros(potential.n_parameters)
    predicted = predict_sites(potential, environment, threads=threads)
    energy = (predicted.energies - targets.energy) * targets.energy_scale
    strain = (predicted.strains - targets.strain) * targets.strain_scale
    forces = (predicted.forces - targets.forces) * targets.force_scale
    loss = float((energy**2).sum() + (strain**2).sum() + (forces**2).sum())
    if not math.isfinite(loss):
        return math.inf, np.zeros(potential.n_parameters)
    residuals = SiteResults(
        2.0 * energy * targets.energy_scale,
        2.0 * forces * targets.force_scale,
        2.0 * strain * targets.strain_scale,
    )
    return loss, pull_back(potential, environment, residuals, threads=threads)


def pull_back(
    potential: MomentTensorPotential,
    environment: Environment,
    residuals: SiteResults,
    *,
    threads: int = 1,
) -> Array:
    """Return the gradient of a loss whose derivatives by the predictions are known.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where the gradient is taken.
    environment : Environment
        Of the configurations.
    residuals : SiteResults
        dL/dE (n,), dL/dF (n_atoms, 3) and dL/d(strain derivative) (n, 6) by configuration.
    threads : int
        The numbers are the same, bit for bit, for any number of threads.

    Returns
    -------
    (n_parameters,) float64
        In the order of the parameters.
    """
    counts = np.diff(environment.offsets)
    direction = residuals.strains.copy()
    direction[:, 3:] /= 2.0  # one number stands for two components of the strain
    return site_gradient(
        potential,
        environment.types,
        environment.neighbors,
        (
            np.repeat(residuals.energies, counts),
            residuals.forces,
            np.repeat(direction, counts, axis=0),
        ),
        threads=threads,
    )
