# SPDX-License-Identifier: MIT
"""What the options around a fit give: strata against a full fit, robust fits, shared committees.

Run ``python benchmarks/training.py``; ``--json FILE`` keeps the figures, ``--parts`` chooses among
``strata robust committee``. Labels are those of EMT for Cu, Pd and Ag. One thread, CPU time.
"""

# ruff: noqa: E402 - the number of threads is set before NumPy is loaded
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import json
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.fit import start_potential
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.start import warm_start
from aiida_alpot.fitting.training import Training, TrainingSettings, train_potential
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.jobs.run import cpu_type
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential

SPECIES = ("Cu", "Pd", "Ag")
LATTICE = {"Cu": 3.61, "Pd": 3.89, "Ag": 4.09}
CUTOFF = 5.0
N_STARTS = 5
"""Of fits to several species, which end in minima of different depth."""
RIDGE = 1e-7
"""Pull of the first stage on the coefficients of the scalars, which pure cells hardly determine."""


def make_cells(species: Sequence[str], n: int, seed: int) -> Configurations:
    """Rattled, strained fcc cells of 16 atoms with species at random, labelled by EMT."""
    rng = np.random.default_rng(seed)
    structures = []
    for _ in range(n):
        symbols = rng.choice(list(species), 16)
        a = np.mean([LATTICE[symbol] for symbol in symbols])
        atoms = bulk("Cu", a=a, cubic=True).repeat((2, 2, 1))
        atoms.symbols = symbols
        deformation = np.eye(3) + 0.03 * rng.uniform(-1.0, 1.0, (3, 3))
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        atoms.positions += rng.normal(0.0, 0.1, (16, 3))
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
        structures.append(atoms)
    names = [f"{'-'.join(species)}_{seed}_{index}" for index in range(n)]
    return Configurations.from_atoms(structures, identifiers=names, level_of_theory="emt")


def timed(run: Callable[[], Training]) -> tuple[Training, float]:
    started = time.process_time()
    return run(), time.process_time() - started


def rmse(potential: MomentTensorPotential, test: Configurations) -> dict[str, float]:
    found = errors(test, predict(potential, test))
    return {"energy_meV_per_atom": found.energy_rmse, "forces_eV_per_A": found.forces_rmse}


def compare_strata(level: int, n: int) -> dict[str, Any]:
    """Unaries together, then each binary alone, beside a fit of everything to the same data."""
    pure = concatenate([make_cells([symbol], n, seed=1) for symbol in SPECIES])
    pairs = {pair: make_cells(pair, n, seed=2) for pair in combinations(SPECIES, 2)}
    tests = {pair: make_cells(pair, n, seed=3) for pair in pairs}
    ternary = make_cells(SPECIES, n, seed=4)

    first, seconds_first = timed(
        lambda: train_potential(
            pure,
            initial=start_potential(pure, level=level, cutoff=CUTOFF, species=SPECIES),
            settings=TrainingSettings(n_starts=N_STARTS, pull=RIDGE, pulled=("moments",)),
        )
    )
    potential, seconds, n_free = first.fit.potential, seconds_first, []
    for pair, data in pairs.items():
        settings = TrainingSettings(train_only=("-".join(pair),))
        stage, cost = timed(
            lambda potential=potential, data=data, settings=settings: train_potential(
                data, initial=warm_start(potential), settings=settings
            )
        )
        potential, seconds = stage.fit.potential, seconds + cost
        n_free.append(2 * potential.radial_coefficients[0, 0].size)
    before, after = evaluate(first.fit.potential, pure), evaluate(potential, pure)

    everything = concatenate([pure, *pairs.values()])
    full, seconds_full = timed(
        lambda: train_potential(
            everything,
            initial=start_potential(everything, level=level, cutoff=CUTOFF, species=SPECIES),
            settings=TrainingSettings(n_starts=N_STARTS),
        )
    )
    figures = {
        "-".join(pair): {"strata": rmse(potential, test), "full": rmse(full.fit.potential, test)}
        for pair, test in tests.items()
    }
    figures["Cu-Pd-Ag"] = {
        "strata": rmse(potential, ternary),
        "full": rmse(full.fit.potential, ternary),
    }
    return {
        "level": level,
        "n_parameters": potential.n_parameters,
        "n_parameters_of_a_binary": n_free[0],
        "change_of_pure_energies_eV": float(np.abs(after.energy - before.energy).max()),
        "change_of_pure_forces_eV_per_A": float(np.abs(after.forces - before.forces).max()),
        "cpu_seconds": {"strata": seconds, "full": seconds_full},
        "test": figures,
    }


def compare_robust(level: int, n: int) -> list[dict[str, Any]]:
    """One absurd label among thousands, by least squares and by the robust loss."""
    data, test = make_cells(["Cu"], n, seed=5), make_cells(["Cu"], 20, seed=6)
    initial = start_potential(data, level=level, cutoff=CUTOFF)
    rows = []
    for kind, size in (("none", 0.0), ("energy", 16.0), ("energy", 1e6), ("forces", 1e2)):
        spoiled = data
        if kind != "none":
            labels = getattr(data, kind).copy()
            labels.reshape(len(labels), -1)[7, 0] += size
            spoiled = data.replace(**{kind: labels})
        for robust in (None, 5.0):
            trained, seconds = timed(
                lambda spoiled=spoiled, robust=robust: train_potential(
                    spoiled, initial=initial, settings=TrainingSettings(robust=robust)
                )
            )
            rows.append(
                {
                    "label": kind,
                    "off_by": size,
                    "robust": robust,
                    "n_labels": (1 + 6 + 3 * 16) * n,
                    "named": sorted({one.configuration for one in trained.outliers}),
                    "cpu_seconds": seconds,
                    **rmse(trained.fit.potential, test),
                }
            )
    return rows


def compare_committee(level: int, n: int, members: int) -> dict[str, Any]:
    """Time of members in one job beside that of a single fit, and how far they disagree."""
    data = make_cells(["Cu"], n, seed=7)
    initial = start_potential(data, level=level, cutoff=CUTOFF)
    _, seconds = timed(lambda: train_potential(data, initial=initial))
    settings = TrainingSettings(committee=CommitteeSettings(members))
    trained, seconds_all = timed(lambda: train_potential(data, initial=initial, settings=settings))
    grader = CommitteeGrader([member.potential for member in trained.committee])
    moves = np.random.default_rng(0).normal(0.0, 0.25, data.positions.shape)
    rattled = data.replace(positions=data.positions + moves)
    return {
        "level": level,
        "members": members,
        "cpu_seconds_single": seconds,
        "cpu_seconds_per_member": (seconds_all - seconds) / members,
        "force_deviation_training_eV_per_A": float(grader.force_deviations(data).mean()),
        "force_deviation_rattled_eV_per_A": float(grader.force_deviations(rattled).mean()),
    }


def tell_strata(found: dict[str, Any]) -> None:
    seconds = found["cpu_seconds"]
    print(
        f"strata, level {found['level']}: {found['n_parameters_of_a_binary']} of "
        f"{found['n_parameters']} parameters in a binary; pure energies change by "
        f"{found['change_of_pure_energies_eV']:g} eV; CPU {seconds['strata']:.1f} s, full "
        f"{seconds['full']:.1f} s"
    )
    for name, both in found["test"].items():
        strata, full = both["strata"], both["full"]
        print(
            f"  {name}: {strata['energy_meV_per_atom']:.2f} meV/atom "
            f"{strata['forces_eV_per_A']:.4f} eV/A; full {full['energy_meV_per_atom']:.2f} "
            f"{full['forces_eV_per_A']:.4f}; forces "
            f"{strata['forces_eV_per_A'] / full['forces_eV_per_A']:.2f} x"
        )


def tell_robust(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(
            f"{row['label']} off by {row['off_by']:g} among {row['n_labels']} labels, "
            f"{'robust' if row['robust'] else 'least squares'}: {row['energy_meV_per_atom']:.4g} "
            f"meV/atom {row['forces_eV_per_A']:.4g} eV/A, named {row['named']}, "
            f"{row['cpu_seconds']:.1f} s"
        )


def tell_committee(found: dict[str, Any]) -> None:
    print(
        f"committee, level {found['level']}: single {found['cpu_seconds_single']:.2f} CPU s, a "
        f"member {found['cpu_seconds_per_member']:.2f}; forces deviate by "
        f"{found['force_deviation_training_eV_per_A']:.4f} eV/A in training, "
        f"{found['force_deviation_rattled_eV_per_A']:.4f} where rattled by 0.25 A"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--parts", nargs="+", default=["strata", "robust", "committee"])
    parser.add_argument("--level", type=int, default=8)
    parser.add_argument("--cells", type=int, default=60, help="configurations of each set")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    train_potential(  # compiles, so that no time below holds that
        make_cells(["Cu", "Pd"], 3, seed=0),
        initial=start_potential(make_cells(["Cu", "Pd"], 3, seed=0), level=asked.level, cutoff=5.0),
        settings=TrainingSettings(max_iterations=1),
    )
    figures: dict[str, Any] = {"cpu": cpu_type()}
    if "strata" in asked.parts:
        figures["strata"] = compare_strata(asked.level, asked.cells)
        tell_strata(figures["strata"])
    if "robust" in asked.parts:
        figures["robust"] = compare_robust(asked.level, 2 * asked.cells)
        tell_robust(figures["robust"])
    if "committee" in asked.parts:
        figures["committee"] = compare_committee(asked.level, asked.cells, 5)
        tell_committee(figures["committee"])
    if asked.json is not None:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
