# SPDX-License-Identifier: MIT
"""What selection by information per core-hour saves, on EMT copper with a cubic cost model.

Cells of 4 to 108 atoms, strained, sheared and rattled as by temperature, the larger ones also with
a vacancy, are the candidates. A potential is trained on four rattled cells, selects, is fitted
again with the new labels, and so on until no candidate extrapolates: once with the ordinary
selection and once per cost, from the same candidates. A label costs (atoms / 32)^3. Both potentials
are tested on cells of 108 atoms that neither could select. Prints a line, and JSON:

``python benchmarks/cost_aware.py [--seeds 5] [--json FILE] [--plot FILE]``.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from scipy.stats import t as student

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.loss import LossWeights
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.selection import select

LEVEL, CUTOFF = 8, 5.0
LIMIT = 10  # labels of a turn
MOST_TURNS = 20
AMPLITUDES_A = (0.06, 0.12, 0.17)  # of displacements
STRAINS = (-0.03, 0.0, 0.04)
COPIES = {1: 54, 2: 4, 3: 1}
"""Candidates by size, cubic cells of 4, 32 and 108 atoms: about as many atoms of each size, since
sampling costs by the atom and labels do not."""
EXPONENT = 3.0
WEIGHTS = LossWeights(energy=1.0, force=0.01, stress=0.001)
WAYS = ("plain", "per_cost")
FIGURES = {"energy": "energy_rmse", "forces": "forces_rmse"}
"""Errors on the test set, meV/atom and eV/A."""


def rattled(atoms: Atoms, amplitude: float, rng: np.random.Generator, count: int) -> list[Atoms]:
    """Return copies with normal displacements of an amplitude in A, and a small shear."""
    copies = []
    for _ in range(count):
        copy = atoms.copy()
        deformation = np.eye(3) + rng.normal(0.0, 0.01, (3, 3))
        copy.set_cell(copy.cell.array @ deformation, scale_atoms=True)
        copy.positions += rng.normal(0.0, amplitude, copy.positions.shape)
        copies.append(copy)
    return copies


def crystals(size: int) -> list[Atoms]:
    """Return cells of one size at some strains, larger ones with a vacancy as well."""
    cells = []
    for strain in STRAINS:
        cell = bulk("Cu", a=3.6, cubic=True).repeat(size)
        cell.set_cell(cell.cell.array * (1.0 + strain), scale_atoms=True)
        cells.append(cell)
        if size > 1:
            vacancy = cell.copy()
            del vacancy[0]
            cells.append(vacancy)
    return cells


def label(structures: list[Atoms]) -> Configurations:
    """Return the structures with labels of EMT."""
    for atoms in structures:
        atoms.calc = EMT()
        atoms.get_forces(), atoms.get_stress()
    return Configurations.from_atoms(structures)


def sample(copies: dict[int, int], rng: np.random.Generator) -> Configurations:
    """Return labelled cells of every crystal of these sizes at every amplitude."""
    frames = [
        frame
        for size, count in copies.items()
        for cell in crystals(size)
        for amplitude in AMPLITUDES_A
        for frame in rattled(cell, amplitude, rng, count)
    ]
    return label(frames)


def first_training(rng: np.random.Generator) -> Configurations:
    """Return four cells of 32 atoms, strained by 1 % and rattled by 0.03 A."""
    cells = []
    for _ in range(4):
        cell = bulk("Cu", a=3.6, cubic=True).repeat(2)
        cell.set_cell(cell.cell.array * (1.0 + rng.uniform(-0.01, 0.01)), scale_atoms=True)
        cell.positions += rng.normal(0.0, 0.03, cell.positions.shape)
        cells.append(cell)
    return label(cells)


def costs_of(configurations: Configurations) -> np.ndarray:
    """Return the cost of each label in units of that of 32 atoms."""
    return (configurations.n_atoms / 32.0) ** EXPONENT


def learn(
    way: str,
    training: Configurations,
    candidates: Configurations,
    test: Configurations,
    seed: int,
) -> dict[str, Any]:
    """Select and fit until nothing extrapolates; return costs and errors on the way."""
    start = start_potential(training, level=LEVEL, cutoff=CUTOFF, min_distance=1.6, seed=seed)
    history: list[dict[str, float]] = []
    first, spent, selected = len(training), 0.0, Configurations.empty()
    converged = False
    for _ in range(MOST_TURNS):
        fitted = fit_potential(
            training, initial=start, weights=WEIGHTS, max_iterations=50, seed=seed
        )
        start = fitted.potential
        found = errors(test, predict(start, test))
        figures = {name: float(getattr(found, figure)) for name, figure in FIGURES.items()}
        history.append({"cost": spent, **figures})
        costs = costs_of(candidates) if way == "per_cost" else None
        chosen = select(start, candidates, training=training, limit=LIMIT, costs=costs)
        if not len(chosen.indices):
            converged = True
            break
        more = candidates.select(chosen.indices)
        spent += float(costs_of(more).sum())
        training = concatenate([training, more])
        selected = training.select(np.arange(first, len(training)))
    sizes, counts = np.unique(selected.n_atoms, return_counts=True)
    return {
        "converged": converged,
        "turns": len(history),
        "labels": len(selected),
        "labels_by_atoms": {int(n): int(count) for n, count in zip(sizes, counts, strict=True)},
        "cost": spent,
        **{name: history[-1][name] for name in FIGURES},
        "history": history,
    }


def ratio(results: list[dict[str, Any]], name: str) -> dict[str, float]:
    """Return the geometric mean of per_cost / plain over the seeds with its 95 % interval."""
    logs = np.log([one["per_cost"][name] / one["plain"][name] for one in results])
    middle = float(logs.mean())
    reach = 0.0
    if len(logs) > 1:
        error = float(logs.std(ddof=1)) / np.sqrt(len(logs))
        reach = float(student.ppf(0.975, len(logs) - 1)) * error
    names = ("mean", "low", "high")
    values = np.exp([middle, middle - reach, middle + reach])
    return dict(zip(names, values.round(3).tolist(), strict=True))


def cost_to_reach(history: list[dict[str, float]], name: str, target: float) -> float:
    """Return what was spent when an error fell to ``target`` for good, infinity if never."""
    reached = float("inf")
    for one in reversed(history):
        if one[name] > target:
            break
        reached = one["cost"]
    return reached


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Draw the force error against what was spent, a line for each seed."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure_, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    for way, colour in zip(WAYS, ("tab:gray", "tab:blue"), strict=True):
        for number, one in enumerate(results):
            steps = one[way]["history"]
            axes.plot(
                [max(step["cost"], 0.5) for step in steps],
                [1e3 * step["forces"] for step in steps],
                marker=".",
                color=colour,
                label=way.replace("_", " ") if number == 0 else None,
            )
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("cost of the labels selected, in labels of 32 atoms (cubic)")
    axes.set_ylabel("force RMSE on cells of 108 atoms, meV/A")
    axes.legend()
    figure_.savefig(path, dpi=120)


def run_seed(seed: int) -> dict[str, Any]:
    """Learn both ways from the same candidates."""
    rng = np.random.default_rng(seed)
    training = first_training(rng)
    candidates = sample(COPIES, rng)
    test = sample({3: 2}, np.random.default_rng(10_000 + seed))
    result: dict[str, Any] = {"seed": seed, "candidates": len(candidates), "test": len(test)}
    for way in WAYS:
        started = time.process_time()
        result[way] = learn(way, training, candidates, test, seed)
        result[way]["cpu_s"] = round(time.process_time() - started, 1)
        one = result[way]
        print(
            f"seed {seed} {way}: {one['turns']} turns, {one['labels']} labels "
            f"{one['labels_by_atoms']}, cost {one['cost']:.1f}, {one['energy']:.3f} meV/atom, "
            f"{1e3 * one['forces']:.1f} meV/A",
            flush=True,
        )
    # the worse of both ends, which both have reached
    target = max(result[way]["forces"] for way in WAYS)
    for way in WAYS:
        reached = cost_to_reach(result[way]["history"], "forces", target)
        result[way]["cost_to_same_forces"] = reached
    return result


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="seeds that it holds are not run again")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    if arguments.json is not None and arguments.json.exists():
        results = json.loads(arguments.json.read_text(encoding="utf-8"))["seeds"]
    known = {one["seed"] for one in results}
    results += [run_seed(seed) for seed in range(arguments.seeds) if seed not in known]
    names = ("cost", "cost_to_same_forces", "labels", *FIGURES)
    summary = {name: ratio(results, name) for name in names}
    summary["converged"] = {way: sum(one[way]["converged"] for one in results) for way in WAYS}
    report = {"level": LEVEL, "limit": LIMIT, "exponent": EXPONENT, **summary, "seeds": results}
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if arguments.plot is not None:
        plot(results, arguments.plot)
    told = {name: "{mean:.2f} ({low:.2f}-{high:.2f})".format(**summary[name]) for name in names}
    print(
        f"per cost over plain, {len(results)} seeds, 95 %: cost {told['cost']}, cost to the same "
        f"force error {told['cost_to_same_forces']}, labels {told['labels']}, energy error "
        f"{told['energy']}, force error {told['forces']}"
    )
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
