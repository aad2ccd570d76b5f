# SPDX-License-Identifier: MIT
"""The loop without AiiDA: fit, test, select, label; and what is read off its curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from scipy.optimize import isotonic_regression
from scipy.stats import t as student

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.loss import LossWeights
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.mtp.potential import MomentTensorPotential

from .teachers import Teacher

WEIGHTS = LossWeights(energy=1.0, force=0.01, stress=0.001)
MOST_ITERATIONS = 60
MIN_DISTANCE = 1.6  # A, lower end of the radial functions, the same for every training set
FIGURES = {"energy_meV_per_atom": "energy_rmse", "forces_eV_per_A": "forces_rmse"}

Explore = Callable[[MomentTensorPotential, Configurations, np.random.Generator], Sequence[Atoms]]
"""From potential, training set and random numbers to the frames of an exploration."""
Choose = Callable[[MomentTensorPotential, Configurations, int], Configurations]
"""From potential, training set and turn to what is labelled next."""


def labelling(
    teacher: Teacher,
    explore: Callable[
        [MomentTensorPotential, Configurations, np.random.Generator], Sequence[Atoms]
    ],
    rng: np.random.Generator,
) -> Choose:
    """Return what has the teacher label the frames of each exploration, if there are any."""

    def choose(
        potential: MomentTensorPotential, known: Configurations, turn: int
    ) -> Configurations:
        frames = explore(potential, known, rng.spawn(1)[0])
        return teacher.label(frames) if frames else Configurations.empty()

    return choose


def learn(
    teacher: Teacher,
    training: Configurations,
    tests: Mapping[str, Configurations],
    choose: Choose,
    *,
    labels: int,
    seed: int,
    at_end: Callable[[MomentTensorPotential], dict[str, Any]] = lambda _: {},
) -> list[dict[str, Any]]:
    """Fit and add labels until there are ``labels``; return the errors after each fit.

    Every fit begins with the potential of the one before; it ends early where nothing is chosen.
    What ``at_end`` says of the last potential is added to its errors.
    """
    potential = start_potential(
        training, level=teacher.level, cutoff=teacher.cutoff, min_distance=MIN_DISTANCE, seed=seed
    )
    curve: list[dict[str, Any]] = []
    while True:
        potential = fit_potential(
            training, initial=potential, weights=WEIGHTS, max_iterations=MOST_ITERATIONS, seed=seed
        ).potential
        curve.append({**costs_of(training), **test_errors(potential, tests)})
        full = len(training) >= labels
        more = Configurations.empty() if full else choose(potential, training, len(curve))
        if not len(more):
            curve[-1] |= at_end(potential)
            return curve
        training = concatenate([training, more.select(np.arange(min(len(more), labels)))])


def costs_of(training: Configurations) -> dict[str, Any]:
    """Return what a set has cost: labels, atoms, and labels of 32 atoms by a cubic law."""
    sizes = training.n_atoms.astype(float)
    cubic = float(np.sum((sizes / 32.0) ** 3))
    return {"labels": len(training), "atoms": int(sizes.sum()), "cubic_cost": cubic}


def test_errors(
    potential: MomentTensorPotential, tests: Mapping[str, Configurations]
) -> dict[str, Any]:
    """Return the errors on each test set."""
    found = {}
    for name, test in tests.items():
        these = errors(test, predict(potential, test))
        found[name] = {
            figure: float(getattr(these, attribute)) for figure, attribute in FIGURES.items()
        }
    return found


def falling(curve: Sequence[Mapping[str, Any]], test: str, figure: str) -> np.ndarray:
    """Return an error after each fit as the falling curve nearest to it, by its logarithm.

    Fits to noisy labels make errors rise now and then; nobody would call that forgetting.
    """
    logs = np.log([one[test][figure] for one in curve])
    return np.exp(isotonic_regression(logs, increasing=False).x)


def labels_to_reach(
    curve: Sequence[Mapping[str, Any]], test: str, figure: str, target: float
) -> float:
    """Return with how many labels the falling curve of an error reaches a target, or infinity.

    Between two fits the error is taken to follow a power of the number of labels.
    """
    values = falling(curve, test, figure)
    labels = np.array([one["labels"] for one in curve], dtype=float)
    reached = np.flatnonzero(values <= target * (1 + 1e-9))
    if not len(reached):
        return float("inf")
    first = int(reached[0])
    if first == 0 or values[first - 1] <= values[first]:
        return float(labels[first])
    share = np.log(values[first - 1] / target) / np.log(values[first - 1] / values[first])
    below, above = np.log(labels[first - 1]), np.log(labels[first])
    return float(np.exp(below * (1 - share) + above * share))


def interval(values: Sequence[float]) -> dict[str, float]:
    """Return the geometric mean with its 95 % interval by Student's t of the logarithms."""
    logs = np.log(np.asarray(values, dtype=float))
    middle, reach = float(logs.mean()), 0.0
    if len(logs) > 1:
        spread = float(logs.std(ddof=1)) / np.sqrt(len(logs))
        reach = float(student.ppf(0.975, len(logs) - 1)) * spread
    low, high = np.exp([middle - reach, middle + reach])
    return {
        "mean": float(f"{np.exp(middle):.4g}"),
        "low": float(f"{low:.4g}"),
        "high": float(f"{high:.4g}"),
    }


def mean_curve(
    curves: Sequence[Sequence[Mapping[str, Any]]], test: str, figure: str
) -> tuple[list[int], list[float]]:
    """Return labels and the geometric mean of an error, where all seeds have a fit."""
    common = sorted(set.intersection(*({one["labels"] for one in curve} for curve in curves)))
    means = []
    for number in common:
        values = [one[test][figure] for curve in curves for one in curve if one["labels"] == number]
        means.append(float(np.exp(np.mean(np.log(values)))))
    return common, means
