# SPDX-License-Identifier: MIT
"""How many relaxations the evolutionary search needs for structures that are known.

    python benchmarks/exploration/evolution.py [--seeds 10] [--case copper|cu3au|lj13] [--json FILE]

Prints for each case the share of seeds that find the structure, and the relaxations until then.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from aiida_alpot.sampling import make_sampler
from aiida_alpot.sampling.structures.pair_limits import make_limits
from aiida_alpot.sampling.structures.pushing_apart import push_apart

COPPER = -0.0070  # eV/atom of fcc in EMT
ICOSAHEDRON = -44.326801 / 13


def copper(rng: np.random.Generator) -> tuple[Atoms, Any, float, dict[str, Any]]:
    """Eight atoms at random places: fcc."""
    start = bulk("Cu", a=3.8, cubic=True) * (2, 1, 1)
    start.positions = rng.random((8, 3)) @ start.cell.array
    push_apart(start, make_limits(0.7, None))
    return start, EMT(), COPPER + 5e-4, {"relaxations": 100}


def cu3au(rng: np.random.Generator) -> tuple[Atoms, Any, float, dict[str, Any]]:
    """Four atoms on a simple cubic lattice: L1_2."""
    start = bulk("Cu", "sc", a=2.6) * (2, 2, 1)
    start.symbols[int(rng.integers(4))] = "Au"
    ordered = bulk("Cu", a=3.75, cubic=True)
    ordered.symbols[0] = "Au"
    relaxation = make_sampler("relaxation", {"cell": "isotropic", "fmax": 0.001})
    *_, last = relaxation.frames([ordered], EMT(), rng)
    goal = last.atoms.get_potential_energy() / 4
    return start, EMT(), goal + 1e-3, {"relaxations": 200}


def lj13(rng: np.random.Generator) -> tuple[Atoms, Any, float, dict[str, Any]]:
    """Thirteen atoms of a Lennard-Jones cluster: the icosahedron."""
    start = Atoms("Ar13", positions=rng.random((13, 3)) * 3)
    push_apart(start, make_limits(0.7, {"Ar-Ar": 0.9}))
    settings = {
        "relaxations": 100,
        "relax_steps": 150,
        "fmax": 0.01,
        "volume_per_atom": 1.5,
        "min_distances": {"Ar-Ar": 0.8},
    }
    calculator = LennardJones(sigma=1.0, epsilon=1.0, rc=50.0)
    return start, calculator, ICOSAHEDRON + 1e-4, settings


CASES = {"copper": copper, "cu3au": cu3au, "lj13": lj13}


def relaxations_until(case: str, seed: int) -> int | None:
    """Return after how many relaxations the goal is reached, None if it is not."""
    rng = np.random.default_rng(seed)
    start, calculator, goal, settings = CASES[case](rng)
    sampler = make_sampler("evolution", {"population": 10, **settings})
    for frame in sampler.frames([start], calculator, rng):
        energy = frame.atoms.calc.results["energy"] / len(frame.atoms)
        if energy <= goal:
            return int(frame.atoms.info["child"]) + 1
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = {}
    for case in arguments.case or CASES:
        found = [relaxations_until(case, seed) for seed in range(arguments.seeds)]
        reached = [one for one in found if one is not None]
        results[case] = {"relaxations": found, "success": len(reached) / len(found)}
        middle = f"{np.median(reached):g}" if reached else "none"
        print(
            f"{case}: {len(reached)} of {len(found)} seeds, median {middle} relaxations, "
            f"most {max(reached, default=0)}",
            flush=True,
        )
    print(json.dumps(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
