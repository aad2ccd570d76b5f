# SPDX-License-Identifier: MIT
"""Errors of our fits to the sets of Zuo et al. beside those of the published potentials.

    python benchmarks/accuracy.py --data FOLDER [--elements Li Mo Ni] [--seeds 0 1 2]
                                  [--levels 8 12 16 20 24] [--json OUT.json]

For each element, at the level and cutoff of the published potential and with the published training
set alone:

1. The weights of the loss are chosen by cross-validation in the training set, see below.
2. Each seed fits the whole training set with these weights from random starts.
3. The test set is looked at: our errors and those of the published potential on it.

``--default-weights`` adds fits with the weights that MLIP, and ``alpot fit``, have unless told
otherwise; nothing is chosen then. ``--levels`` adds a table of errors against the level, with the
weights chosen and seed 0. The sets have no stress.

Choice of the weights
---------------------
A potential of a given form trades errors of energies for errors of forces, and the question here is
whether *both* are at or below those of the published potential. So the errors of what was left out
are counted in units of the published potential's errors on the *training* set, and the weights with
the smallest larger one of the two win::

    min over weights of max(E / E_published, F / F_published)

The published training errors only say at which rate the two are exchanged, and no tolerance is to
be chosen. The smallest product of the two errors, a rule without any rate, is given for comparison
and not used: it bounds neither error.

The loss that is weighed consists of just the two mean squares that are quoted, of energies per atom
and of force components, and the force weight is varied. MLIP's default, which divides squared
energies by the size of a configuration instead of its square, and so counts those of small cells
less, stands in the comparison with its default force weight.

Every third configuration is left out in turn. The sets are in order of kinds of structures, so that
each third holds its share of each kind, as a test set does that is drawn from the same data;
leaving out whole kinds would measure extrapolation instead. Neighbouring frames of a trajectory
would give away what was left out, but frames stand in the files so far apart, or so shuffled, that
the forces of successive ones are hardly correlated (``force_correlation`` in the JSON).

In each fold one search begins from random starts and goes on from weight to weight for a few
Gauss-Newton steps, so that all weights are compared in the same minimum.

Disclosure: test errors at force weight 0.01, and of Ni at 0.003, in MLIP's default loss had been
seen before this rule was written down, in place of another one that had a margin.

FOLDER holds ``X.mtp``, ``X_train.xyz`` and ``X_test.xyz`` for each X. What OUT.json holds is not
computed again, so that a run can be continued. Exits with 1 if the energy or force error of a seed
on the test set is above that of the published potential (Zuo et al., J. Phys. Chem. A 124, 731
(2020)).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.fit import fit_potential, fit_targets, require_disjoint, start_potential
from aiida_alpot.fitting.loss import LossWeights, make_targets
from aiida_alpot.fitting.metrics import Errors, errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.mtp.jacobian import make_environment
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.structure_files import read_configurations

DEFAULT_WEIGHT = 0.01
FORCE_WEIGHTS = tuple(DEFAULT_WEIGHT * 2.0**k for k in range(-5, 5))
STEPS_BETWEEN_WEIGHTS = 2
DEFAULT_FITS = "fits_with_default_weights"
N_FOLDS = 3
N_STARTS = 4
N_STARTS_OF_FOLDS = 2
Figures = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """Form of a published potential."""

    level: int
    cutoff: float


PUBLISHED = {"Li": Published(16, 5.1), "Mo": Published(20, 5.2), "Ni": Published(20, 4.0)}


@dataclass(frozen=True)
class Choice:
    """Force weight, and power of the size that the energy weight is divided by, as in MLIP."""

    force_weight: float = DEFAULT_WEIGHT
    size_power: int = 1

    def weights(self, training: Configurations) -> LossWeights:
        """Return the weights, such that energies of cells of mean size weigh one over N."""
        energy = float(np.mean(training.n_atoms)) ** (self.size_power - 1)
        return LossWeights(energy, self.force_weight, 0.0, size_power=self.size_power)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the published files")
    parser.add_argument("--elements", nargs="+", choices=PUBLISHED, default=list(PUBLISHED))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--levels", nargs="*", type=int, default=[], help="of the table")
    parser.add_argument(
        "--default-weights", action="store_true", help="fit with the weights of MLIP too"
    )
    parser.add_argument("--starts", type=int, default=N_STARTS, help="random starts of a fit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write figures here, and go on from those there")
    arguments = parser.parse_args()
    figures: Figures = {}
    if arguments.json is not None and arguments.json.exists():
        figures = json.loads(arguments.json.read_text(encoding="utf-8"))

    def keep() -> None:
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")

    # weights of all elements are chosen before any test set is opened
    for element in arguments.elements:
        choose_weights(element, figures.setdefault(element, {}), arguments)
        keep()
    if not arguments.seeds and not arguments.levels:
        return 0
    for element in arguments.elements:
        compare_with_published(element, figures[element], arguments, keep)
    is_met = all(fit["is_met"] for found in figures.values() for fit in found.get("fits", []))
    print("published errors reached by every seed" if is_met else "published errors NOT REACHED")
    return 0 if is_met else 1


def choose_weights(element: str, found: Figures, arguments: argparse.Namespace) -> None:
    """Cross-validate and write the choice to the figures of an element, if it is not there."""
    if "choice" not in found:
        training = read_configurations(arguments.data / f"{element}_train.xyz")
        published = read_potential(arguments.data / f"{element}.mtp", [element])
        unit = as_figures(errors(training, predict(published, training)))
        started = time.process_time()
        validation = cross_validate(training, PUBLISHED[element], arguments.threads)
        found.update(
            {
                "level": PUBLISHED[element].level,
                "cutoff": PUBLISHED[element].cutoff,
                "force_correlation": correlation_of_successive_forces(training),
                "published_on_training": unit,
                "cross_validation": validation,
                "cross_validation_cpu_seconds": time.process_time() - started,
                "choice": choose(validation, lambda one: larger_error(one, unit)),
                "choice_by_product": choose(validation, lambda one: one["energy"] * one["forces"]),
            }
        )
    for one in found["cross_validation"]:
        print(
            f"{element} left out, force weight {one['force_weight']:9.6f}, energies over "
            f"N^{one['size_power']}: {one['energy']:.3f} meV/atom {one['forces']:.4f} eV/A  larger "
            f"one {larger_error(one, found['published_on_training']):.3f}"
        )
    print(
        f"{element}: chosen {found['choice']}, by product {found['choice_by_product']}", flush=True
    )


def larger_error(one: Figures, unit: Figures) -> float:
    """Return the larger error in units of another potential's errors."""
    return float(max(one["energy"] / unit["energy"], one["forces"] / unit["forces"]))


def choose(validation: Sequence[Figures], rank: Callable[[Figures], float]) -> Figures:
    """Return the weights of lowest rank."""
    best = min(validation, key=rank)
    return {key: best[key] for key in ("force_weight", "size_power")}


def cross_validate(training: Configurations, form: Published, threads: int) -> list[Figures]:
    """Return the errors on what was left out for all weights."""
    fold_of = np.arange(len(training)) % N_FOLDS
    squares: dict[Choice, np.ndarray] = {}
    for fold in range(N_FOLDS):
        kept = training.select(np.flatnonzero(fold_of != fold))
        left_out = training.select(np.flatnonzero(fold_of == fold))
        for choice, potential in fit_path(kept, form, seed=fold, threads=threads):
            found = errors(left_out, predict(potential, left_out, threads=threads))
            n, n_forces = len(left_out), 3 * left_out.n_atoms.sum()
            part = np.array(
                [found.energy_rmse**2 * n, n, found.forces_rmse**2 * n_forces, n_forces]
            )
            squares[choice] = squares.get(choice, 0.0) + part
        print(f"{training.species[0]} fold {fold + 1} of {N_FOLDS}", flush=True)
    return [
        {
            "force_weight": choice.force_weight,
            "size_power": choice.size_power,
            "energy": math.sqrt(sums[0] / sums[1]),
            "forces": math.sqrt(sums[2] / sums[3]),
        }
        for choice, sums in sorted(squares.items(), key=lambda item: item[0].force_weight)
    ]


def fit_path(
    kept: Configurations, form: Published, *, seed: int, threads: int
) -> list[tuple[Choice, MomentTensorPotential]]:
    """Return fits for all weights, each search going on from the neighbouring weight."""
    begin = Choice(DEFAULT_WEIGHT, 2)
    start = fit(kept, form, begin, seed=seed, n_starts=N_STARTS_OF_FOLDS, threads=threads)
    environment = make_environment(start, kept)
    upwards = [Choice(weight, 2) for weight in FORCE_WEIGHTS if weight > DEFAULT_WEIGHT]
    downwards = [Choice(weight, 2) for weight in FORCE_WEIGHTS[::-1] if weight < DEFAULT_WEIGHT]
    found = []
    for path in ([begin], upwards, downwards, [Choice(DEFAULT_WEIGHT, 1)]):
        potential = start
        for choice in path:
            potential = fit_targets(
                environment,
                make_targets(kept, choice.weights(kept)),
                initial=potential,
                max_iterations=STEPS_BETWEEN_WEIGHTS,
                threads=threads,
            ).potential
            found.append((choice, potential))
    return found


def fit(
    training: Configurations,
    form: Published,
    choice: Choice,
    *,
    seed: int,
    n_starts: int,
    threads: int,
) -> MomentTensorPotential:
    """Return a fit from random starts."""
    return fit_potential(
        training,
        initial=start_potential(training, level=form.level, cutoff=form.cutoff, seed=seed),
        weights=choice.weights(training),
        seed=seed,
        n_starts=n_starts,
        threads=threads,
    ).potential


def compare_with_published(
    element: str, found: Figures, arguments: argparse.Namespace, keep: Callable[[], None]
) -> None:
    """Fit with every seed and level that the figures lack, and compare on the test set."""
    training, test = (
        read_configurations(arguments.data / f"{element}_{part}.xyz") for part in ("train", "test")
    )
    require_disjoint(training, {"published": test})
    published = read_potential(arguments.data / f"{element}.mtp", [element])
    target = as_figures(errors(test, predict(published, test)))
    found["published"] = target
    print(f"{element} published potential: test {describe(target)}", flush=True)
    form, choice = PUBLISHED[element], Choice(**found["choice"])
    wanted = [("fits", form.level, seed, choice) for seed in arguments.seeds]
    wanted += [("levels", level, 0, choice) for level in arguments.levels]
    if arguments.default_weights:
        wanted += [(DEFAULT_FITS, form.level, seed, Choice()) for seed in arguments.seeds]
    for part, level, seed, weights in wanted:
        figures = find(found, part, level, seed)
        if figures is None:
            started = time.process_time()
            potential = fit(
                training,
                Published(level, form.cutoff),
                weights,
                seed=seed,
                n_starts=arguments.starts,
                threads=arguments.threads,
            )
            figures = {
                "level": level,
                "seed": seed,
                "starts": arguments.starts,
                "n_parameters": potential.n_parameters,
                "cpu_seconds": time.process_time() - started,
                **as_figures(errors(test, predict(potential, test))),
                "training": as_figures(errors(training, predict(potential, training))),
            }
        figures["is_met"] = bool(
            figures["energy"] <= target["energy"] and figures["forces"] <= target["forces"]
        )
        if figures not in found.setdefault(part, []):
            found[part].append(figures)
            keep()
        print(
            f"{element} {part} level {level} seed {seed}: test {describe(figures)}  training "
            f"{describe(figures['training'])}  {figures['cpu_seconds']:.0f} CPU s",
            flush=True,
        )


def find(found: Figures, part: str, level: int, seed: int) -> Figures | None:
    """Return a fit that was made before with the same weights."""
    parts = (DEFAULT_FITS,) if part == DEFAULT_FITS else ("fits", "levels")
    made = [one for name in parts for one in found.get(name, [])]
    return next((one for one in made if (one["level"], one["seed"]) == (level, seed)), None)


def correlation_of_successive_forces(training: Configurations) -> float:
    """Return the mean correlation of the forces in successive frames of equal cell and size."""
    found = []
    for index in range(len(training) - 1):
        first, second = (training.forces[training.atoms_slice(i)] for i in (index, index + 1))
        is_run = np.array_equal(training.cells[index], training.cells[index + 1])
        if is_run and first.shape == second.shape and len(first) > 1:
            found.append(np.corrcoef(first.ravel(), second.ravel())[0, 1])
    return float(np.mean(found))


def as_figures(found: Errors) -> dict[str, float]:
    return {"energy": found.energy_rmse, "forces": found.forces_rmse}


def describe(found: Figures) -> str:
    return f"{found['energy']:.3f} meV/atom {found['forces']:.4f} eV/A"


if __name__ == "__main__":
    sys.exit(main())
