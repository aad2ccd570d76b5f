# SPDX-License-Identifier: MIT
"""Relax many structures together and one by one: ``python benchmarks/batched_relaxation.py``.

A potential of level 12 is fitted to EMT's copper. Cells of 2 to 12 atoms of fcc, bcc and hcp copper
are strained and rattled and relaxed to 0.01 eV/A, all together by ``relax_together`` and a part of
them one by one by BFGS and FIRE of ASE with our calculator: in fixed cells, and with the cells
(ASE's ``FrechetCellFilter``, and ``UnitCellFilter``, which is faster). Times are CPU seconds of one
thread, the smallest of several repetitions that take turns. Prints a line for each figure and
writes all to a JSON file.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter, UnitCellFilter
from ase.optimize import BFGS, FIRE
from engine_cases import Report, processor

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp import MTP, MomentTensorPotential
from aiida_alpot.sampling.batched.relaxation import (
    BatchedRelaxationSettings,
    RelaxedStructures,
    relax_together,
)

LEVEL, CUTOFF, FMAX, STEPS = 12, 5.0, 0.01, 300
CRYSTALS = (("fcc", 3.6), ("bcc", 2.87), ("hcp", 2.55))
REPEATS = ((2, 1, 1), (2, 2, 1), (3, 2, 1))
ALONE: dict[str, Callable[[Atoms], Any]] = {
    "fixed": lambda atoms: atoms,
    "Frechet filter": FrechetCellFilter,
    "unit cell filter": UnitCellFilter,
}


def rattled(index: int, *, strain: float = 0.03, amplitude: float = 0.1) -> Atoms:
    """Return a small crystal, strained and rattled."""
    rng = np.random.default_rng(index)
    lattice, constant = CRYSTALS[index % 3]
    atoms = bulk("Cu", lattice, a=constant) * REPEATS[rng.integers(len(REPEATS))]
    deformation = np.eye(3) + rng.normal(0.0, strain, (3, 3))
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    atoms.rattle(amplitude, rng=rng)
    return atoms


def train() -> tuple[MomentTensorPotential, Configurations]:
    labelled = []
    for index in range(90):
        atoms = rattled(10**6 + index, strain=0.05, amplitude=0.15) * (2, 1, 1)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
        labelled.append(atoms)
    training = Configurations.from_atoms(labelled, level_of_theory='{"calculator":"EMT"}')
    start = start_potential(training, level=LEVEL, cutoff=CUTOFF)
    return fit_potential(training, initial=start, max_iterations=60).potential, training


def one_by_one(
    structures: list[Atoms], potential: MomentTensorPotential, optimizer: type, kind: str
) -> tuple[np.ndarray, float]:
    """Return energies per atom and CPU seconds."""
    calculator = MTP(potential)
    energies = []
    start = time.process_time()
    for structure in structures:
        atoms = structure.copy()
        atoms.calc = calculator
        optimizer(ALONE[kind](atoms), logfile=None).run(fmax=FMAX, steps=STEPS)
        energies.append(atoms.get_potential_energy() / len(atoms))
    return np.array(energies), time.process_time() - start


def compare(
    report: Report,
    potential: MomentTensorPotential,
    starts: Configurations,
    *,
    count: int,
    repetitions: int,
) -> None:
    alone = [starts.atoms(index) for index in range(count)]
    for cell in ("fixed", "flexible"):
        settings = BatchedRelaxationSettings(cell=cell, fmax=FMAX, steps=STEPS)
        kinds = [kind for kind in ALONE if (kind == "fixed") == (cell == "fixed")]
        best = {"together": np.inf}
        energies = {}
        relaxed: RelaxedStructures | None = None
        for _ in range(repetitions):
            start = time.process_time()
            relaxed = relax_together(potential, starts, settings)
            best["together"] = min(best["together"], time.process_time() - start)
            for kind in kinds:
                for optimizer in (BFGS, FIRE):
                    name = f"{optimizer.__name__}, {kind}"
                    energies[name], seconds = one_by_one(alone, potential, optimizer, kind)
                    best[name] = min(best.get(name, np.inf), seconds)
        assert relaxed is not None
        rate = len(starts) / best.pop("together")
        report.add(f"{cell} cells, together", rate, "structures/s")
        report.add(f"{cell} cells, converged", relaxed.count("converged") / len(starts), "x")
        report.add(f"{cell} cells, evaluations of a structure", relaxed.n_steps.mean(), "mean")
        found = (relaxed.configurations.energy / relaxed.configurations.n_atoms)[:count]
        for name, seconds in best.items():
            difference = 1e3 * np.abs(found - energies[name])
            report.add(f"{cell} cells, ASE {name}", count / seconds, "structures/s")
            report.add(f"  together over {name}", rate * seconds / count, "x")
            report.add(
                f"  95 % of energies within, {name}", np.percentile(difference, 95), "meV/atom"
            )


def measure_grades(
    report: Report,
    potential: MomentTensorPotential,
    training: Configurations,
    starts: Configurations,
    repetitions: int,
) -> None:
    active_set = build_active_set(potential, training)
    best = [np.inf, np.inf]
    for _ in range(repetitions):
        for index, graded in enumerate((None, active_set)):
            start = time.process_time()
            relax_together(potential, starts, active_set=graded)
            best[index] = min(best[index], time.process_time() - start)
    report.add("grades of every step, over no grades", best[1] / best[0], "x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structures", type=int, default=3000)
    parser.add_argument("--alone", type=int, default=60, help="How many are relaxed one by one.")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("batched_relaxation.json"))
    options = parser.parse_args()
    report = Report()
    potential, training = train()
    starts = Configurations.from_atoms([rattled(index) for index in range(options.structures)])
    report.add("atoms of a structure", float(starts.n_atoms.mean()), "mean")
    repetitions = options.repetitions
    compare(report, potential, starts, count=options.alone, repetitions=repetitions)
    measure_grades(report, potential, training, starts, repetitions)
    content = {"processor": processor(), "figures": report.figures}
    options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
