# SPDX-License-Identifier: MIT
"""Cost of extrapolation grades: of an MD step with and without them, and of a selection.

Run ``python benchmarks/grades.py``; ``--json FILE`` keeps the figures. One thread; each time is the
smallest process time of several repeats, steps with and without grades alternating, so that both
see the same machine. An MD step moves every atom a little, reuses the neighbour list within its
skin, and includes all that ASE's interface costs.
"""

# ruff: noqa: E402 - the number of threads is set before NumPy is loaded
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import json
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.active_set import ActiveSet, build_active_set
from aiida_alpot.grading.maxvol import maxvol
from aiida_alpot.grading.row_space import structural_projection, with_generic_coefficients
from aiida_alpot.jobs.run import cpu_type
from aiida_alpot.jobs.warm_up import compile_kernels
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential
from aiida_alpot.selection.maxvol_selection import select

LEVELS = (8, 12, 16, 20)
TARGET_LEVELS, TARGET_COST = (16, 20), 0.5


def make_potential(level: int) -> MomentTensorPotential:
    rng = np.random.default_rng(level)
    initial = initial_potential(level, 5.0, species=("Ni",), min_distance=1.8, rng=rng)
    return with_generic_coefficients(initial)


def make_cells(n: int, repeat: int, rattle: float, seed: int) -> Configurations:
    rng = np.random.default_rng(seed)
    structures = []
    for _ in range(n):
        atoms = bulk("Ni", "fcc", a=3.52, cubic=True).repeat(repeat)
        deformation = np.eye(3) + 0.02 * rng.uniform(-1.0, 1.0, (3, 3))
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        atoms.positions += rng.normal(0.0, rattle, (len(atoms), 3))
        structures.append(atoms)
    return Configurations.from_atoms(structures)


def time_steps(atoms: Atoms, calculators: list[MTP], repeats: int) -> list[float]:
    """Smallest time of a step in seconds for each calculator, the same steps for all."""
    rng = np.random.default_rng(0)
    fastest = [np.inf] * len(calculators)
    for _ in range(repeats):
        atoms.positions += rng.normal(0.0, 1e-3, (len(atoms), 3))
        for index, calculator in enumerate(calculators):
            started = time.process_time()
            calculator.calculate(atoms, ["energy", "forces", "stress"])
            fastest[index] = min(fastest[index], time.process_time() - started)
    return fastest


def measure_steps(level: int, repeat: int, repeats: int) -> dict[str, float]:
    potential = make_potential(level)
    active_set: ActiveSet = build_active_set(potential, make_cells(10, 3, 0.1, seed=1))
    atoms = make_cells(1, repeat, 0.05, seed=2).atoms(0)
    plain, graded = MTP(potential), MTP(potential, active_set=active_set)
    without, with_grades = time_steps(atoms, [plain, graded], repeats)
    return {
        "level": level,
        "n_atoms": len(atoms),
        "rank": active_set.rank,
        "step_us_per_atom": 1e6 * without / len(atoms),
        "graded_step_us_per_atom": 1e6 * with_grades / len(atoms),
        "cost_of_grades": with_grades / without - 1.0,
    }


def measure_selection(level: int, n_training: int, n_candidates: int) -> dict[str, float]:
    potential = make_potential(level)
    training = make_cells(n_training, 3, 0.06, seed=3)
    candidates = make_cells(n_candidates, 3, 0.1, seed=4)
    started = time.perf_counter()
    structural_projection(potential)
    space = time.perf_counter()
    build_active_set(potential, training)
    built = time.perf_counter()
    selection = select(potential, candidates, training=training)
    return {
        "level": level,
        "n_training_rows": int(training.offsets[-1]),
        "n_candidate_rows": int(candidates.offsets[-1]),
        "row_space_s": space - started,
        "active_set_s": built - space,
        "selection_s": time.perf_counter() - built,
        "n_selected": len(selection.indices),
    }


def measure_maxvol(m: int, n: int) -> dict[str, float]:
    rows = np.random.default_rng(5).standard_normal((m, n))
    started = time.perf_counter()
    whole = maxvol(rows)
    batch = time.perf_counter()
    maxvol(rows, block_rows=4096)
    blocks = time.perf_counter()
    return {
        "m": m,
        "n": n,
        "one_batch_s": batch - started,
        "n_swaps": whole.n_swaps,
        "in_blocks_s": blocks - batch,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    compile_kernels()
    print(f"CPU {cpu_type()}, one thread")
    steps = []
    for level in LEVELS:
        for repeat in (3, 6):
            steps.append(one := measure_steps(level, repeat, arguments.repeats))
            print(
                f"level {level:2d} {one['n_atoms']:4d} atoms: step {one['step_us_per_atom']:7.2f}, "
                f"with grades {one['graded_step_us_per_atom']:7.2f} us/atom, grades cost "
                f"{one['cost_of_grades']:.2f} of a step"
            )
    selections = [measure_selection(level, 20, 100) for level in LEVELS]
    for one in selections:
        print(
            f"level {one['level']:2d}: row space {one['row_space_s']:.2f} s, active set of "
            f"{one['n_training_rows']} rows {one['active_set_s']:.2f} s, selection from "
            f"{one['n_candidate_rows']} rows {one['selection_s']:.2f} s, "
            f"{one['n_selected']} selected"
        )
    volumes = measure_maxvol(100_000, 114)
    print(
        f"MAXVOL of {volumes['m']} x {volumes['n']}: {volumes['one_batch_s']:.1f} s in one batch "
        f"({volumes['n_swaps']} swaps), {volumes['in_blocks_s']:.1f} s in blocks"
    )
    worst = max(one["cost_of_grades"] for one in steps if one["level"] in TARGET_LEVELS)
    verdict = "met" if worst <= TARGET_COST else "MISSED"
    print(
        f"levels {TARGET_LEVELS}: a step with grades costs at most {1 + worst:.2f} of one without, "
        f"target {1 + TARGET_COST}: {verdict}"
    )
    if arguments.json:
        content = {"cpu": cpu_type(), "steps": steps, "selections": selections, "maxvol": volumes}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
