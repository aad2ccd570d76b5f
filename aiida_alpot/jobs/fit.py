# SPDX-License-Identifier: MIT
"""The job ``fit``: a potential and its active set from training data, with errors on test sets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError, InputFileError, SettingError
from aiida_alpot.fitting.fit import (
    FitResult,
    require_disjoint,
    start_potential,
    warm_start,
)
from aiida_alpot.fitting.journal import Journal
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.nonlinear import SearchState
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.ranks import share_fits_if_launched
from aiida_alpot.fitting.start import MARGIN, smallest_distance
from aiida_alpot.fitting.training import key_of_training, train_potential
from aiida_alpot.jobs.checkpoints import Checkpoints, Interrupted, read_checkpoint
from aiida_alpot.jobs.fit_request import FitRequest
from aiida_alpot.jobs.grade import read_sets
from aiida_alpot.jobs.requests import Request, file_in, parse_request
from aiida_alpot.jobs.training import describe_training, training_settings, write_committee
from aiida_alpot.mtp.compression import find_hollows
from aiida_alpot.mtp.mlip_files import read_potential, write_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.repulsion import core_of_training

POTENTIAL_FILE = "potential.mtp"
ACTIVE_SET_FILE = "active_set.npz"
STEPS_BETWEEN_LINES = 10


@dataclass(frozen=True)
class _Core(Request):
    """The section ``zbl`` of the request."""

    inner: float | None = None
    outer: float | None = None
    pairs: dict[str, tuple[float, float]] = field(default_factory=dict)
    overlay: bool = False


@dataclass(frozen=True)
class _ActiveSet(Request):
    """The section ``active_set`` of the request."""

    mode: str = "neighborhood"
    method: str = "projected"


REQUEST = FitRequest


def run(request: FitRequest, folder: Path) -> Mapping[str, Any]:
    """Write ``potential.mtp`` and ``active_set.npz``; return how the fit went and its errors.

    With a committee its members are written too. A fit that is interrupted writes the best
    potential so far and says so. With ``checkpoint_seconds`` it writes a checkpoint instead, and
    says that it is unfinished; a job that is begun again in its folder goes on from there, and one
    in another folder where ``checkpoint`` names the file. Started as several processes of MPI, one
    runs the job and the others help it to fit.

    Raises
    ------
    InputFileError, EmptyDataError
        If a file is missing or not readable, or there is nothing to train on.
    SettingError
        If a key is out of range, a test set is trained on, or the potential to go on from does not
        fit the level or the cutoff.
    SpeciesError, GeometryError, LabelError, LevelOfTheoryError
        If the training set is not usable.
    """
    with _checkpoints(request, folder) as checkpoints, share_fits_if_launched():
        try:
            return _train_and_write(request, folder, checkpoints)
        except Interrupted:
            return {"unfinished": True}


def _train_and_write(
    request: FitRequest, folder: Path, checkpoints: Checkpoints | None
) -> Mapping[str, Any]:
    settings = training_settings(request)
    active_set = None
    if request.active_set is not None:
        active_set = parse_request(_ActiveSet, request.active_set)
    training = read_sets(folder, request.training, request.species)
    if len(training) == 0:
        raise EmptyDataError("The training set holds no configuration; give at least one.")
    tests = {
        name: read_sets(folder, [file], request.species) for name, file in request.test.items()
    }
    require_disjoint(training, tests)
    initial = _with_core(_initial_potential(request, training, folder), request, training)
    journal = _open_journal(
        request, folder, checkpoints, key=key_of_training(training, initial, settings)
    )
    trained = train_potential(
        training,
        initial=initial,
        settings=settings,
        progress=_Printer(request.max_iterations),
        journal=journal,
    )
    _write_checkpoint(checkpoints, journal)
    potential, trained_on = trained.fit.potential, trained.trained_on
    write_potential(potential, folder / POTENTIAL_FILE)
    write_committee(trained, folder)
    if active_set is not None:
        _write_active_set(potential, trained_on, active_set, folder / ACTIVE_SET_FILE)
    if checkpoints is not None:
        checkpoints.path.unlink(missing_ok=True)
    return {
        **_describe(trained.fit, trained_on, tests, request.threads),
        **describe_training(trained, {"training": trained_on, **tests}, threads=request.threads),
    }


def _checkpoints(request: FitRequest, folder: Path) -> AbstractContextManager[Checkpoints | None]:
    """Return the checkpoints of the job, None where it writes none."""
    if request.checkpoint_seconds is None:
        return nullcontext()
    return Checkpoints(
        folder, every=request.checkpoint_seconds, stop_after=request.stop_after_seconds
    )


def _open_journal(
    request: FitRequest, folder: Path, checkpoints: Checkpoints | None, *, key: str
) -> Journal | None:
    """Return the journal of the training, with what earlier jobs have written in it."""

    def offer(journal: Journal) -> None:
        if checkpoints is not None:
            checkpoints.offer(journal.as_json)

    state = None
    if request.checkpoint is not None:
        state = read_checkpoint(file_in(folder, request.checkpoint))
    if checkpoints is not None and checkpoints.path.exists():
        # its own, if the scheduler has begun the job again in its folder
        with suppress(InputFileError):
            own = read_checkpoint(checkpoints.path)
            state = own if own.get("key") == key else state
    if state is None and checkpoints is None:
        return None
    return Journal(key, offer=offer, state=state)


def _write_checkpoint(checkpoints: Checkpoints | None, journal: Journal | None) -> None:
    """Write that all searches are through: what follows them offers no more."""
    if checkpoints is not None and journal is not None:
        checkpoints.write(journal.as_json())
        journal.offer()


def _initial_potential(
    request: FitRequest, training: Configurations, folder: Path
) -> MomentTensorPotential:
    if request.initial is None:
        return start_potential(
            training,
            level=request.level,
            cutoff=request.cutoff,
            species=request.species,
            min_distance=request.min_distance,
            seed=request.seed,
        )
    parent = read_potential(file_in(folder, request.initial))
    if not parent.species and request.species is not None:
        parent = parent.with_species(request.species)
    if parent.cutoff != request.cutoff:
        raise SettingError(
            f"The potential to go on from has the cutoff {parent.cutoff:g} A, the request "
            f"{request.cutoff:g} A. Keep the cutoff, or start anew without 'initial'."
        )
    return warm_start(
        parent,
        level=request.level,
        species=request.species,
        min_distance=_lower_end(request, training, parent),
        seed=request.seed,
    )


def _lower_end(
    request: FitRequest, training: Configurations, parent: MomentTensorPotential
) -> float | None:
    """Return the lower end of the interval of the radial functions if it has to change."""
    if request.min_distance is not None or not request.widen_interval:
        return request.min_distance
    smallest = smallest_distance(training, parent.cutoff)
    return MARGIN * smallest if smallest < parent.min_distance else None


def _with_core(
    potential: MomentTensorPotential, request: FitRequest, training: Configurations
) -> MomentTensorPotential:
    """Return the potential with the core of the request; by default its radii are for good."""
    if request.zbl is None:
        return potential
    settings = parse_request(_Core, request.zbl)
    is_default = settings.inner is None and settings.outer is None
    return potential.with_core(
        core_of_training(
            training,
            potential.species,
            potential.cutoff,
            inner=settings.inner,
            outer=settings.outer,
            pairs=settings.pairs,
            overlay=settings.overlay,
            known=potential.core if is_default else None,
        )
    )


def _write_active_set(
    potential: MomentTensorPotential, training: Configurations, settings: _ActiveSet, path: Path
) -> None:
    from aiida_alpot.grading.active_set import build_active_set

    build_active_set(potential, training, mode=settings.mode, method=settings.method).save(path)


def _describe(
    fit: FitResult, training: Configurations, tests: Mapping[str, Configurations], threads: int
) -> dict[str, Any]:
    def errors_on(configurations: Configurations) -> dict[str, Any]:
        prediction = predict(fit.potential, configurations, threads=threads)
        return errors(configurations, prediction).as_dict()

    return {
        "loss": fit.loss,
        "loss_history": list(fit.loss_history),
        "n_iterations": fit.n_iterations,
        "converged": fit.converged,
        "interrupted": fit.interrupted,
        "message": fit.message,
        "n_parameters": fit.potential.n_parameters,
        "min_distance": fit.potential.min_distance,
        "zbl": _describe_core(fit.potential, training),
        "smallest_distance": smallest_distance(training, fit.potential.cutoff),
        "errors": {
            "training": errors_on(training),
            "test": {name: errors_on(test) for name, test in tests.items()},
        },
    }


def _describe_core(
    potential: MomentTensorPotential, training: Configurations
) -> dict[str, Any] | None:
    """Return the radii by pair, and where two atoms of the training set would stick together."""
    core = potential.core
    if core is None:
        return None
    radii = {f"{pair.first}-{pair.second}": [pair.inner, pair.outer] for pair in core.pairs}
    hollows = {
        f"{hollow.pair.first}-{hollow.pair.second}": {
            "distance": hollow.distance,
            "depth_eV": hollow.depth,
        }
        for hollow in find_hollows(potential, training)
    }
    return {"radii": radii, "overlay": not core.fades, "hollows": hollows}


class _Printer:
    """Shows the loss: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self, max_iterations: int) -> None:
        self.max_iterations = max_iterations
        self.is_terminal = sys.stderr.isatty()

    def __call__(self, state: SearchState) -> None:
        if not self.is_terminal and state.iteration % STEPS_BETWEEN_LINES:
            return
        line = (
            f"fit: step {state.iteration} of at most {self.max_iterations}, loss {state.loss:.6e}"
        )
        end = "\r" if self.is_terminal else "\n"
        print(line, end=end, file=sys.stderr, flush=True)
