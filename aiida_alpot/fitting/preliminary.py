# SPDX-License-Identifier: MIT
"""Where a search in a large training set begins: the best of short searches in a part of it.

Searches from different radial functions end in different minima, some of them poor, and most of the
difference shows after a few steps in a part of the set. A third of the short searches begins at
random there. A poor minimum has most of its radial functions in common with a good one, so that the
others begin at the best point so far with one function exchanged for a random one: each of them
ends in a minimum nearby, and the lowest there is reached from almost any start (basin hopping at
temperature zero; Wales & Doye, J. Phys. Chem. A 101, 5111 (1997)). It goes on in the whole set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from aiida_alpot.fitting.journal import Journal
from aiida_alpot.fitting.loss import Targets
from aiida_alpot.fitting.nonlinear import SearchState
from aiida_alpot.fitting.parts import take_part
from aiida_alpot.fitting.ranks import spread
from aiida_alpot.fitting.restraints import Restraints
from aiida_alpot.fitting.search import search
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

MOST_STEPS = 30
TOLERANCE = 5e-3
Variation = Callable[[MomentTensorPotential], MomentTensorPotential]


def choose_start(
    starts: Iterator[MomentTensorPotential],
    environment: Environment,
    targets: Targets,
    *,
    variations: Iterable[Variation] = (),
    step: int,
    method: str,
    keep: Callable[[MomentTensorPotential], None],
    journal: Journal | None = None,
    threads: int = 1,
) -> MomentTensorPotential:
    """Return the potential with the lowest loss on one of each ``step`` configurations.

    Parameters
    ----------
    starts : iterator of MomentTensorPotential
        Untrained ones of the same basis, at least one.
    environment, targets
        Of the whole set.
    variations : iterable of callable
        Each makes a further start of the best potential so far.
    step : int
        Of :func:`~aiida_alpot.fitting.parts.part_step`.
    method : str
        Of :func:`~aiida_alpot.fitting.search.search`.
    keep : callable
        Is given the best potential so far after every step, for a search that is interrupted.
    journal : Journal, optional
        Of the searches.
    threads : int
        The result does not depend on it.
    """
    part, labels = take_part(environment, targets, step)
    best: SearchState | None = None

    def report(state: SearchState) -> None:
        nonlocal best
        if best is None or state.loss < best.loss:
            best = state
            keep(state.potential)

    def search_from(start: MomentTensorPotential, part: Environment) -> MomentTensorPotential:
        search(
            method,
            start,
            part,
            labels,
            max_iterations=MOST_STEPS,
            tolerance=TOLERANCE,
            report=report,
            journal=journal,
            threads=threads,
        )
        assert best is not None
        return best.potential

    first = next(starts)
    with spread(part, labels, first) as part:
        found = search_from(first, part)
        for start in starts:
            found = search_from(start, part)
        for vary in variations:
            found = search_from(vary(found), part)
    return found


def exchange_function(
    potential: MomentTensorPotential,
    restraints: Restraints | None,
    *,
    rng: np.random.Generator,
) -> MomentTensorPotential:
    """Return the potential with one radial function replaced by a random one, but what is frozen.

    It is the same for all pairs of species but for its size, which stays; coefficients that
    ``restraints`` freeze keep their values.
    """
    radial = potential.radial_coefficients.copy()
    mu = rng.integers(radial.shape[2])
    function = rng.standard_normal(radial.shape[3])
    sizes = np.linalg.norm(radial[:, :, mu], axis=-1, keepdims=True)
    radial[:, :, mu] = sizes * function / np.linalg.norm(function)
    varied = dataclasses.replace(potential, radial_coefficients=radial)
    if restraints is None:
        return varied
    kept = np.where(restraints.frozen, potential.parameters, varied.parameters)
    return potential.with_parameters(kept)
