# SPDX-License-Identifier: MIT
"""Which rule of selection needs the fewest labels: test error against number of labels.

Every rule chooses from the same pool (correlated frames of molecular dynamics and deformed cells),
from the same first training set, as many at a time, until all have the same number of labels.
Grades of ``committee`` are deviations of forces among members fitted to bootstrap samples; those of
``tail`` and ``uncertainty`` are of the active set; ``half_random`` takes every other one by MAXVOL
over neighbourhoods, the others at random. Judged on the frozen gentle and difficult sets:
by the errors, and by the labels that a rule needs for the error that random selection ends with,
over those of random selection and of MAXVOL. Where a rule finds too few random ones fill up;
``filled_up`` counts them. Prints a line for each rule, and JSON:

``python -m benchmarks.exploration.selection_rules --teacher emt [--seeds 5] [--json FILE]
[--plot FILE]``; ``--teacher mtp --data FOLDER`` for the teacher that cannot be learned.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.training import train_potential
from aiida_alpot.fitting.training_settings import TrainingSettings
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.selection.rules import RuleSettings, make_selector

from .curves import draw, summarize
from .learning import MOST_ITERATIONS, WEIGHTS, learn
from .pools import candidates, difficult_set, first_training, gentle_set
from .seeds import run_seeds
from .teachers import Teacher

RULES = (
    "random",
    "maxvol_neighborhood",
    "maxvol_configuration",
    "committee",
    "farthest_points",
    "cur",
    "tail",
    "uncertainty",
    "half_random",
)
PER_TURN, LABELS = 4, 51
EACH, RARE = 25, 60  # frames of each trajectory of the pool, and cells that are far from them
MEMBERS = 5


def settings_of(rule: str) -> tuple[str, RuleSettings]:
    """Return the name of a rule in the package, and its settings: no threshold, equal numbers."""
    mode = "configuration" if rule == "maxvol_configuration" else "neighborhood"
    same = {"committee": "uncertainty", "half_random": "maxvol"}
    name = same.get(rule, rule.split("_", maxsplit=1)[0])
    if rule == "farthest_points":
        name = rule
    # a rank-revealing volume grows above 1; lower thresholds would fill up with what adds nothing
    threshold = 1.0 + 1e-7 if name == "maxvol" else None
    return name, RuleSettings(mode=mode, threshold=threshold, entry=threshold)


def committee_grader(
    potential: MomentTensorPotential, training: Configurations, seed: int
) -> CommitteeGrader:
    """Return what grades by members fitted to bootstrap samples."""
    settings = TrainingSettings(
        weights=WEIGHTS,
        max_iterations=MOST_ITERATIONS,
        seed=seed,
        committee=CommitteeSettings(members=MEMBERS, random_starts=False),
    )
    trained = train_potential(training, initial=potential, settings=settings)
    return CommitteeGrader([one.potential for one in trained.committee])


def choose_by(rule: str, pool: Configurations, seed: int) -> Any:
    """Return what chooses from the pool by a rule; where it finds too few, random ones fill up."""
    left = np.ones(len(pool), dtype=bool)
    rng = np.random.default_rng([seed, RULES.index(rule)])
    name, settings = settings_of(rule)

    def choose(potential: MomentTensorPotential, training: Configurations, turn: int) -> Any:
        remaining = np.flatnonzero(left)
        grader = committee_grader(potential, training, seed) if rule == "committee" else None
        selector = make_selector(
            name, training=training, potential=potential, grader=grader, settings=settings
        )
        limit = PER_TURN // 2 if rule == "half_random" else PER_TURN
        picked = selector.select(pool.select(remaining), limit=limit, rng=rng)
        chosen = list(remaining[picked.indices])
        others = [index for index in remaining if index not in set(chosen)]
        chosen += list(rng.permutation(others)[: PER_TURN - len(chosen)])
        left[chosen] = False
        choose.filled[turn] = PER_TURN - len(picked.indices)  # type: ignore[attr-defined]
        return pool.select(np.array(chosen))

    choose.filled = {}  # type: ignore[attr-defined]
    return choose


def run_seed(teacher: Teacher, seed: int) -> dict[str, Any]:
    """Let every rule choose from one pool."""
    rng = np.random.default_rng(seed)
    training = first_training(teacher, rng)
    pool = candidates(teacher, rng, each=EACH, rare=RARE)
    frozen = np.random.default_rng(10_000 + seed)
    tests = {"gentle": gentle_set(teacher, frozen), "difficult": difficult_set(teacher, frozen)}
    result: dict[str, Any] = {"seed": seed, "pool": len(pool), "curves": {}, "filled_up": {}}
    for rule in RULES:
        begun = time.process_time()
        choose = choose_by(rule, pool, seed)
        curve = learn(teacher, training, tests, choose, labels=LABELS, seed=seed)
        result["curves"][rule] = curve
        result["filled_up"][rule] = sum(choose.filled.values())
        seconds, last = time.process_time() - begun, curve[-1]
        told = " ".join(
            f"{name} {last[name]['energy_meV_per_atom']:.2f} meV/atom "
            f"{1e3 * last[name]['forces_eV_per_A']:.1f} meV/A;"
            for name in tests
        )
        print(f"{teacher.name} seed {seed} {rule}: {told} {seconds:.0f} CPU-s", flush=True)
    return result


def compare(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the summary of all rules, over random selection and over MAXVOL in both modes."""
    others = ("maxvol_configuration", "maxvol_neighborhood")
    return summarize(results, RULES, reference="random", others=others)


def main() -> None:
    """Measure, print, write."""
    run_seeds(
        __doc__,
        run_seed=run_seed,
        summarize=compare,
        tell=lambda summary: summary["lines"],
        draw=lambda results, path, teacher: draw(
            results,
            RULES,
            path,
            reference="random",
            title=f"Selection, {teacher.element}, teacher {teacher.name}",
        ),
    )


if __name__ == "__main__":
    main()
