# SPDX-License-Identifier: MIT
"""What active learning buys is reliability: the largest true force error met in long dynamics.

A crystal and a vacancy at 300 to 1200 K, each for many steps, with potentials of one form that were
given equally many labels: ``passive`` ones are frames drawn at random from dynamics of the teacher
at the same temperatures (more than one can hope for in practice: the teacher's dynamics is the
expensive part), ``active`` ones are what the loop found extrapolating in dynamics of the
potential itself. Each trajectory runs without a stop, and is read once more as far as grade
control would have let it go on. True errors are differences to the teacher on every tenth frame.

First the toy of one dimension: x^2 + x^3 exp(-x^2/2) fitted by c1 x^2 + c2 x^3 on [-2, 2], by least
squares to all points or through the two that are D-optimal. Prints lines, and JSON:

``python -m benchmarks.exploration.reliability [--teacher mtp --data FOLDER] [--seeds 5]
[--json FILE] [--plot FILE]``
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling.driver import SampleResult, run_sampler
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.registry import make_sampler
from aiida_alpot.sampling.stopping import Observation, StopRules
from aiida_alpot.selection import select

from .curves import draw_by_seed
from .learning import MIN_DISTANCE, MOST_ITERATIONS, WEIGHTS, interval
from .pools import first_training, parents, trajectory
from .seeds import run_seeds
from .teachers import Teacher

TEMPERATURES = (300.0, 600.0, 900.0, 1200.0)  # K
STARTS = ("bulk", "vacancy")
STEPS_TO_LEARN, STEPS_TO_JUDGE = 2000, 20000
GAMMA_SELECT, GAMMA_BREAK = 2.0, 10.0
EVERY = 10
PER_TURN, MOST_TURNS = 10, 20
BROKEN = 100.0  # eV/A; a trajectory that has left all sense counts with this error


def fitted(training: Configurations, teacher: Teacher, seed: int) -> MomentTensorPotential:
    """Return a potential fitted to a training set, from its start."""
    start = start_potential(
        training, level=teacher.level, cutoff=teacher.cutoff, min_distance=MIN_DISTANCE, seed=seed
    )
    found = fit_potential(
        training, initial=start, weights=WEIGHTS, max_iterations=3 * MOST_ITERATIONS, seed=seed
    )
    return found.potential


def explore(
    potential: MomentTensorPotential,
    training: Configurations,
    teacher: Teacher,
    rng: np.random.Generator,
    *,
    steps: int,
    gamma_break: float | None,
    observe: Any = None,
) -> list[SampleResult]:
    """Run dynamics at each temperature from each start, graded by the active set."""
    calculator = MTP(potential, active_set=build_active_set(potential, training))
    chosen = [parents(teacher)[name] for name in STARTS]
    for atoms, name in zip(chosen, STARTS, strict=True):
        atoms.info["identifier"] = name
    rules = StopRules(gamma_break=gamma_break, max_energy_change=None)
    results = []
    for temperature in TEMPERATURES:
        settings = {"temperature_K": temperature, "steps": steps, "timestep_fs": 3.0}
        results.append(
            run_sampler(
                make_sampler("molecular_dynamics", settings),
                chosen,
                calculator,
                rng=rng,
                stop_rules=rules,
                record_rules=RecordRules(gamma_select=GAMMA_SELECT),
                observe=None if observe is None else lambda seen, at=temperature: observe(at, seen),
            )
        )
    return results


def learn_on_the_fly(
    teacher: Teacher, training: Configurations, rng: np.random.Generator, seed: int
) -> tuple[Configurations, MomentTensorPotential, int]:
    """Explore, select, label and fit until no frame extrapolates; return set, potential, turns."""
    potential = fitted(training, teacher, seed)
    for turn in range(MOST_TURNS):
        results = explore(
            potential, training, teacher, rng, steps=STEPS_TO_LEARN, gamma_break=GAMMA_BREAK
        )
        found = [one.frames for one in results if len(one.frames)]
        if not found:
            return training, potential, turn
        pool = concatenate(found)
        chosen = select(
            potential, pool, training=training, threshold=GAMMA_SELECT, limit=PER_TURN
        ).indices
        if not len(chosen):
            return training, potential, turn
        frames = [pool.atoms(int(index)) for index in chosen]
        training = concatenate([training, teacher.label(frames)])
        potential = fitted(training, teacher, seed)
    return training, potential, MOST_TURNS


def passive_set(
    teacher: Teacher, training: Configurations, labels: int, rng: np.random.Generator
) -> Configurations:
    """Return the first set with random frames of dynamics of the teacher, ``labels`` in all."""
    frames = [
        frame
        for name in STARTS
        for temperature in TEMPERATURES
        for frame in trajectory(parents(teacher)[name], teacher, temperature, 40, rng)
    ]
    drawn = rng.choice(len(frames), labels - len(training), replace=False)
    return concatenate([training, teacher.label([frames[index] for index in drawn])])


def judge(
    potential: MomentTensorPotential,
    training: Configurations,
    teacher: Teacher,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the true errors of long dynamics, with and without grade control."""
    truth = teacher.make_calculator()
    seen_errors: dict[tuple[float, str], list[tuple[float, float]]] = {}

    def observe(temperature: float, seen: Observation) -> None:
        if seen.step % EVERY:
            return
        atoms = seen.atoms.copy()
        atoms.calc = truth
        difference = np.linalg.norm(atoms.get_forces() - seen.forces, axis=1).max()
        seen_errors.setdefault((temperature, seen.chain), []).append((seen.grade, difference))

    results = explore(
        potential, training, teacher, rng, steps=STEPS_TO_JUDGE, gamma_break=None, observe=observe
    )
    stops = [chain.stop for one in results for chain in one.chains]
    whole = [min(error, BROKEN) for row in seen_errors.values() for _, error in row]
    controlled = []
    let_go = 0
    for row in seen_errors.values():
        grades = np.array([grade for grade, _ in row])
        end = int(np.argmax(grades > GAMMA_BREAK)) if (grades > GAMMA_BREAK).any() else len(row)
        let_go += end
        controlled += [min(error, BROKEN) for _, error in row[:end]]
    broken = sum(stop != "finished" for stop in stops)
    return {
        "largest_error": BROKEN if broken else max(whole),
        "largest_error_controlled": max(controlled, default=0.0),
        "rms_of_largest_errors": float(np.sqrt(np.mean(np.square(whole)))),
        "broken_trajectories": broken,
        "share_let_go": let_go / len(whole),
        "largest_grade": float(max(chain.largest_grade for one in results for chain in one.chains)),
    }


def run_seed(teacher: Teacher, seed: int) -> dict[str, Any]:
    """Learn both ways with as many labels, and judge both."""
    rng = np.random.default_rng(seed)
    first = first_training(teacher, rng)
    training, active, turns = learn_on_the_fly(teacher, first, rng, seed)
    random_set = passive_set(teacher, first, len(training), rng)
    passive = fitted(random_set, teacher, seed)
    result: dict[str, Any] = {"seed": seed, "labels": len(training), "turns": turns}
    for name, potential, known in (
        ("passive", passive, random_set),
        ("active", active, training),
    ):
        result[name] = judge(potential, known, teacher, np.random.default_rng(20_000 + seed))
        one = result[name]
        print(
            f"{teacher.name} seed {seed} {name}: {len(training)} labels; largest true force error "
            f"{one['largest_error']:.3f} eV/A, with grade control "
            f"{one['largest_error_controlled']:.3f} on {100 * one['share_let_go']:.0f} % of the "
            f"frames; {one['broken_trajectories']} of {len(STARTS) * len(TEMPERATURES)} broken",
            flush=True,
        )
    return result


def toy(half_width: float = 2.0) -> dict[str, Any]:
    """Return root mean square and largest errors of the fit of one dimension, and its points."""
    x = np.linspace(-half_width, half_width, 401)
    wanted, basis = x**2 + x**3 * np.exp(-(x**2) / 2), np.stack([x**2, x**3], axis=1)
    determinants = np.abs(np.outer(basis[:, 0], basis[:, 1]) - np.outer(basis[:, 1], basis[:, 0]))
    chosen = np.unravel_index(int(np.argmax(determinants)), determinants.shape)
    ways = {
        "passive": np.linalg.lstsq(basis, wanted, rcond=None)[0],
        "active": np.linalg.solve(basis[list(chosen)], wanted[list(chosen)]),
    }
    found: dict[str, Any] = {"points": sorted(float(x[index]) for index in chosen)}
    for name, coefficients in ways.items():
        residual = wanted - basis @ coefficients
        found[name] = {
            "rms": round(float(np.sqrt(np.mean(residual**2))), 3),
            "largest": round(float(np.abs(residual).max()), 3),
        }
    return found


def summarize(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return means over the seeds with 95 % intervals."""
    names = ("largest_error", "largest_error_controlled", "rms_of_largest_errors")
    summary: dict[str, Any] = {"toy": toy(), "labels": [one["labels"] for one in results]}
    for way in ("passive", "active"):
        summary[way] = {name: interval([one[way][name] for one in results]) for name in names}
        summary[way]["broken"] = sum(one[way]["broken_trajectories"] for one in results)
    ratios = [one["passive"]["largest_error"] / one["active"]["largest_error"] for one in results]
    summary["passive_over_active"] = interval(ratios)
    return summary


def draw(results: list[dict[str, Any]], path: Path, teacher: Teacher) -> None:
    """Draw the largest error of each seed, both ways, with and without control; a line a seed."""
    bars = [
        (way, name, label)
        for way in ("passive", "active")
        for name, label in (
            ("largest_error", way),
            ("largest_error_controlled", f"{way},\ngrade control"),
        )
    ]
    errors = {one["seed"]: [one[way][name] for way, name, _ in bars] for one in results}
    draw_by_seed(
        errors,
        [label for *_, label in bars],
        path,
        title=f"{teacher.element}, teacher {teacher.name}",
        what="largest true force error in dynamics, eV/A",
    )


def tell(summary: dict[str, Any]) -> Iterator[str]:
    """Yield a line for the toy, and one for the dynamics."""
    ratio = summary["passive_over_active"]
    yield f"toy: {summary['toy']}"
    yield (
        f"largest true force error, passive over active: {ratio['mean']:.2f} "
        f"({ratio['low']:.2f}-{ratio['high']:.2f}); {json.dumps(summary['active'])}"
    )


def main() -> None:
    """Measure, print, write."""
    run_seeds(
        __doc__,
        run_seed=run_seed,
        summarize=summarize,
        tell=tell,
        draw=draw,
    )


if __name__ == "__main__":
    main()
