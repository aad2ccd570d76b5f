# SPDX-License-Identifier: MIT
"""What a biased step costs, in evaluations of energy, forces and stress of the same potential.

Nickel, 256 atoms, rattled by 0.05 A, lists at hand. Processor time of one thread, the smallest of
several interleaved repetitions: the potential alone, with its grades, with the bias on the grade,
the derivative that this takes alone, a committee of five, and the bias on it. Prints JSON:

``python benchmarks/exploration/bias_cost.py [--levels 8 16] [--repetitions 7]``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from ase.build import bulk

from aiida_alpot.bias import make_biased
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import build_active_set
from aiida_alpot.grading.committee_calculator import CommitteeMTP
from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.parameter_tangents import TangentEvaluator
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.sampling.bias_settings import BiasSettings

MEMBERS = 5


def costs(level: int, repetitions: int) -> dict[str, float]:
    """Return microseconds for an atom, and ratios to the potential alone."""
    rng = np.random.default_rng(0)
    initial = initial_potential(level, 5.0, species=["Ni"], min_distance=1.9, rng=rng)
    potential = with_generic_coefficients(initial)
    cells = []
    for _ in range(8):
        cell = bulk("Ni", a=3.52, cubic=True) * (2, 2, 2)
        cell.positions += rng.normal(0.0, 0.1, cell.positions.shape)
        cells.append(cell)
    active_set = build_active_set(potential, Configurations.from_atoms(cells))
    scatter = 1.0 + 0.01 * rng.standard_normal((MEMBERS, potential.n_parameters))
    members = [potential.with_parameters(potential.parameters * one) for one in scatter]
    atoms = bulk("Ni", a=3.52, cubic=True) * (4, 4, 4)
    atoms.rattle(0.05, seed=1)

    plain, graded = MTP(potential), MTP(potential, active_set=active_set)
    committee = CommitteeMTP(potential, members)
    by_grade = make_biased(graded, BiasSettings("grade", alpha=1.0))
    by_committee = make_biased(CommitteeMTP(potential, members), BiasSettings("committee", alpha=1))
    tangents = TangentEvaluator(potential, potential.types_of(atoms.numbers))
    directions = rng.standard_normal((len(atoms), potential.n_parameters))
    plain.calculate(atoms)
    ways: dict[str, Callable[[], object]] = {
        "potential": lambda: plain.calculate(atoms),
        "with grades": lambda: graded.calculate(atoms),
        "derivative of the grade": lambda: tangents.evaluate_along(plain.neighbors, directions),
        "biased by the grade": lambda: by_grade.calculate(atoms),
        f"committee of {MEMBERS}": lambda: committee.calculate(atoms),
        "biased by the committee": lambda: by_committee.calculate(atoms),
    }
    best = dict.fromkeys(ways, np.inf)
    for _ in range(repetitions):
        for name, run in ways.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    first = best["potential"]
    return {
        "level": level,
        "us_per_atom": round(first / len(atoms) * 1e6, 2),
        **{name: round(seconds / first, 2) for name, seconds in best.items()},
    }


def main() -> None:
    """Print the costs of each level."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--repetitions", type=int, default=7)
    given = parser.parse_args()
    for level in given.levels:
        print(json.dumps(costs(level, given.repetitions)), flush=True)


if __name__ == "__main__":
    main()
