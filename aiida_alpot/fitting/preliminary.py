# SPDX-License-Identifier: MIT
"""Where a search in a large training set begins: the best of short searches in a part of it.

A set has many more labels than a potential has parameters, so that one of so many configurations
tells almost as much about the radial functions at a fraction of the cost. Searches from different
radial functions end in different minima, some of them poor, and most of the difference shows after
a few steps: each start is searched from in the part, and the one with the lowest loss there goes on
with the whole set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from aiida_alpot.fitting.linear import solve_linear
from aiida_alpot.fitting.loss import Targets
from aiida_alpot.fitting.nonlinear import SearchState, search_radial
from aiida_alpot.fitting.parts import take_part
from aiida_alpot.fitting.ranks import spread
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

MOST_STEPS = 30
TOLERANCE = 5e-3


def choose_start(
    starts: Iterator[MomentTensorPotential],
    environment: Environment,
    targets: Targets,
    *,
    step: int,
    keep: Callable[[MomentTensorPotential], None],
    threads: int = 1,
) -> MomentTensorPotential:
    """Return the potential with the lowest loss on one of each ``step`` configurations.

    Parameters
    ----------
    starts : iterator of MomentTensorPotential
        Untrained ones of the same basis.
    environment, targets
        Of the whole set.
    step : int
        Of :func:`part_step`.
    keep : callable
        Is given the best potential so far after every step, for a search that is interrupted.
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

    first = next(starts)
    with spread(part, labels, first) as part:
        for start in chain([first], starts):
            point = solve_linear(start, part, labels, refinements=1, threads=threads)
            search_radial(
                point,
                part,
                labels,
                max_iterations=MOST_STEPS,
                tolerance=TOLERANCE,
                report=report,
                threads=threads,
            )
    assert best is not None
    return best.potential
