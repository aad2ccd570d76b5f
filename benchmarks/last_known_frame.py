# SPDX-License-Identifier: MIT
"""What ``restart: last_good_frame`` costs a step: ``python benchmarks/last_known_frame.py``.

The time to remember frames every ten steps, against that of the steps of molecular dynamics with a
graded potential of level 8, for the smallest cells, where it would show first. CPU seconds of one
thread, the smallest of several repetitions. Prints a line for each cell, then all as JSON.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import time

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp import MTP
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.sampling import RecordRules, StopRules, make_sampler, run_sampler
from aiida_alpot.sampling.restarting import LastKnownFrame

REPETITIONS, STEPS, EVERY = 5, 1000, 10
STILL = {"temperature_K": 1, "steps": STEPS, "timestep_fs": 0.01}
NO_LIMIT = StopRules(gamma_break=None, max_energy_change=None, max_temperature_K=None)


def cell(edge: int, *, seed: int = 0) -> Atoms:
    """Return a rattled cube of copper."""
    atoms = bulk("Cu", cubic=True) * (edge, edge, edge)
    atoms.rattle(0.05, seed=seed)
    return atoms


def seconds_of_dynamics(atoms: Atoms, calculator: MTP) -> float:
    """Return CPU seconds of one step of graded dynamics, nothing remembered."""
    sampler = make_sampler("molecular_dynamics", STILL)
    began = time.process_time()
    run_sampler(
        sampler,
        [atoms],
        calculator,
        rng=np.random.default_rng(0),
        stop_rules=NO_LIMIT,
        record_rules=RecordRules(gamma_select=1e9),
    )
    return (time.process_time() - began) / STEPS


def seconds_of_remembering(atoms: Atoms) -> float:
    """Return CPU seconds that a step spends on the last known frame."""
    memory = LastKnownFrame(2.0, EVERY)
    began = time.process_time()
    for step in range(100 * STEPS):
        memory.take(atoms, step, 1.0)
    return (time.process_time() - began) / (100 * STEPS)


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    potential = initial_potential(8, 5.0, species=("Cu",), min_distance=2.0, rng=rng)
    training = Configurations.from_atoms([cell(1, seed=seed) for seed in range(20)])
    calculator = MTP(potential, active_set=build_active_set(potential, training))
    figures = []
    for edge in (1, 3):
        atoms = cell(edge)
        step = min(seconds_of_dynamics(atoms, calculator) for _ in range(REPETITIONS))
        memory = min(seconds_of_remembering(atoms) for _ in range(REPETITIONS))
        figures.append({"atoms": len(atoms), "step_us": 1e6 * step, "memory_us": 1e6 * memory})
        print(
            f"{len(atoms)} atoms: a step {1e6 * step:.0f} us, of which the last known frame takes "
            f"{1e6 * memory:.2f} us ({memory / step:.2%})"
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
