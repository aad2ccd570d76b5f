# SPDX-License-Identifier: MIT
"""Whether a search between the ends of a jump teaches its barrier: paths, dynamics, dimers.

Cells of 31 atoms with a vacancy. All ways begin with the same relaxation trajectories and derived
structures, and in each turn explore from both ends of each jump and label one frame of each chain:
of ``paths`` (path searches between the ends), ``dimers`` (saddle searches from them) and
``dynamics`` at 1000 K that of the largest grade, of ``random`` any frame of that dynamics. Judged
by the error of the barriers (:mod:`.barriers`). Prints a line for each way, and JSON:

``python -m benchmarks.exploration.paths [--teacher emt] [--seeds 5] [--json FILE] [--plot FILE]``
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling.driver import run_sampler
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.registry import make_sampler
from aiida_alpot.sampling.stopping import StopRules

from .barriers import Barrier, barrier_error, vacancy_jumps
from .curves import draw_by_seed
from .learning import interval, labelling, learn
from .samplers import MIXED_LATTICE, SECOND, choose, derive, relaxation_frames
from .seeds import run_seeds
from .teachers import Teacher

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "random": ("molecular_dynamics", {"temperature_K": 1000.0, "steps": 300, "timestep_fs": 3.0}),
    "dynamics": ("molecular_dynamics", {"temperature_K": 1000.0, "steps": 300, "timestep_fs": 3.0}),
    "dimers": ("saddle_search", {}),
    "paths": ("path_search", {"fmax": 0.05, "relax_fmax": 0.05}),
}
TURNS, DERIVED = 4, 24


def explore(
    way: str,
    jumps: list[Barrier],
    potential: MomentTensorPotential,
    training: Configurations,
    rng: np.random.Generator,
) -> list[Atoms]:
    """Return a frame of each chain, two of each jump."""
    kind, settings = WAYS[way]
    calculator = MTP(potential, active_set=build_active_set(potential, training))
    chosen: list[Atoms | None] = []
    for number, jump in enumerate(jumps):
        starts = [atoms.copy() for atoms in jump.ends]
        for place, atoms in enumerate(starts):
            atoms.info["identifier"] = f"{number} {place}"
        found = run_sampler(
            make_sampler(kind, settings),
            starts,
            calculator,
            rng=rng,
            stop_rules=StopRules(gamma_break=None),
            record_rules=RecordRules(gamma_select=1e-6, every=1, growth=1.0, max_frames=300),
        ).frames
        at_random = way == "random"
        chosen += [choose(found, one, potential, rng, at_random=at_random) for one in starts]
    return [atoms for atoms in chosen if atoms is not None]


def run_seed(teacher: Teacher, seed: int, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Let every way learn from the same start; those that ``known`` tells of are not run."""
    rng = np.random.default_rng(seed)
    training = concatenate(
        [
            teacher.label(relaxation_frames(teacher, derive(teacher, rng, 4), 3)),
            teacher.label(derive(teacher, rng, DERIVED)),
        ]
    )
    lattice = MIXED_LATTICE.get(teacher.name, teacher.lattice)
    jumps = vacancy_jumps(teacher, other=SECOND.get(teacher.name), lattice=lattice)
    result = known or {"seed": seed, "curves": {}}
    for way in (way for way in WAYS if way not in result["curves"]):
        next_labels = labelling(
            teacher, partial(explore, way, jumps), np.random.default_rng([seed, 1])
        )
        curve = learn(
            teacher,
            training,
            {},
            next_labels,
            labels=len(training) + 2 * len(jumps) * TURNS,
            seed=seed,
            at_end=lambda potential: {"barriers_meV": barrier_error(potential, jumps)},
        )
        result["curves"][way] = curve
        last = curve[-1]
        told = f"{last['labels']} labels; barriers {last['barriers_meV']:.1f} meV"
        print(f"{teacher.name} seed {seed} {way}: {told}", flush=True)
    return result


def summarize(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the errors of the barriers, and over those of ``random`` in the same seed."""
    summary: dict[str, Any] = {}
    for way in WAYS:
        mine, random = (
            [one["curves"][name][-1]["barriers_meV"] for one in results] for name in (way, "random")
        )
        ratios = [own / other for own, other in zip(mine, random, strict=True)]
        summary[way] = {
            "barriers_meV": interval(mine),
            "over_random": interval(ratios),
            "labels": [one["curves"][way][-1]["labels"] for one in results],
        }
    return summary


def tell(summary: dict[str, Any]) -> list[str]:
    """Return a line for each way."""
    return [
        f"{way}: barriers {one['barriers_meV']['mean']:.3g} meV; over random "
        f"{one['over_random']['mean']:.2f} ({one['over_random']['low']:.2f}-"
        f"{one['over_random']['high']:.2f})"
        for way, one in summary.items()
    ]


def draw(results: list[dict[str, Any]], path: Path, teacher: Teacher) -> None:
    """Draw the errors of each seed, a line a seed."""
    errors = {
        one["seed"]: [one["curves"][way][-1]["barriers_meV"] for way in WAYS] for one in results
    }
    title = f"{teacher.element}, teacher {teacher.name}"
    draw_by_seed(errors, list(WAYS), path, title=title, what="mean error of barriers, meV")


def main() -> None:
    """Measure, print, write."""
    run_seeds(
        __doc__, run_seed=run_seed, ways=tuple(WAYS), summarize=summarize, tell=tell, draw=draw
    )


if __name__ == "__main__":
    main()
