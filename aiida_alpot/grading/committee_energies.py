# SPDX-License-Identifier: MIT
"""Spread of the energies that a committee predicts, and how it changes as atoms move.

Of the energies U_m of M members, with their mean Ubar and forces F_m = -grad U_m ::

    sigma_U = sqrt( sum_m (U_m - Ubar)^2 / (M - 1) + floor^2 )
    grad sigma_U = sum_m (U_m - Ubar) (grad U_m - grad Ubar) / ((M - 1) sigma_U)

and the same with derivatives by the strain. The floor, 1e-8 eV, keeps both smooth where all members
agree, so that the gradient is that of just this sigma_U everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

Array = np.ndarray
FLOOR = 1e-8
"""Smallest spread, eV."""


class EnergySpread(NamedTuple):
    """Mean and spread of the energy of a committee, and the derivatives of the spread."""

    mean: float
    """Ubar, eV."""
    deviation: float
    """sigma_U, eV."""
    gradient: Array
    """(n_atoms, 3) d sigma_U / d positions, eV/A."""
    strain: Array
    """(6,) d sigma_U / d strain, eV, xx yy zz yz xz xy."""


class EnergyMoments:
    """Collects members one after another, so that memory does not grow with their number.

    Deviations from the running means are summed (Welford, Technometrics 4, 419 (1962)): energies of
    a thousand atoms that differ by a millielectronvolt lose no digits.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = 0.0
        self._mean_forces = np.zeros(())
        self._mean_strain = np.zeros(())
        self._squares = 0.0
        self._by_forces = np.zeros(())
        self._by_strain = np.zeros(())

    def add(self, energy: float, forces: Array, strain: Array) -> None:
        """Take the next member: energy in eV, (n_atoms, 3) forces, (6,) strain derivative."""
        self.count += 1
        before = energy - self._mean
        self._mean += before / self.count
        self._mean_forces = self._mean_forces + (forces - self._mean_forces) / self.count
        self._mean_strain = self._mean_strain + (strain - self._mean_strain) / self.count
        self._squares += before * (energy - self._mean)
        self._by_forces = self._by_forces + before * (forces - self._mean_forces)
        self._by_strain = self._by_strain + before * (strain - self._mean_strain)

    def spread(self) -> EnergySpread:
        """Return the spread of the members so far, two at least."""
        n = self.count - 1
        deviation = math.hypot(math.sqrt(self._squares / n), FLOOR)
        return EnergySpread(
            self._mean,
            deviation,
            -self._by_forces / (n * deviation),
            self._by_strain / (n * deviation),
        )


def deviation_of_energies(energies: Iterable[Array]) -> Array:
    """Return (n,): sigma_U of n configurations, eV.

    Parameters
    ----------
    energies : iterable of (n,) float64
        Of two members at least.
    """
    by_member = np.array(list(energies))
    deviations: Array = np.hypot(by_member.std(axis=0, ddof=1), FLOOR)
    return deviations
