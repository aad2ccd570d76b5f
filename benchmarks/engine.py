# SPDX-License-Identifier: MIT
"""Speed of the engine beside motep, on one core: ``python benchmarks/engine.py [--levels 8 16]``.

Both sides are asked for energies, forces and stress of the same structure with the same potential,
once with a neighbour list at hand and once without: the ASE calculator here, ``engine.calculate``
of motep. Further: neighbour lists beside vesin, several species, steps of dynamics, a million
atoms, 100,000 small cells, grades, the loss gradient, and which part of the processor is used.
Times are CPU time of the process unless said, the smallest of several repetitions, and what is
compared takes turns, so that other load on the machine meets both. Prints a line for each figure,
writes all to a JSON file and draws time per atom against level beside it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from engine_cases import (
    CUTOFF,
    Report,
    Task,
    alloy,
    molybdenum,
    nickel,
    processor,
    random_potential,
    step_of,
    take_turns,
)
from engine_plot import draw
from engine_scaling import (
    measure_dynamics,
    measure_many_cells,
    measure_peak,
    measure_sizes,
    measure_with_avx2,
)

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import build_active_set
from aiida_alpot.jobs.warm_up import compile_kernels
from aiida_alpot.mtp import MomentTensorPotential, write_potential
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.gradient import loss_gradient
from aiida_alpot.mtp.site_evaluator import SiteEvaluator
from aiida_alpot.neighbors import batch_neighbor_list, neighbor_list

LEVELS = (8, 12, 16, 20, 24)
GRADED_LEVEL = 12


def from_scratch(potential: MomentTensorPotential, atoms: Atoms) -> Task:
    """Return an evaluation without anything at hand but the potential."""
    configurations = Configurations.from_atoms([atoms])
    return lambda: evaluate(potential, configurations)


def motep_engines(
    potential: MomentTensorPotential, atoms: Atoms, *, keeps_list: bool = True
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

        def calculate(engine: Any = engine) -> object:
            if not keeps_list:
                engine.neighbor_list = None
            return engine.calculate(atoms)

        tasks[f"motep {name}"] = calculate
    return tasks


def compare_with_motep(report: Report, levels: list[int], repetitions: int) -> None:
    """Time an evaluation, with lists at hand and from scratch, beside motep's engines."""
    for label, atoms in (("Ni864", nickel()), ("Mo54", molybdenum())):
        for level in levels:
            potential = random_potential(level, sorted(set(atoms.get_chemical_symbols())))
            for keeps_list, ours in ((True, "step"), (False, "from scratch")):
                make = step_of if keeps_list else from_scratch
                # the numba engine of motep takes milliseconds for an atom at high levels
                peers = {
                    name: task
                    for name, task in motep_engines(potential, atoms, keeps_list=keeps_list).items()
                    if level <= 16 or "numba" not in name
                }
                n_calls = max(1, 1000 // len(atoms))
                seconds = take_turns({ours: make(potential, atoms)} | peers, repetitions, n_calls)
                start = f"{label} level {level}"
                for name, value in seconds.items():
                    shown = name if name == ours or keeps_list else f"{name} from scratch"
                    report.add(f"{start} {shown}", value * 1e6 / len(atoms), "us/atom")
                fastest = min(value for name, value in seconds.items() if name != ours)
                suffix = "" if keeps_list else " from scratch"
                report.add(f"{start} speed over motep{suffix}", fastest / seconds[ours], "x")


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
    """Pairs with vectors and translations: ours sorted, vesin's in any order."""
    from vesin import NeighborList as VesinNeighborList

    for label, atoms in (("Ni864", nickel()), ("Mo54", molybdenum())):
        peer = VesinNeighborList(cutoff=CUTOFF, full_list=True)
        box, points = atoms.cell.array, atoms.positions
        tasks: dict[str, Task] = {
            "ours": lambda atoms=atoms: neighbor_list(atoms, CUTOFF),
            "vesin": lambda peer=peer, box=box, points=points: peer.compute(
                points=points, box=box, periodic=True, quantities="ijDS"
            ),
        }
        seconds = take_turns(tasks, 3 * repetitions, max(1, 1000 // len(atoms)))
        for name, value in seconds.items():
            report.add(f"{label} neighbour list, {name}", value / len(atoms) * 1e6, "us/atom")
        report.add(f"{label} neighbour list over vesin's", seconds["ours"] / seconds["vesin"], "x")


def measure_steps(levels: list[int], repetitions: int) -> dict[int, float]:
    """Return the times of steps of Ni864 by level, us/atom."""
    atoms = nickel()
    tasks = {level: step_of(random_potential(level, ["Ni"]), atoms) for level in levels}
    seconds = take_turns({str(level): task for level, task in tasks.items()}, repetitions)
    return {level: seconds[str(level)] / len(atoms) * 1e6 for level in levels}


def measure_use_of_processor(report: Report) -> None:
    atoms = nickel()
    potential = random_potential(16, ["Ni"])
    pairs = neighbor_list(atoms, CUTOFF)
    sites = SiteEvaluator(potential, potential.types_of(atoms.numbers))

    def seconds_of_atom() -> float:
        start = time.process_time()
        for _ in range(5):
            sites.evaluate(pairs)
        return (time.process_time() - start) / 5 / len(atoms)

    measure_peak(report, potential, pairs.n_pairs / len(atoms), seconds_of_atom)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", type=int, nargs="+", default=list(LEVELS))
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("engine.json"))
    parser.add_argument("--steps-only", action="store_true", help="Steps of Ni864, one JSON line.")
    options = parser.parse_args()
    if options.steps_only:
        print(json.dumps(measure_steps(options.levels, options.repetitions)))
        return
    cpu = processor()
    print(f"processor {cpu['name']}, {' '.join(cpu['features']) or 'no vector extensions known'}")
    report = Report()
    report.add("kernels compiled or loaded", compile_kernels(), "s")
    measure_lists(report, options.repetitions)
    compare_with_motep(report, options.levels, options.repetitions)
    compare_species(report, 16, options.repetitions)
    measure_dynamics(report, nickel(), random_potential(16, ["Ni"]), options.repetitions)
    measure_many_cells(report, nickel(), random_potential(16, ["Ni"]), 100_000)
    measure_sizes(report)
    measure_grades(report, options.repetitions)
    measure_gradient(report, 16, options.repetitions)
    measure_use_of_processor(report)
    measure_with_avx2(report, options.levels)
    content = {"processor": cpu, "figures": report.figures}
    options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    draw(content, options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
