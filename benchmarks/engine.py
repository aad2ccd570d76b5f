# SPDX-License-Identifier: MIT
"""Speed of the engine beside motep, on one core: ``python benchmarks/engine.py [--levels 8 16]``.

Both sides are asked for energies, forces and stress of the same structure with the same potential
and a neighbour list at hand: the ASE calculator here, ``engine.calculate`` of motep. Times are CPU
time of the process, the smallest of several repetitions, and the two sides take turns, so that
other load on the machine meets both. Prints a line for each figure and writes all to a JSON file.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp import MTP, MomentTensorPotential, initial_potential, write_potential
from aiida_alpot.mtp.gradient import loss_gradient
from aiida_alpot.mtp.warm_up import compile_kernels
from aiida_alpot.neighbors import batch_neighbor_list, neighbor_list

Task = Callable[[], object]
LEVELS = (8, 12, 16, 20, 24)
CUTOFF = 5.0
GRADED_LEVEL = 12


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


def motep_engines(
    potential: MomentTensorPotential, atoms: Atoms
) -> dict[str, Callable[[], object]]:
    from motep.calculator import make_mtp_engine
    from motep.io.mlip.mtp import read_mtp

    tasks = {}
    for name in ("cext", "numba"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "potential.mtp"
            write_potential(potential, path)
            data = read_mtp(path)
        data.species = [atomic_numbers[symbol] for symbol in potential.species]
        engine = make_mtp_engine(name)(data)
        tasks[f"motep {name}"] = lambda engine=engine: engine.calculate(atoms)
    return tasks


class Report:
    """Figures by name, printed as they come."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def add(self, name: str, value: float, unit: str) -> None:
        self.figures[f"{name} ({unit})"] = float(f"{value:.4g}")
        print(f"{name:58s} {value:10.3g} {unit}", flush=True)


def compare_with_motep(report: Report, levels: list[int], repetitions: int) -> None:
    for label, atoms in (("Ni864", nickel()), ("Mo54", molybdenum())):
        for level in levels:
            potential = random_potential(level, sorted(set(atoms.get_chemical_symbols())))
            tasks = {"step": step_of(potential, atoms)}
            # the numba engine of motep takes milliseconds for an atom at high levels
            tasks |= {
                name: task
                for name, task in motep_engines(potential, atoms).items()
                if level <= 16 or "numba" not in name
            }
            seconds = take_turns(tasks, repetitions, max(1, 1000 // len(atoms)))
            scale = 1e6 / len(atoms)
            for name, value in seconds.items():
                report.add(f"{label} level {level} {name}", value * scale, "us/atom")
            fastest = min(value for name, value in seconds.items() if name != "step")
            report.add(f"{label} level {level} speed over motep", fastest / seconds["step"], "x")


def compare_species(report: Report, level: int, repetitions: int) -> None:
    mixed = alloy()
    tasks = {
        "one": step_of(random_potential(level, ["Ni"]), nickel()),
        "three": step_of(random_potential(level, ["Al", "Cu", "Ni"]), mixed),
    }
    seconds = take_turns(tasks, repetitions)
    report.add(f"level {level} three species", seconds["three"] / len(mixed) * 1e6, "us/atom")
    report.add(f"level {level} three species over one", seconds["three"] / seconds["one"], "x")


def measure_grades(report: Report, repetitions: int) -> None:
    atoms = nickel()
    potential = random_potential(GRADED_LEVEL, ["Ni"])
    training = [nickel()[:8] * (2, 2, 2) for _ in range(4)]
    for index, cell in enumerate(training):
        cell.rattle(0.1, seed=index)
    active_set = build_active_set(potential, Configurations.from_atoms(training))
    tasks = {
        "forces": step_of(potential, atoms),
        "graded": step_of(potential, atoms, active_set=active_set),
    }
    seconds = take_turns(tasks, repetitions)
    extra = seconds["graded"] / seconds["forces"] - 1.0
    report.add(f"level {GRADED_LEVEL} grades, part of energy and forces", extra, "x")


def measure_gradient(report: Report, level: int, repetitions: int) -> None:
    atoms = nickel()
    potential = random_potential(level, ["Ni"])
    configurations = Configurations.from_atoms([atoms])
    pairs = batch_neighbor_list(configurations, CUTOFF)
    residual = np.random.default_rng(0).standard_normal((len(atoms), 3))
    tasks = {
        "step": step_of(potential, atoms),
        "gradient": lambda: loss_gradient(
            potential, configurations, force_residual=residual, neighbors=pairs
        ),
    }
    seconds = take_turns(tasks, repetitions)
    report.add(f"level {level} loss gradient", seconds["gradient"] / len(atoms) * 1e6, "us/atom")
    report.add(f"level {level} loss gradient over step", seconds["gradient"] / seconds["step"], "x")


def measure_lists(report: Report, repetitions: int) -> None:
    atoms = nickel()
    seconds = take_turns({"list": lambda: neighbor_list(atoms, CUTOFF)}, repetitions)
    report.add("Ni864 neighbour list", seconds["list"] / len(atoms) * 1e6, "us/atom")


def processor() -> dict[str, object]:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    wanted = ("avx2", "fma", "avx512f", "avx512vl")
    return {
        "name": llvm.get_host_cpu_name(),
        "machine": platform.machine(),
        "features": [name for name in wanted if features.get(name)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", type=int, nargs="+", default=list(LEVELS))
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("engine.json"))
    options = parser.parse_args()
    cpu = processor()
    print(f"processor {cpu['name']}, {' '.join(cpu['features']) or 'no vector extensions known'}")
    report = Report()
    report.add("kernels compiled or loaded", compile_kernels(), "s")
    measure_lists(report, options.repetitions)
    compare_with_motep(report, options.levels, options.repetitions)
    compare_species(report, 16, options.repetitions)
    measure_grades(report, options.repetitions)
    measure_gradient(report, 16, options.repetitions)
    content = {"processor": cpu, "figures": report.figures}
    options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
