# SPDX-License-Identifier: MIT
"""Loss and errors of a fit against the CPU time that it took, for ``fit.py``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.fit import FitResult, fit_potential
from aiida_alpot.fitting.loss import LossWeights
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.structure_files import read_configurations

N_STARTS = 12
QUICK_EVERY = 8
DRAWN_POINTS = 40
"""Of a trace at most; errors are computed for these only."""
Trace = list[tuple[float, float, float]]
"""CPU seconds, loss and root mean square error of force components (eV/A) in the training set."""


def read_set(arguments: argparse.Namespace, name: str) -> Configurations:
    whole = read_configurations(arguments.data / f"{name}_train.xyz")
    return whole.select(range(0, len(whole), QUICK_EVERY)) if arguments.quick else whole


def n_starts(arguments: argparse.Namespace) -> int:
    return 2 if arguments.quick else N_STARTS


def trace_fit(
    training: Configurations,
    initial: MomentTensorPotential,
    arguments: argparse.Namespace,
    *,
    seed: int,
    n_starts: int = 1,
    tolerance: float = 1e-3,
    method: str | None = None,
) -> tuple[FitResult, Trace]:
    """Fit and return loss and error against CPU time."""
    points: list[tuple[float, float, MomentTensorPotential]] = []
    started = time.process_time()
    result = fit_potential(
        training,
        initial=initial,
        weights=LossWeights(energy=1.0, force=0.01, stress=0.001),
        seed=seed,
        n_starts=n_starts,
        tolerance=tolerance,
        threads=arguments.threads,
        method=method,
        progress=lambda state: points.append(
            (time.process_time() - started, state.loss, state.potential)
        ),
    )
    points.append((time.process_time() - started, result.loss, result.potential))
    return result, with_errors(points, training, lambda potential: potential)


def with_errors(
    points: list[tuple[float, float, Any]],
    training: Configurations,
    potential_of: Callable[[Any], MomentTensorPotential],
) -> Trace:
    """Return times, losses and errors of forces; of many points some, evenly, and the last."""
    kept = points[:: -(-len(points) // DRAWN_POINTS)]
    kept = kept if kept[-1] is points[-1] else [*kept, points[-1]]
    trace = []
    for seconds, loss, one in kept:
        forces = errors(training, predict(potential_of(one), training)).forces_rmse
        trace.append((seconds, loss, float(forces)))
    return trace


def seconds_to(trace: Trace, loss: float) -> float | None:
    """Return when the loss was first as low as this, None if never."""
    return next((seconds for seconds, reached, _ in trace if reached <= loss), None)
