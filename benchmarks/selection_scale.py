# SPDX-License-Identifier: MIT
"""Time and memory to select from very many candidates, their rows included.

Copper cells of 20 atoms, strained and rattled, compete with 30 training cells by MAXVOL (method
``projected``) on one core. Cells and potential are made before the clock starts; in it are
neighbours, rows, grades, the competition, and a last pass that proves that no row was missed. The
time is that of the processor, so that other work on the machine hardly counts. Prints a line for
each mode, and JSON:

``OMP_NUM_THREADS=1 python benchmarks/selection_scale.py [--candidates N] [--modes MODE ...]``.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.selection import make_selector, select

LEVEL, CUTOFF, LIMIT = 16, 5.0, 200
ENTRY = 1.1


def make_cells(count: int, *, seed: int) -> Configurations:
    """Return cells of 20 copper atoms, strained by up to 5 % and rattled by 0.02 to 0.15 A."""
    rng = np.random.default_rng(seed)
    cell = bulk("Cu", "fcc", a=3.61) * (5, 2, 2)
    strain = np.eye(3) * (1.0 + 0.05 * rng.uniform(-1, 1, (count, 1, 1)))
    strain = strain + 0.02 * rng.uniform(-1, 1, (count, 3, 3))
    displacements = rng.standard_normal((count, len(cell), 3))
    displacements *= rng.uniform(0.02, 0.15, (count, 1, 1))
    positions = np.einsum("ai,nij->naj", cell.positions, strain) + displacements
    repeated = Configurations.from_atoms([cell]).select(np.zeros(count, dtype=int))
    return repeated.replace(
        positions=positions.reshape(-1, 3),
        cells=np.einsum("ai,nij->naj", cell.cell.array, strain),
        identifier=np.array([f"cell_{index}" for index in range(count)]),
    )


def measure(candidates: Configurations, training: Configurations, mode: str) -> dict[str, Any]:
    """Select once and return time, memory and what was selected."""
    rng = np.random.default_rng(0)
    potential = with_generic_coefficients(
        initial_potential(LEVEL, CUTOFF, species=("Cu",), min_distance=1.9, rng=rng)
    )
    select(potential, training.select(range(3)), training=training.select(range(3, 6)), mode=mode)
    before, clock = time.process_time(), time.perf_counter()
    found = select(potential, candidates, training=training, mode=mode, limit=LIMIT, entry=ENTRY)
    seconds, wall = time.process_time() - before, time.perf_counter() - clock
    sample = candidates.select(np.arange(0, len(candidates), max(1, len(candidates) // 2000)))
    left = ExtrapolationGrader(potential, found.active_set).grade(sample).per_configuration
    return {
        "mode": mode,
        "n_candidates": len(candidates),
        "n_atoms": len(candidates.numbers),
        "level": LEVEL,
        "cpu_seconds": round(seconds, 2),
        "wall_seconds": round(wall, 2),
        "memory_GiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "n_selected": len(found.indices),
        "n_over_limit": len(found.over_limit),
        "largest_grade_before": float(found.grades.max()),
        "largest_grade_after_in_sample": float(left.max()),
    }


def measure_rule(candidates: Configurations, training: Configurations, rule: str) -> dict[str, Any]:
    """Select by another rule, 100 configurations, and return time and memory."""
    rng = np.random.default_rng(0)
    potential = with_generic_coefficients(
        initial_potential(LEVEL, CUTOFF, species=("Cu",), min_distance=1.9, rng=rng)
    )
    selector = make_selector(rule, training=training, potential=potential)
    before = time.process_time()
    picked = selector.select(candidates, limit=100, rng=rng)
    return {
        "rule": rule,
        "n_candidates": len(candidates),
        "cpu_seconds": round(time.process_time() - before, 2),
        "memory_GiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "n_selected": len(picked.indices),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--modes", nargs="*", default=["configuration", "neighborhood"])
    parser.add_argument("--rules", nargs="*", default=[], help="also cur, tail, random, ...")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    candidates = make_cells(options.candidates, seed=1)
    training = make_cells(30, seed=2)
    results = []
    for mode in options.modes:
        results.append(measure(candidates, training, mode))
        one = results[-1]
        print(
            f"{mode}: {one['n_candidates']} candidates of 20 atoms at level {LEVEL} in "
            f"{one['cpu_seconds']:.1f} s of one core, {one['memory_GiB']:.2f} GiB, "
            f"{one['n_selected']} selected; largest grade {one['largest_grade_before']:.3g}, "
            f"then {one['largest_grade_after_in_sample']:.3g}",
            flush=True,
        )
    for rule in options.rules:
        results.append(measure_rule(candidates, training, rule))
        print(
            f"{rule}: {results[-1]['cpu_seconds']:.1f} s, {results[-1]['memory_GiB']:.2f} GiB",
            flush=True,
        )
    text = json.dumps({"results": results}, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
