# SPDX-License-Identifier: MIT
"""Relax thousands of structures together, each with its own convergence and end.

All structures that still move are evaluated in one call and take their steps side by side, so that
no time is spent on a structure but that of the engine; :mod:`.run` takes the steps,
:mod:`.minimizer` chooses them.

A structure stops when it has converged, when its steps are used up, when its extrapolation grade
reaches ``gamma_break``, when atoms come nearer than the potential knows, or when its cell collapses
or bursts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import GeometryError
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling.batched.results import BatchedRelaxationSettings, RelaxedStructures
from aiida_alpot.sampling.batched.run import BatchedRelaxation

if TYPE_CHECKING:
    from aiida_alpot.grading import ActiveSet

__all__ = ["BatchedRelaxationSettings", "RelaxedStructures", "relax_together"]

_ATOMS_TOGETHER = 16_384


def relax_together(
    potential: MomentTensorPotential,
    configurations: Configurations,
    settings: BatchedRelaxationSettings | None = None,
    *,
    active_set: ActiveSet | None = None,
    threads: int = 1,
) -> RelaxedStructures:
    """Relax all configurations to the nearest minima of the potential.

    Parameters
    ----------
    potential : MomentTensorPotential
    configurations : Configurations
        Starts of any sizes; labels are not looked at.
    settings : BatchedRelaxationSettings, optional
        The defaults if None.
    active_set : ActiveSet, optional
        Of this potential; a structure stops when its grade reaches ``settings.gamma_break``.
    threads : int
        The numbers do not depend on it.

    Raises
    ------
    SpeciesError
        If a species is not in the potential.
    ActiveSetError
        If the active set belongs to another potential.
    GeometryError
        If a start is not usable, or its cell shall change and is not periodic in all directions.
    """
    settings = settings or BatchedRelaxationSettings()
    if active_set is not None:
        active_set.check_potential(potential)
    if settings.cell != "fixed" and not configurations.pbc.all():
        index = int(np.argmin(configurations.pbc.all(axis=1)))
        raise GeometryError(
            f"Configuration {configurations.describe(index)} is not periodic in all directions, so "
            "that its cell cannot relax. Choose cell: fixed."
        )
    potential.types_of(configurations.numbers)
    parts = [
        BatchedRelaxation(potential, part, settings, active_set, threads).run()
        for part in parts_of(configurations)
    ]
    if not parts:
        nothing = np.zeros(0)
        return RelaxedStructures(configurations, nothing.astype(str), nothing.astype(int), nothing)
    return RelaxedStructures(
        concatenate([part.configurations for part in parts]),
        np.concatenate([part.outcome for part in parts]),
        np.concatenate([part.n_steps for part in parts]),
        np.concatenate([part.largest_force for part in parts]),
    )


def parts_of(configurations: Configurations) -> Iterator[Configurations]:
    """Yield runs of configurations with about as many atoms as go through the caches together."""
    part = configurations.offsets[:-1] // _ATOMS_TOGETHER
    for number in np.unique(part):
        yield configurations.select(np.flatnonzero(part == number))
