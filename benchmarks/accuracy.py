# SPDX-License-Identifier: MIT
"""Errors of our fits to the sets of Zuo et al. beside those of the published potentials.

    python benchmarks/accuracy.py --data FOLDER [--elements Li Mo Ni] [--seeds 0 1 2]
                                  [--levels 8 12 16 20 24] [--json OUT.json]

For each element, at the level and cutoff of the published potential and with the published training
set alone:

1. The force weight is chosen by cross-validation in the training set: every third configuration is
   left out in turn. Among the weights whose force error on what was left out is at most 1 % above
   the smallest one, that with the smallest energy error is taken. The energy weight is one; the
   sets have no stress.
2. Each seed fits the whole training set with that weight from random starts.
3. The test set is looked at for the first time, ours and the published potential's errors on it.

With ``--levels`` the same weight is used for a table of errors against the level (seed 0).
FOLDER holds ``X.mtp``, ``X_train.xyz`` and ``X_test.xyz`` for each X. Exits with 1 if the energy or
force error of a seed on the test set is above that of the published potential (Zuo et al., J. Phys.
Chem. A 124, 731 (2020)).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.fit import fit_potential, require_disjoint, start_potential
from aiida_alpot.fitting.loss import LossWeights
from aiida_alpot.fitting.metrics import Errors, errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.structure_files import read_configurations

FORCE_WEIGHTS = (0.001, 0.003, 0.01, 0.03)
FORCE_MARGIN = 1.01
"""Largest force error of a weight that is considered, in units of the smallest."""
N_FOLDS = 3
N_STARTS = 4
N_STARTS_OF_FOLDS = 2


@dataclass(frozen=True)
class Published:
    """Form of a published potential."""

    level: int
    cutoff: float


PUBLISHED = {"Li": Published(16, 5.1), "Mo": Published(20, 5.2), "Ni": Published(20, 4.0)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the published files")
    parser.add_argument("--elements", nargs="+", choices=PUBLISHED, default=list(PUBLISHED))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--levels", nargs="*", type=int, default=[], help="of the table")
    parser.add_argument("--weight", type=float, help="force weight, instead of cross-validation")
    parser.add_argument(
        "--validation", type=Path, help="JSON of an earlier run, whose cross-validation is taken"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    is_met = True
    for element in arguments.elements:
        figures[element] = found = measure_element(element, arguments)
        is_met &= all(fit["is_met"] for fit in found["fits"])
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print("published errors reached by every seed" if is_met else "published errors NOT REACHED")
    return 0 if is_met else 1


def measure_element(element: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Choose the weight, fit with every seed and level, and compare on the test set."""
    form = PUBLISHED[element]
    training = read_configurations(arguments.data / f"{element}_train.xyz")
    validation: list[dict[str, float]] = []
    weight = arguments.weight
    if weight is None:
        validation = earlier_validation(element, arguments.validation)
        if not validation:
            validation = cross_validate(element, training, form, arguments.threads)
        weight = choose_weight(validation)
    print(f"{element}: force weight {weight:g}", flush=True)
    test = read_configurations(arguments.data / f"{element}_test.xyz")
    require_disjoint(training, {"published": test})
    known = read_potential(arguments.data / f"{element}.mtp", [element])
    target = errors(test, predict(known, test))
    print(f"{element} published potential:  test {describe(target)}", flush=True)
    fits = []
    for seed in arguments.seeds:
        figures = fit_and_compare(
            training, test, form, weight=weight, seed=seed, threads=arguments.threads
        )
        figures["is_met"] = bool(
            figures["energy"] <= target.energy_rmse and figures["forces"] <= target.forces_rmse
        )
        fits.append(figures)
    levels = [
        fit_and_compare(
            training,
            test,
            Published(level, form.cutoff),
            weight=weight,
            seed=0,
            threads=arguments.threads,
        )
        for level in arguments.levels
    ]
    return {
        "level": form.level,
        "cutoff": form.cutoff,
        "cross_validation": validation,
        "force_weight": weight,
        "published": as_figures(target),
        "fits": fits,
        "levels": levels,
    }


def choose_weight(validation: list[dict[str, float]]) -> float:
    """Return the weight with the lowest energy error among those with the lowest force errors."""
    limit = FORCE_MARGIN * min(one["forces"] for one in validation)
    considered = [one for one in validation if one["forces"] <= limit]
    return min(considered, key=lambda one: one["energy"])["force_weight"]


def earlier_validation(element: str, path: Path | None) -> list[dict[str, float]]:
    """Return the cross-validation of an earlier run, nothing if there was none."""
    if path is None:
        return []
    found: list[dict[str, float]] = (
        json.loads(path.read_text(encoding="utf-8")).get(element, {}).get("cross_validation", [])
    )
    return found


def cross_validate(
    element: str, training: Configurations, form: Published, threads: int
) -> list[dict[str, float]]:
    """Return the errors on what was left out for every force weight."""
    fold_of = np.arange(len(training)) % N_FOLDS
    results = []
    for weight in FORCE_WEIGHTS:
        squares = np.zeros(4)  # energies, their number, forces, their number
        for fold in range(N_FOLDS):
            kept = training.select(np.flatnonzero(fold_of != fold))
            left_out = training.select(np.flatnonzero(fold_of == fold))
            potential = fit(
                kept, form, weight, seed=fold, threads=threads, n_starts=N_STARTS_OF_FOLDS
            )
            found = errors(left_out, predict(potential, left_out, threads=threads))
            n, n_forces = len(left_out), 3 * left_out.n_atoms.sum()
            squares += [found.energy_rmse**2 * n, n, found.forces_rmse**2 * n_forces, n_forces]
        energy, forces = math.sqrt(squares[0] / squares[1]), math.sqrt(squares[2] / squares[3])
        results.append({"force_weight": weight, "energy": energy, "forces": forces})
        print(
            f"{element} cross-validation, force weight {weight:6g}: {energy:.3f} meV/atom, "
            f"{forces:.4f} eV/A",
            flush=True,
        )
    return results


def fit(
    training: Configurations,
    form: Published,
    weight: float,
    *,
    seed: int,
    threads: int,
    n_starts: int = N_STARTS,
) -> MomentTensorPotential:
    initial = start_potential(training, level=form.level, cutoff=form.cutoff, seed=seed)
    return fit_potential(
        training,
        initial=initial,
        weights=LossWeights(energy=1.0, force=weight, stress=0.0),
        seed=seed,
        n_starts=n_starts,
        threads=threads,
    ).potential


def fit_and_compare(
    training: Configurations,
    test: Configurations,
    form: Published,
    *,
    weight: float,
    seed: int,
    threads: int,
) -> dict[str, Any]:
    started = time.process_time()
    potential = fit(training, form, weight, seed=seed, threads=threads)
    seconds = time.process_time() - started
    on_training = errors(training, predict(potential, training, threads=threads))
    on_test = errors(test, predict(potential, test, threads=threads))
    print(
        f"{training.species[0]} level {form.level} seed {seed}: test {describe(on_test)}  "
        f"training {describe(on_training)}  {seconds:.0f} CPU s",
        flush=True,
    )
    return {
        "level": form.level,
        "seed": seed,
        "n_parameters": potential.n_parameters,
        "cpu_seconds": seconds,
        **as_figures(on_test),
        "training": as_figures(on_training),
    }


def as_figures(found: Errors) -> dict[str, float]:
    return {"energy": found.energy_rmse, "forces": found.forces_rmse}


def describe(found: Errors) -> str:
    return f"{found.energy_rmse:.3f} meV/atom {found.forces_rmse:.4f} eV/A"


if __name__ == "__main__":
    sys.exit(main())
