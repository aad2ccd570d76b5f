# SPDX-License-Identifier: MIT
"""Fit a moment tensor potential to labelled configurations.

The linear coefficients are solved for exactly and the radial ones searched for by variable
projection, see :mod:`aiida_alpot.fitting.nonlinear`. A fit is a function of its arguments: the same
data, the same initial potential and seed give the same bits. It can be interrupted and then returns
the best potential so far.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import FrameType

import numpy as np

from aiida_alpot.configuration_checks import check_geometry, check_labels
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import LabelError, SettingError
from aiida_alpot.fitting.core_labels import subtract_repulsion
from aiida_alpot.fitting.journal import Journal
from aiida_alpot.fitting.loss import LossWeights, Targets, make_targets
from aiida_alpot.fitting.nonlinear import SearchState
from aiida_alpot.fitting.parts import part_step
from aiida_alpot.fitting.preliminary import choose_start, exchange_function
from aiida_alpot.fitting.ranks import spread
from aiida_alpot.fitting.restraints import Restraints
from aiida_alpot.fitting.search import choose_method, search
from aiida_alpot.fitting.start import start_potential, warm_start, with_random_radial
from aiida_alpot.mtp.jacobian import Environment, make_environment
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.repulsion import without_repulsion

__all__ = [
    "FitResult",
    "fit_potential",
    "fit_targets",
    "require_disjoint",
    "start_potential",
    "warm_start",
]

DEFAULT_ITERATIONS = 200
DEFAULT_TOLERANCE = 1e-3
Progress = Callable[[SearchState], None]


@dataclass(frozen=True)
class FitResult:
    """What a fit reached.

    Parameters
    ----------
    potential : MomentTensorPotential
        The best one found.
    loss : float
        Its loss, the penalty included.
    loss_history : tuple of float
        Loss at the start and after each step of the start that won.
    n_iterations : int
        Steps of all starts together.
    converged : bool
        Whether the search for the best one ended by itself.
    message : str
        How the fit ended, in words.
    interrupted : bool
        Whether it was stopped from outside.
    """

    potential: MomentTensorPotential
    loss: float
    loss_history: tuple[float, ...]
    n_iterations: int
    converged: bool
    message: str
    interrupted: bool


def fit_potential(
    training: Configurations,
    *,
    initial: MomentTensorPotential,
    weights: LossWeights | None = None,
    restraints: Restraints | None = None,
    seed: int = 0,
    n_starts: int = 1,
    max_iterations: int = DEFAULT_ITERATIONS,
    tolerance: float = DEFAULT_TOLERANCE,
    threads: int = 1,
    method: str | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit all coefficients of a potential to a training set.

    Parameters
    ----------
    training : Configurations
        Labelled, in part or in full.
    initial : MomentTensorPotential
        Of :func:`start_potential` or :func:`warm_start`; gives basis, species and cutoff.
    weights : LossWeights, optional
        Energy 1, forces 0.01, stress 0.001 by default.
    restraints : Restraints, optional
        Parameters that are frozen or pulled towards earlier values.
    seed : int
        Of the radial coefficients of further starts.
    n_starts : int
        Number of starts; the first is ``initial``, the others have random radial coefficients. The
        lowest loss wins. In a training set with many labels for each parameter untrained starts are
        compared by short searches in a part of it, two thirds of them at variations of the best
        so far, see :mod:`aiida_alpot.fitting.preliminary`, and the best goes on in the whole set.
    max_iterations : int
        Largest number of steps of each start.
    tolerance : float
        A start has converged when three steps in a row lower the loss by less than this fraction.
    threads : int
        The result does not depend on it.
    method : str, optional
        "projection" of the linear coefficients, or "matrix-free", see
        :mod:`aiida_alpot.fitting.matrix_free`. The first if absent, unless its matrices would take
        more than :data:`aiida_alpot.fitting.search.MATRIX_BYTES`.
    progress : callable, optional
        Is given a :class:`SearchState` after every step.

    Raises
    ------
    EmptyDataError, GeometryError, LabelError
        If the training set is empty, a structure is not usable, a label is not a number, or no
        label has a weight.
    SpeciesError
        If the potential lacks a species.
    SettingError
        If a number of starts, iterations or threads is not positive, the tolerance or the weight of
        a configuration is negative, or the method is not known.
    """
    check_geometry(training)
    check_labels(training)
    return fit_targets(
        make_environment(initial, training),
        make_targets(training, weights or LossWeights(), restraints),
        initial=initial,
        seed=seed,
        n_starts=n_starts,
        max_iterations=max_iterations,
        tolerance=tolerance,
        threads=threads,
        method=method,
        progress=progress,
    )


def fit_targets(
    environment: Environment,
    targets: Targets,
    *,
    initial: MomentTensorPotential,
    seed: int = 0,
    n_starts: int = 1,
    max_iterations: int = DEFAULT_ITERATIONS,
    tolerance: float = DEFAULT_TOLERANCE,
    threads: int = 1,
    method: str | None = None,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> FitResult:
    """Fit a potential to labels whose neighbour lists and weights are at hand.

    Several fits to the same configurations share ``environment``. Other parameters and errors are
    those of :func:`fit_potential`.

    Parameters
    ----------
    environment : Environment
        Of the configurations, see :func:`aiida_alpot.mtp.jacobian.make_environment`.
    targets : Targets
        Their weighted labels.
    journal : Journal, optional
        Knows what earlier processes have done of the fit and says when it ends; SIGTERM is left to
        it then.
    """
    _require_positive(n_starts=n_starts, max_iterations=max_iterations, threads=threads)
    if not tolerance >= 0.0:
        raise SettingError(f"The tolerance is {tolerance}; give a number >= 0.")
    if targets.n_rows == 0:
        raise LabelError(
            "No label of the training set has a weight in the loss. Give a weight to one of the "
            "labels that it holds."
        )
    # the core has no parameters: what it explains is taken off the labels, once
    targets, core = subtract_repulsion(targets, initial, environment), initial.core
    initial = without_repulsion(initial)
    method = choose_method(method, initial.n_parameters, threads)
    recorder = _Recorder(progress)
    interrupted = False

    # whoever keeps a journal listens to the signals
    signals = _interruptible() if journal is None else nullcontext()
    with signals, spread(environment, targets, initial) as spread_out:
        try:
            for point in _candidates(
                initial,
                spread_out,
                targets,
                seed=seed,
                n_starts=n_starts,
                method=method,
                keep=recorder.begin,
                journal=journal,
                threads=threads,
            ):
                recorder.begin(point)
                recorder.converged = search(
                    method,
                    point,
                    spread_out,
                    targets,
                    max_iterations=max_iterations,
                    tolerance=tolerance,
                    report=recorder.record,
                    journal=journal,
                    threads=threads,
                )
                recorder.finish()
        except KeyboardInterrupt:
            interrupted = True
            recorder.finish()
    result = recorder.result(interrupted, max_iterations, tolerance)
    if core is None:
        return result
    potential = dataclasses.replace(result.potential, core=core)
    return dataclasses.replace(result, potential=potential)


def _candidates(
    initial: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    seed: int,
    n_starts: int,
    method: str,
    keep: Callable[[MomentTensorPotential], None],
    journal: Journal | None,
    threads: int,
) -> Iterator[MomentTensorPotential]:
    """Yield the potentials to search from in the whole set: all, or the best in a part of it."""
    restraints = targets.restraints

    def generator(start: int) -> np.random.Generator:
        return np.random.default_rng([seed, start])

    def starts(n: int) -> Iterator[MomentTensorPotential]:
        yield initial
        for start in range(1, n):
            yield restart(initial, restraints, generator(start))

    step = part_step(targets.n_rows, initial.n_parameters, len(environment.offsets) - 1)
    if step == 1 or initial.moment_coefficients.any():
        yield from starts(n_starts)
        return
    keep(initial)
    n_random = -(-n_starts // 3)
    yield choose_start(
        starts(n_random),
        environment,
        targets,
        variations=(
            partial(exchange_function, restraints=restraints, rng=generator(start))
            for start in range(n_random, n_starts)
        ),
        step=step,
        method=method,
        keep=keep,
        journal=journal,
        threads=threads,
    )


def restart(
    initial: MomentTensorPotential, restraints: Restraints | None, rng: np.random.Generator
) -> MomentTensorPotential:
    """Return the potential with new random radial functions but for what is frozen."""
    fresh = with_random_radial(initial, rng)
    if restraints is None:
        return fresh
    # frozen coefficients mean the same functions only at the scaling that they were made for
    radial = fresh.radial_coefficients * (fresh.scaling / initial.scaling)
    fresh = dataclasses.replace(fresh, radial_coefficients=radial, scaling=initial.scaling)
    return fresh.with_parameters(np.where(restraints.frozen, initial.parameters, fresh.parameters))


def require_disjoint(training: Configurations, tests: Mapping[str, Configurations]) -> None:
    """Raise if a configuration of a frozen test set is trained on.

    Raises
    ------
    SettingError
        Naming the test set and the configuration.
    """
    trained = dict(zip(training.hashes(), range(len(training)), strict=True))
    for name, test in tests.items():
        for index, key in enumerate(test.hashes()):
            if key in trained:
                raise SettingError(
                    f"Configuration {test.describe(index)} of the test set '{name}' is also "
                    f"configuration {training.describe(trained[key])} of the training set. Take it "
                    "out of one of them."
                )


class _Recorder:
    """Keeps the best point of all starts, also when a search is interrupted."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.n_iterations = 0
        self.converged = False
        self._initial: MomentTensorPotential | None = None
        self._history: list[float] = []
        self._state: SearchState | None = None
        self._best: tuple[SearchState, tuple[float, ...], bool] | None = None

    def begin(self, initial: MomentTensorPotential) -> None:
        self._initial, self._history, self._state, self.converged = initial, [], None, False

    def record(self, state: SearchState) -> None:
        self._state = state
        self._history.append(state.loss)
        self.n_iterations += state.iteration > 0
        if self.progress is not None:
            self.progress(state)

    def finish(self) -> None:
        """Keep this start if it is the best so far."""
        if self._state is None:
            return
        if self._best is None or self._state.loss < self._best[0].loss:
            self._best = (self._state, tuple(self._history), self.converged)
        self._state = None

    def result(self, interrupted: bool, max_iterations: int, tolerance: float) -> FitResult:
        assert self._initial is not None
        nothing = (SearchState(0, self._initial, math.inf, 0.0), (), False)
        state, history, converged = self._best or nothing
        if interrupted:
            message = f"interrupted after {self.n_iterations} steps; this is the best so far"
        elif converged:
            message = (
                f"converged after {state.iteration} steps: the last ones lowered the loss by less "
                f"than {100 * tolerance:g} %, or none did"
            )
        else:
            message = f"stopped at the limit of {max_iterations} steps, not converged"
        return FitResult(
            potential=state.potential,
            loss=state.loss,
            loss_history=history,
            n_iterations=self.n_iterations,
            converged=converged and not interrupted,
            message=message,
            interrupted=interrupted,
        )


def _require_positive(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise SettingError(f"{name} is {count}; give a number >= 1.")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM, with which schedulers end a job, interrupt like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
