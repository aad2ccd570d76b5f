# SPDX-License-Identifier: MIT
"""What an evolutionary search costs in reference calls, with the reference and with a potential.

Eight atoms at random places, EMT as the reference. Of copper, fcc is to be found within 0.5
meV/atom, which nearly every relaxation ends in; of Cu6Au2, L1_2 within 1 meV/atom, which is one
order among many.
``reference`` relaxes every structure with EMT; each step is a call. ``learned`` searches with a
potential that begins with a few random structures. In each turn a search of its own runs; frames
that extrapolate are selected and labelled, and so is the lowest structure that it found; where EMT
itself puts that structure at the goal, it is found. Prints a line for each seed, and JSON:

``python -m benchmarks.exploration.evolution_learning [--seeds 10] [--json FILE]``
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling.driver import run_sampler
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.registry import make_sampler
from aiida_alpot.sampling.stopping import Observation, StopRules
from aiida_alpot.selection import select

from .evolution import copper, cu3au
from .learning import interval
from .reliability import fitted
from .teachers import Teacher

SEARCH = {"population": 10, "relaxations": 40, "first_generation": "structures"}
MOST_RELAXATIONS = 300  # of the reference
FIRST, PER_TURN, MOST_TURNS = 6, 5, 15
GAMMA_SELECT, GAMMA_BREAK = 2.0, 10.0


class Counting(EMT):
    """EMT that counts what it is asked for."""

    calls = 0

    def calculate(self, *arguments: Any, **keywords: Any) -> None:
        """Count, and compute."""
        self.calls += 1
        super().calculate(*arguments, **keywords)


def start_of(case: str, rng: np.random.Generator) -> tuple[Atoms, float]:
    """Return eight atoms at random places, and the energy per atom of the goal, eV."""
    start, _, goal, _ = copper(rng)
    if case == "cu3au":
        _, _, goal, _ = cu3au(rng)
        start.symbols[rng.permutation(8)[:2]] = "Au"
        start.set_cell(start.cell * 1.03, scale_atoms=True)
    return start, goal


def search_with_reference(case: str, seed: int) -> tuple[int, bool]:
    """Return the calls until the goal was reached, or in all, and whether it was."""
    rng = np.random.default_rng(seed)
    start, goal = start_of(case, rng)
    calculator = Counting()
    sampler = make_sampler("evolution", {**SEARCH, "relaxations": MOST_RELAXATIONS})
    for frame in sampler.frames([start], calculator, rng):
        if frame.atoms.calc.results["energy"] / len(frame.atoms) <= goal:
            return calculator.calls, True
    return calculator.calls, False


def search_with_potential(case: str, seed: int) -> tuple[int, bool, int]:
    """Return the labels until the goal was reached, or in all, whether it was, and the turns."""
    rng = np.random.default_rng(seed)
    teacher = Teacher("emt", "Cu", 3.60, EMT, noise=0.0, level=10)
    start, goal = start_of(case, rng)
    training = teacher.label([start, *random_cells(start, rng, FIRST - 1)])
    for turn in range(1, MOST_TURNS + 1):
        potential = fitted(training, teacher, seed)
        frames, lowest = explore(potential, training, start, rng)
        chosen: list[Atoms] = []
        if len(frames):
            picked = select(
                potential, frames, training=training, threshold=GAMMA_SELECT, limit=PER_TURN
            )
            chosen = [frames.atoms(int(index)) for index in picked.indices]
        if lowest is not None:
            chosen.append(lowest)
        if not chosen:
            break
        labels = teacher.label(chosen)
        training = concatenate([training, labels])
        if lowest is not None and labels.energy[-1] / len(lowest) <= goal:
            return len(training), True, turn
    return len(training), False, MOST_TURNS


def random_cells(start: Atoms, rng: np.random.Generator, count: int) -> list[Atoms]:
    """Return random crystals of the composition of the start."""
    sampler = make_sampler("random_crystals", {"structures": count, "atoms": len(start)})
    return [frame.atoms.copy() for frame in sampler.frames([start], EMT(), rng)][:count]


def explore(
    potential: MomentTensorPotential,
    training: Configurations,
    start: Atoms,
    rng: np.random.Generator,
) -> tuple[Configurations, Atoms | None]:
    """Search once; return the frames that extrapolate, and the lowest that does not."""
    found: dict[str, Any] = {"energy": np.inf, "atoms": None}

    def observe(seen: Observation) -> None:
        per_atom = seen.energy / len(seen.atoms)
        if seen.grade <= GAMMA_SELECT and per_atom < found["energy"]:
            found.update(energy=per_atom, atoms=seen.atoms.copy())

    frames = run_sampler(
        make_sampler("evolution", SEARCH),
        [start],
        MTP(potential, active_set=build_active_set(potential, training)),
        rng=rng,
        stop_rules=StopRules(gamma_break=GAMMA_BREAK, max_energy_change=None),
        record_rules=RecordRules(gamma_select=GAMMA_SELECT, max_frames=200),
        observe=observe,
    ).frames
    lowest = found["atoms"]
    if lowest is not None:
        lowest.calc = None
    return frames, lowest


def compare(case: str, seeds: int) -> dict[str, Any]:
    """Search both ways with each seed."""
    results = []
    for seed in range(seeds):
        begun = time.process_time()
        reference, found = search_with_reference(case, seed)
        labels, found_too, turns = search_with_potential(case, seed)
        results.append(
            {
                "seed": seed,
                "reference": {"calls": reference, "found": found},
                "learned": {"calls": labels, "found": found_too, "turns": turns},
            }
        )
        print(
            f"{case} seed {seed}: reference {reference} calls, {'found' if found else 'not found'};"
            f" learned {labels} labels in {turns} turns, {'found' if found_too else 'not found'}; "
            f"{time.process_time() - begun:.0f} CPU-s",
            flush=True,
        )
    successes = {way: sum(one[way]["found"] for one in results) for way in ("reference", "learned")}
    ratio = interval([one["learned"]["calls"] / one["reference"]["calls"] for one in results])
    print(
        f"{case}: found by {successes['reference']} and {successes['learned']} of {seeds} seeds; "
        f"labels over calls {ratio['mean']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"
    )
    return {"successes": successes, "labels_over_calls": ratio, "seeds": results}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--case", choices=("copper", "cu3au"), action="append")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {case: compare(case, given.seeds) for case in given.case or ("copper", "cu3au")}
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
