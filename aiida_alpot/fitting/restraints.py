# SPDX-License-Identifier: MIT
"""What holds parameters back in a fit: frozen ones, and a pull towards an earlier potential.

A frozen parameter keeps its value to the last bit: its row and column are taken out of the normal
equations, so that no step ever has a component along it. A pull adds to the loss ::

    sum_p s_p (theta_p - theta0_p)^2

with the parameters theta0 of an earlier potential and strengths s_p >= 0. The radial coefficients
of all pairs have norm one for each radial function and the radial functions are of order one, so
that all parameters are comparable and one strength for all of them makes sense.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray


@dataclass(frozen=True)
class Restraints:
    """Parameters that are frozen or pulled; arrays in the order of the parameters.

    Parameters
    ----------
    frozen : (n_parameters,) bool
        Whether each parameter keeps its value.
    strength : (n_parameters,) float64
        s_p of the pull, >= 0. A parameter that no label depends on stays where it is, whatever the
        strength.
    centre : (n_parameters,) float64
        theta0_p.
    """

    frozen: Array
    strength: Array
    centre: Array

    def loss(self, parameters: Array) -> float:
        """Return what the pull adds to the loss."""
        return float(np.sum(self.strength * (parameters - self.centre) ** 2))

    def gradient(self, gradient: Array, parameters: Array) -> Array:
        """Return the gradient of a loss with that of the pull, zero for frozen parameters."""
        pulled = gradient + 2.0 * self.strength * (parameters - self.centre)
        return np.where(self.frozen, 0.0, pulled)

    def hold(self, matrix: Array, gradient: Array, parameters: Array) -> tuple[Array, Array]:
        """Return normal equations with the pull added and without the frozen parameters.

        Parameters
        ----------
        matrix : (n, n) float64
            J^T J of the last ``n`` parameters.
        gradient : (n,) float64
            J^T r of them.
        parameters : (n_parameters,) float64
            Where the equations were set up.

        Returns
        -------
        (n, n) float64, (n,) float64
            Rows and columns of frozen parameters are zero.
        """
        last = slice(len(parameters) - len(gradient), None)
        is_free = ~self.frozen[last]
        strength = np.where(np.diag(matrix) > 0.0, self.strength[last], 0.0)
        matrix = (matrix + np.diag(strength)) * np.outer(is_free, is_free)
        gradient = gradient + strength * (self.centre[last] - parameters[last])
        return matrix, gradient * is_free


def make_restraints(
    initial: MomentTensorPotential,
    *,
    frozen: Array | None = None,
    pull: float = 0.0,
    pulled: Array | None = None,
) -> Restraints:
    """Return restraints that hold parameters at, or near, those of the potential to start from.

    Parameters
    ----------
    initial : MomentTensorPotential
        Gives the values.
    frozen : (n_parameters,) bool, optional
        Parameters that keep them; none if absent. See :mod:`aiida_alpot.fitting.strata`.
    pull : float
        Strength of the pull, in units of the loss.
    pulled : (n_parameters,) bool, optional
        Parameters that are pulled; all if absent.

    Raises
    ------
    SettingError
        If the strength is negative or not finite, or every parameter is frozen.
    """
    if not (np.isfinite(pull) and pull >= 0.0):
        raise SettingError(f"The strength of the pull is {pull}; give a number >= 0.")
    n = initial.n_parameters
    held = np.zeros(n, dtype=bool) if frozen is None else np.asarray(frozen, dtype=bool)
    chosen = np.ones(n, dtype=bool) if pulled is None else np.asarray(pulled, dtype=bool)
    if held.all():
        raise SettingError("Every parameter is frozen; leave at least one block to be fitted.")
    return Restraints(held, np.where(chosen, pull, 0.0), initial.parameters)
