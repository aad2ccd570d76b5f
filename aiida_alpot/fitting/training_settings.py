# SPDX-License-Identifier: MIT
"""The settings of a training; what each does stands in the module that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.fit import DEFAULT_ITERATIONS, DEFAULT_TOLERANCE
from aiida_alpot.fitting.loss import LossWeights
from aiida_alpot.fitting.weighting import Weighting


@dataclass(frozen=True)
class TrainingSettings:
    """How a potential is trained.

    Parameters
    ----------
    weights : LossWeights
        Of energies, forces and stresses.
    weighting : Weighting
        Rules for the weights of configurations.
    atomic_energies : str, mapping of str to float or None
        Energies of free atoms, see :func:`aiida_alpot.fitting.references.atomic_references`.
    frozen : tuple of str
        Blocks of parameters that keep their values, see :mod:`aiida_alpot.fitting.strata`.
    train_only : tuple of str or None
        Blocks outside of which all do.
    pull : float
        Strength of the pull towards the potential that the fit starts from.
    pulled : tuple of str or None
        Blocks that are pulled; all if None.
    robust : float or None
        Errors above so many times what is usual lose influence; ordinary least squares if None.
    committee : CommitteeSettings or None
        Further potentials, whose disagreement is an uncertainty.
    seed, n_starts, max_iterations, tolerance, threads, method
        See :func:`aiida_alpot.fitting.fit_potential`.
    """

    weights: LossWeights = field(default_factory=LossWeights)
    weighting: Weighting = field(default_factory=Weighting)
    atomic_energies: str | Mapping[str, float] | None = None
    frozen: tuple[str, ...] = ()
    train_only: tuple[str, ...] | None = None
    pull: float = 0.0
    pulled: tuple[str, ...] | None = None
    robust: float | None = None
    committee: CommitteeSettings | None = None
    seed: int = 0
    n_starts: int = 1
    max_iterations: int = DEFAULT_ITERATIONS
    tolerance: float = DEFAULT_TOLERANCE
    threads: int = 1
    method: str | None = None
