# SPDX-License-Identifier: MIT
"""Conformations of a chain molecule: ``python benchmarks/exploration/chain_molecule.py``.

A chain of five beads has two torsions with barriers of 0.15 eV between their nine conformations.
Molecular dynamics, contour exploration and metadynamics start from the stretched chain and take as
many steps; what counts is which of the 12 x 12 cells of the torsion map, and which of the nine
conformations, they have been in. Prints a line for each way with the mean of the seeds and its 95 %
interval (Student t), writes all as JSON, and draws the coverage over the steps.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import t as student

from aiida_alpot.sampling import make_sampler
from aiida_alpot.testing.chain_molecule import ChainForces, make_chain, torsions

N_BEADS, BINS = 5, 12
DYNAMICS = {"timestep_fs": 1.0, "thermostat_time_fs": 100.0}
CONTOUR = {"max_step_A": 0.3}
WAYS: dict[str, dict[str, Any]] = {
    "dynamics at 300 K": {"kind": "molecular_dynamics", "temperature_K": 300, **DYNAMICS},
    "dynamics at 900 K": {"kind": "molecular_dynamics", "temperature_K": 900, **DYNAMICS},
    "contour at 40 meV/atom": {
        "kind": "contour_exploration",
        "energy_above_start_eV_per_atom": 0.04,
        **CONTOUR,
    },
    "contour at 120 meV/atom": {
        "kind": "contour_exploration",
        "energy_above_start_eV_per_atom": 0.12,
        **CONTOUR,
    },
    "metadynamics at 300 K": {
        "kind": "metadynamics",
        "temperature_K": 300,
        "variables": ["dihedral 0 1 2 3", "dihedral 1 2 3 4"],
        "hill_every": 25,
        "hill_height_eV": 0.03,
        **DYNAMICS,
    },
}


def explore(way: str, seed: int, steps: int) -> dict[str, list[int]]:
    """Return how many cells and conformations have been seen after each step."""
    settings = {key: value for key, value in WAYS[way].items() if key != "kind"}
    sampler = make_sampler(WAYS[way]["kind"], {**settings, "steps": steps})
    cells: set[tuple[int, ...]] = set()
    wells: set[tuple[int, ...]] = set()
    seen: dict[str, list[int]] = {"cells": [], "conformations": []}
    frames = sampler.frames([make_chain(N_BEADS)], ChainForces(), np.random.default_rng(seed))
    for frame in frames:
        angles = torsions(frame.atoms) % 360.0
        cells.add(tuple((angles // (360.0 / BINS)).astype(int).tolist()))
        wells.add(tuple((angles // 120.0).astype(int).tolist()))
        seen["cells"].append(len(cells))
        seen["conformations"].append(len(wells))
    return seen


def interval(values: list[float]) -> tuple[float, float]:
    """Return the mean and half of its 95 % interval."""
    spread = np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values)), float(student.ppf(0.975, len(values) - 1) * spread)


def draw(figures: dict[str, Any], path: Path) -> None:
    """Draw the share of the torsion map that has been seen over the steps."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for way, one in figures["ways"].items():
        curves = np.array(one["curves"]) / BINS**2
        steps = figures["every"] * np.arange(curves.shape[1])
        [line] = axes.plot(steps, curves.mean(axis=0), label=way)
        axes.fill_between(
            steps, curves.min(axis=0), curves.max(axis=0), color=line.get_color(), alpha=0.2, lw=0
        )
    axes.set(xlabel="steps", ylabel="share of the torsion map", ylim=(0, 1))
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Explore in every way with every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--every", type=int, default=100, help="steps between points of the plot")
    parser.add_argument("--json", type=Path, default=None, help="file for the figures")
    parser.add_argument("--plot", type=Path, default=None, help="file for the plot")
    options = parser.parse_args()
    figures: dict[str, Any] = {
        "steps": options.steps,
        "seeds": options.seeds,
        "every": options.every,
        "ways": {},
    }
    for way in WAYS:
        runs = [explore(way, seed, options.steps) for seed in range(options.seeds)]
        share, half = interval([run["cells"][-1] / BINS**2 for run in runs])
        wells, half_wells = interval([float(run["conformations"][-1]) for run in runs])
        figures["ways"][way] = {
            "share_of_map": [share, half],
            "conformations": [wells, half_wells],
            "curves": [run["cells"][:: options.every] for run in runs],
        }
        print(
            f"{way}: {100 * share:.0f} +- {100 * half:.0f} % of the map, {wells:.1f} +- "
            f"{half_wells:.1f} of 9 conformations after {options.steps} steps",
            flush=True,
        )
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if options.plot is not None:
        draw(figures, options.plot)


if __name__ == "__main__":
    main()
