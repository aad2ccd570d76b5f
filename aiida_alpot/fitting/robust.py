# SPDX-License-Identifier: MIT
r"""Fits in which single absurd labels do not count.

The square of a deviation t, in units of what is usual for its kind, is replaced by ::

    rho(t) = t^2                       t <= k
    rho(t) = k^2 (1 + 2 ln(t / k))     t > k

whose slope falls off as 1/t: the farther a label is off, the less it pulls (the tail is that of a
Cauchy distribution). It is minimised by least squares with weights u = min(1, (k / t)^2), found
anew from the deviations after each fit (iteratively reweighted least squares: Holland & Welsch,
Commun. Stat. Theory Methods 6, 813 (1977)). The loss is not convex, so that the start matters:
labels that are absurd beside the others are without weight in the first fit, see
:func:`aiida_alpot.fitting.outliers.suspicious_labels`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.fit import FitResult
from aiida_alpot.fitting.loss import Targets
from aiida_alpot.fitting.outliers import Outlier
from aiida_alpot.fitting.residuals import Deviations
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
LARGEST_ROUNDS = 6
_SETTLED = 0.05
"""Largest change of any weight at which the rounds end."""


@dataclass(frozen=True)
class LabelWeights:
    """Factors on the weights of single labels, between zero and one.

    Parameters
    ----------
    energy, strain : (n,) float64
        Of configurations.
    forces : (n_atoms,) float64
        Of atoms.
    """

    energy: Array
    strain: Array
    forces: Array

    def apply(self, targets: Targets) -> Targets:
        """Return targets with their weights multiplied by the factors."""
        return dataclasses.replace(
            targets,
            energy_scale=targets.energy_scale * np.sqrt(self.energy),
            strain_scale=targets.strain_scale * np.sqrt(self.strain)[:, None],
            force_scale=targets.force_scale * np.sqrt(self.forces)[:, None],
        )

    def change_to(self, other: LabelWeights) -> float:
        """Return the largest difference between the factors of two rounds."""
        return max(
            float(np.abs(getattr(self, name) - getattr(other, name)).max(initial=0.0))
            for name in ("energy", "strain", "forces")
        )

    def take_out(self, configurations: Configurations) -> Configurations:
        """Return the set without the labels that have less than their full weight."""
        return configurations.replace(
            energy=np.where(self.energy < 1.0, np.nan, configurations.energy),
            stress=np.where(self.strain[:, None] < 1.0, np.nan, configurations.stress),
            force_mask=configurations.force_mask & (self.forces == 1.0),
        )

    def count_reduced(self) -> int:
        """Return how many labels have less than their full weight."""
        return sum(
            int((getattr(self, name) < 1.0).sum()) for name in ("energy", "strain", "forces")
        )


def without_suspicious(
    configurations: Configurations, suspicious: Sequence[Outlier]
) -> LabelWeights:
    """Return factors that leave out the labels of configurations that are suspicious."""
    energy, strain = np.ones(len(configurations)), np.ones(len(configurations))
    forces = np.ones(len(configurations.numbers))
    for outlier in suspicious:
        if outlier.kind == "energy":
            energy[outlier.configuration] = 0.0
        else:
            strain[outlier.configuration] = 0.0
            forces[configurations.atoms_slice(outlier.configuration)] = 0.0
    return LabelWeights(energy, strain, forces)


def robust_weights(found: Deviations, threshold: float) -> LabelWeights:
    """Return u of the module for deviations of a potential from its labels."""

    def weigh(values: Array, usual: float) -> Array:
        limit = threshold * usual
        ratio = limit / np.maximum(values, limit) if limit > 0.0 else np.ones(len(values))
        return np.where(np.isfinite(values), ratio**2, 1.0)

    return LabelWeights(
        weigh(found.energy, found.usual_energy),
        weigh(found.strain, found.usual_strain),
        weigh(found.forces, found.usual_forces),
    )


def fit_robustly(
    search: Callable[[LabelWeights, MomentTensorPotential], FitResult],
    deviations_of: Callable[[MomentTensorPotential], Deviations],
    *,
    initial: MomentTensorPotential,
    first: LabelWeights,
    threshold: float,
) -> tuple[FitResult, LabelWeights]:
    """Fit with weights of labels that follow from the fit, until they settle.

    Parameters
    ----------
    search : callable
        Fits to labels with these factors on their weights, from a start.
    deviations_of : callable
        Returns how far a potential is from each label.
    initial : MomentTensorPotential
        Start of the first fit; each further one goes on from the one before.
    first : LabelWeights
        Factors of the first fit.
    threshold : float
        k of the module, in units of what is usual.

    Returns
    -------
    FitResult, LabelWeights
        The last fit, and the factors on its labels. Steps of all fits are counted.

    Raises
    ------
    SettingError
        If the threshold is not larger than 1.
    """
    check_threshold(threshold)
    factors = first
    result = search(factors, initial)
    n_iterations = result.n_iterations
    for _ in range(LARGEST_ROUNDS):
        if result.interrupted:
            break
        following = robust_weights(deviations_of(result.potential), threshold)
        if factors.change_to(following) < _SETTLED:
            break
        factors = following
        result = search(factors, result.potential)
        n_iterations += result.n_iterations
    return dataclasses.replace(result, n_iterations=n_iterations), factors


def check_threshold(threshold: float) -> None:
    """Raise SettingError unless a threshold of robust fits is a number above 1."""
    if not (np.isfinite(threshold) and threshold > 1.0):
        raise SettingError(
            f"The threshold of the robust loss is {threshold}; give a number > 1, such as 5 times "
            "the usual error."
        )
