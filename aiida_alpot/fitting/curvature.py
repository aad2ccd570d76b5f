# SPDX-License-Identifier: MIT
"""Products of the Gauss-Newton matrix of the loss with a vector, without the matrix.

With J the weighted Jacobian of the labels by all parameters, J^T J v takes some evaluations and one
reverse pass: J v is how the weighted predictions change along v, and J^T w the gradient of what has
the residuals w. Neither time nor memory grows with the square of the number of parameters.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.fitting.loss import Targets, predict_sites
from aiida_alpot.fitting.loss_gradient import pull_back
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.site_evaluator import SiteResults

Array = np.ndarray
RELATIVE_STEP = 1e-5
"""Of differences along radial coefficients, in units of their norm."""


def curvature_product(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    direction: Array,
    *,
    threads: int = 1,
) -> Array:
    """Return J^T J v, what restrains the parameters aside.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where the Jacobian is taken.
    environment, targets
        Configurations and labels.
    direction : (n_parameters,) float64
        v. The part along linear coefficients is exact, that along radial ones a central difference.
    threads : int
        The numbers are the same, bit for bit, for any number of threads.
    """
    if environment.shared is None:
        return data_curvature_product(potential, environment, targets, direction, threads=threads)
    return environment.shared.curvature_product(potential, direction, threads=threads)


def data_curvature_product(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    direction: Array,
    *,
    threads: int = 1,
) -> Array:
    """Return what the labels on this process add to J^T J v."""
    if len(environment.offsets) == 1:
        return np.zeros(potential.n_parameters)
    change = _predict_change(potential, environment, direction, threads)
    weighted = SiteResults(
        change.energies * targets.energy_scale**2,
        change.forces * targets.force_scale**2,
        change.strains * targets.strain_scale**2,
    )
    return pull_back(potential, environment, weighted, threads=threads)


def _predict_change(
    potential: MomentTensorPotential, environment: Environment, direction: Array, threads: int
) -> SiteResults:
    """Return the derivative of energies, forces and strain derivatives along a direction."""
    parameters, n_radial = potential.parameters, potential.n_radial_parameters
    terms: list[tuple[float, Array]] = []
    if direction[n_radial:].any():
        # predictions are linear in the coefficients of species and moments
        terms.append((1.0, np.concatenate([parameters[:n_radial], direction[n_radial:]])))
    if direction[:n_radial].any():
        radial = np.concatenate([direction[:n_radial], np.zeros(len(parameters) - n_radial)])
        step = RELATIVE_STEP * np.linalg.norm(parameters[:n_radial]) / np.linalg.norm(radial)
        terms.append((0.5 / step, parameters + step * radial))
        terms.append((-0.5 / step, parameters - step * radial))
    n, n_atoms = len(environment.offsets) - 1, len(environment.types)
    energies, forces, strains = np.zeros(n), np.zeros((n_atoms, 3)), np.zeros((n, 6))
    for factor, moved in terms:
        predicted = predict_sites(potential.with_parameters(moved), environment, threads=threads)
        energies += factor * predicted.energies
        forces += factor * predicted.forces
        strains += factor * predicted.strains
    return SiteResults(energies, forces, strains)
