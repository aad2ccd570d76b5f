# SPDX-License-Identifier: MIT
"""What it costs per step to let stock LAMMPS drive and this engine give the forces.

Run ``python benchmarks/lammps_external.py``; ``--json FILE`` keeps the figures. The same crystal is
run by LAMMPS through ``fix external``, by ASE's velocity Verlet with the calculator, and as bare
evaluations of the engine; runs alternate, and the smallest process time per step counts. One
thread. Needs the extra ``lammps``.
"""

# ruff: noqa: E402 - the number of threads is set before NumPy is loaded
from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.units import fs

from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.interfaces.lammps import ExternalForces, start_lammps
from aiida_alpot.jobs.run import cpu_type
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential

LEVELS = (8, 16, 20)
REPEATS = (3, 6)
STEPS = 20


def make_potential(level: int) -> MomentTensorPotential:
    rng = np.random.default_rng(level)
    initial = initial_potential(level, 5.0, species=("Ni",), min_distance=1.5, rng=rng)
    generic = with_generic_coefficients(initial)
    parameters = generic.parameters
    parameters[generic.n_radial_parameters :] *= 1e-12  # only cost is measured: atoms fly freely
    return generic.with_parameters(parameters)


def make_crystal(repeat: int) -> Atoms:
    atoms = bulk("Ni", a=3.52, cubic=True).repeat(repeat)
    atoms.rattle(0.05, seed=0)
    thermalize_momenta(atoms, temperature_K=100, rng=np.random.default_rng(0))
    return atoms


def start_in_lammps(atoms: Atoms) -> Any:
    lammps = start_lammps()
    box = " ".join(f"0 {length:.16g}" for length in atoms.cell.lengths())
    lammps.commands_list(
        [
            "units metal",
            "atom_modify map array",
            "comm_modify cutoff 2.0",
            f"region box block {box}",
            "create_box 1 box",
            "mass 1 58.6934",
            "thermo 1000000",
            "timestep 0.001",
        ]
    )
    numbers = list(range(1, len(atoms) + 1))
    lammps.create_atoms(len(atoms), numbers, [1] * len(atoms), atoms.positions.ravel())
    lammps.commands_list(["velocity all create 100 1", "fix nve all nve"])
    return lammps


def process_time(function: Callable[[], Any]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def measure(level: int, repeat: int, repeats: int) -> dict[str, float]:
    potential, atoms = make_potential(level), make_crystal(repeat)
    forces = ExternalForces(start_in_lammps(atoms), potential)
    atoms.calc = MTP(potential)
    own = VelocityVerlet(atoms, timestep=fs)
    bare = MTP(potential)
    still = atoms.copy()

    def evaluate() -> None:
        for _ in range(STEPS):
            bare.neighbors.update(still)
            bare._evaluator_of(still.numbers).evaluate(bare.neighbors)

    ways = {
        "lammps": lambda: forces.run(STEPS),
        "ase": lambda: own.run(STEPS),
        "engine": evaluate,
    }
    fastest = dict.fromkeys(ways, np.inf)
    for _ in range(repeats):
        for name, way in ways.items():
            fastest[name] = min(fastest[name], process_time(way) / STEPS)
    n_atoms = len(atoms)
    result = {f"{name}_us_per_step": 1e6 * seconds for name, seconds in fastest.items()}
    overhead = fastest["lammps"] - fastest["engine"]
    return {
        "level": level,
        "n_atoms": n_atoms,
        **result,
        "lammps_over_engine": fastest["lammps"] / fastest["engine"],
        "overhead_us_per_step": 1e6 * overhead,
        "overhead_us_per_atom": 1e6 * overhead / n_atoms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"CPU {cpu_type()}, one thread")
    results = []
    for level in LEVELS:
        for repeat in REPEATS:
            results.append(one := measure(level, repeat, arguments.repeats))
            print(
                f"level {level:2d} {one['n_atoms']:4d} atoms, us per step: "
                f"{one['lammps_us_per_step']:6.0f} in LAMMPS, "
                f"{one['ase_us_per_step']:6.0f} in ASE, "
                f"{one['engine_us_per_step']:6.0f} in the engine alone; LAMMPS adds "
                f"{one['overhead_us_per_step']:.0f} ({one['lammps_over_engine']:.2f} x)"
            )
    if arguments.json:
        content = {"cpu": cpu_type(), "steps": results}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
