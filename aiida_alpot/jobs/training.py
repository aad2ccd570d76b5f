# SPDX-License-Identifier: MIT
"""How a fit request says what surrounds the fit, and how its result says what came of it.

Sections of the request become :class:`~aiida_alpot.fitting.training.TrainingSettings`; warnings,
outliers and the committee become plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.fit import FitResult
from aiida_alpot.fitting.loss import LossWeights
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.training import Training, TrainingSettings
from aiida_alpot.fitting.weighting import Weighting
from aiida_alpot.jobs.fit_request import FitRequest
from aiida_alpot.jobs.requests import Request, parse_request
from aiida_alpot.mtp.mlip_files import write_potential

MEMBER_FILE = "potential_{:03d}.mtp"
MOST_OUTLIERS = 100
_ZERO_AT_START = {"species", "moments", "linear"}


@dataclass(frozen=True)
class _Weights(Request, LossWeights):
    """The section ``weights``."""


@dataclass(frozen=True)
class _Weighting(Request, Weighting):
    """The section ``weighting``."""


@dataclass(frozen=True)
class _Pull(Request):
    """The section ``pull``."""

    strength: float
    blocks: tuple[str, ...] | None = None


@dataclass(frozen=True)
class _Committee(Request, CommitteeSettings):
    """The section ``committee``."""


def training_settings(request: FitRequest) -> TrainingSettings:
    """Return the settings of the training that a request asks for.

    Raises
    ------
    SettingError
        If a section has a key that is unknown or out of range, or there is nothing to pull to.
    """
    pull = None if request.pull is None else parse_request(_Pull, request.pull)
    _require_values_to_keep(request, pull)
    weighting = Weighting()
    if request.weighting is not None:
        weighting = parse_request(_Weighting, request.weighting)
    return TrainingSettings(
        weights=parse_request(_Weights, request.weights),
        weighting=weighting,
        atomic_energies=request.atomic_energies,
        frozen=request.frozen,
        train_only=request.train_only,
        pull=0.0 if pull is None else pull.strength,
        pulled=None if pull is None else pull.blocks,
        robust=request.robust,
        committee=None
        if request.committee is None
        else parse_request(_Committee, request.committee),
        seed=request.seed,
        n_starts=request.n_starts,
        max_iterations=request.max_iterations,
        tolerance=request.tolerance,
        threads=request.threads,
        method=request.method,
    )


def _require_values_to_keep(request: FitRequest, pull: _Pull | None) -> None:
    """Raise unless what is frozen or pulled has values.

    Constants may have those of free atoms, and linear coefficients may be pulled to zero.
    """
    is_held = request.train_only is not None
    is_held |= bool(request.frozen) and request.atomic_energies is None
    is_held |= pull is not None and not set(pull.blocks or ("radial",)) <= _ZERO_AT_START
    if is_held and request.initial is None:
        raise SettingError(
            "Frozen blocks and a pull need a potential to go on from, 'initial': an untrained one "
            "has no values worth keeping."
        )


def write_committee(training: Training, folder: Path) -> None:
    """Write the members of the committee as ``potential_000.mtp`` and so on."""
    for number, member in enumerate(training.committee):
        write_potential(member.potential, folder / MEMBER_FILE.format(number))


def describe_training(
    training: Training, sets: Mapping[str, Configurations], *, threads: int = 1
) -> dict[str, Any]:
    """Return what a training found out about its data, and its committee, for the result.

    Parameters
    ----------
    training : Training
        What it gave.
    sets : mapping of str to Configurations
        Sets on which the disagreement of the committee is told.
    threads : int
        Of the evaluation of errors.
    """
    shown = training.outliers[:MOST_OUTLIERS]
    return {
        "warnings": [asdict(warning) for warning in training.warnings],
        "outliers": [asdict(outlier) for outlier in shown],
        "n_outliers": len(training.outliers),
        "robust": _describe_robust(training, threads),
        "n_trained_on": len(training.trained_on),
        "atomic_energies": training.atomic_energies,
        "committee": _describe_committee(training, sets) if training.committee else None,
    }


def _describe_robust(training: Training, threads: int) -> dict[str, Any] | None:
    """Return how many labels count less, and the errors of the potential on all others."""
    if training.reduced is None:
        return None
    trusted = training.reduced.take_out(training.trained_on)
    prediction = predict(training.fit.potential, trusted, threads=threads)
    return {
        "n_reduced_labels": training.reduced.count_reduced(),
        "errors_of_the_others": errors(trusted, prediction).as_dict(),
    }


def _describe_committee(training: Training, sets: Mapping[str, Configurations]) -> dict[str, Any]:
    members = [
        {"file": MEMBER_FILE.format(number), **_describe_fit(member)}
        for number, member in enumerate(training.committee)
    ]
    if len(members) < 2:
        return {"members": members, "force_deviation_eV_per_A": None}
    from aiida_alpot.grading.committee import CommitteeGrader

    grader = CommitteeGrader([member.potential for member in training.committee])
    deviations = {}
    for name, configurations in sets.items():
        found = grader.force_deviations(configurations)
        deviations[name] = (
            {"mean": float(found.mean()), "largest": float(found.max())} if len(found) else None
        )
    return {"members": members, "force_deviation_eV_per_A": deviations}


def _describe_fit(fit: FitResult) -> dict[str, Any]:
    return {
        "loss": fit.loss,
        "n_iterations": fit.n_iterations,
        "converged": fit.converged,
        "interrupted": fit.interrupted,
        "message": fit.message,
    }
