# SPDX-License-Identifier: MIT
"""Structures, potentials and clocks that the benchmarks of the engine share."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_alpot.mtp import MTP, MomentTensorPotential, initial_potential

Task = Callable[[], object]
CUTOFF = 5.0


def nickel() -> Atoms:
    atoms = bulk("Ni", a=3.52, cubic=True) * (6, 6, 6)
    atoms.rattle(0.05, seed=0)
    return atoms


def molybdenum() -> Atoms:
    atoms = bulk("Mo", a=3.16, cubic=True) * (3, 3, 3)
    atoms.rattle(0.05, seed=0)
    return atoms


def alloy() -> Atoms:
    atoms = nickel()
    atoms.symbols = np.random.default_rng(0).choice(["Ni", "Cu", "Al"], len(atoms))
    return atoms


def random_potential(level: int, species: list[str]) -> MomentTensorPotential:
    rng = np.random.default_rng(level)
    potential = initial_potential(level, CUTOFF, species=species, min_distance=2.0, rng=rng)
    parameters = potential.parameters
    n_linear = len(potential.moment_coefficients)
    parameters[-n_linear:] = 1e-3 * rng.standard_normal(n_linear)
    return potential.with_parameters(parameters)


def take_turns(tasks: dict[str, Task], repetitions: int, n_calls: int = 1) -> dict[str, float]:
    """Return the smallest CPU time of each task in seconds, each turn a few calls in a row."""
    for task in tasks.values():
        task()
    best = dict.fromkeys(tasks, np.inf)
    for _ in range(repetitions):
        for name, task in tasks.items():
            start = time.process_time()
            for _ in range(n_calls):
                task()
            best[name] = min(best[name], (time.process_time() - start) / n_calls)
    return best


def step_of(
    potential: MomentTensorPotential, atoms: Atoms, **options: object
) -> Callable[[], object]:
    """Return a step of molecular dynamics: all atoms move a little, the list is kept."""
    calculator = MTP(potential, **options)
    moved = [atoms.copy(), atoms.copy()]
    moved[1].positions += 1e-4
    turn = iter(range(10**9))
    return lambda: calculator.calculate(moved[next(turn) % 2])


class Report:
    """Figures by name, printed as they come."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def add(self, name: str, value: float, unit: str) -> None:
        self.figures[f"{name} ({unit})"] = float(f"{value:.4g}")
        print(f"{name:58s} {value:10.3g} {unit}", flush=True)


def processor() -> dict[str, object]:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    wanted = ("avx2", "fma", "avx512f", "avx512vl")
    return {
        "name": llvm.get_host_cpu_name(),
        "machine": platform.machine(),
        "features": [name for name in wanted if features.get(name)],
    }
