# SPDX-License-Identifier: MIT
"""Which sampler teaches most per label: dynamics, contour exploration, saddles, relaxation.

The protocol of Waters and Rondinelli: in each loop every scheme starts from the same number of
derived structures (strained, sheared, displaced, in an alloy with exchanged species), explores with
the potential as it is, and of each exploration the frame of the largest grade is labelled whose
predicted forces stay below 25 eV/A. All schemes begin with the same relaxation trajectories and get
as many labels; with ``biased`` they also climb the extrapolation grade. Of a saddle search, which
has no bias of its own, that is the search on the biased surface U - alpha B. Two ways without
exploration say what it is worth: ``derived`` labels the derived structures themselves, and
``random`` any frame of the dynamics. Judged on frozen sets: gentle (relaxation trajectories of
other structures) and difficult (derived structures), by errors, by angles between true and
predicted forces, and by barriers of vacancy jumps. Prints a line for each scheme, and JSON:

``python -m benchmarks.exploration.samplers [--teacher emt] [--seeds 5] [--json FILE] [--plot
FILE]``; EMT teaches Cu-Au, ``--teacher mtp --data FOLDER`` the published potential of Ni. Schemes
that a seed of FILE lacks are run for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.optimize import BFGS

from aiida_alpot.bias.from_settings import make_biased
from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling.bias_settings import BiasSettings
from aiida_alpot.sampling.driver import run_sampler
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.registry import make_sampler
from aiida_alpot.sampling.stopping import StopRules

from .barriers import Barrier, barrier_error, vacancy_jumps
from .curves import FIGURE, TESTS, draw, summarize
from .learning import interval, labelling, learn
from .pools import SMALLEST, deformed
from .seeds import run_seeds
from .teachers import Teacher

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamics": ("molecular_dynamics", {"temperature_K": 1000.0, "steps": 400, "timestep_fs": 3.0}),
    "contour": (
        "contour_exploration",
        {
            "steps": 120,
            "energy_above_start_eV_per_atom": 0.1,
            "max_step_A": 0.1,
            "step_of": "each_atom",
        },
    ),
    "saddle": ("saddle_search", {}),
    "relaxation": ("relaxation", {"steps": 80, "fmax": 0.01}),
}
BIASES: dict[str, dict[str, Any]] = {
    "dynamics": {"kind": "grade", "tau_rel": 0.2},
    "contour": {"kind": "grade", "gamma": 0.5},
    "saddle": {"kind": "grade", "alpha": 0.5},
    "relaxation": {"kind": "grade", "alpha": 0.5},
}
SCHEMES = (
    "random",
    "derived",
    *KINDS,
    *(f"{name}_biased" for name in BIASES),
)
FURTHER: dict[str, Callable[[dict[str, Any]], float]] = {
    "angle_gentle_deg": lambda last: last["angle_deg"]["gentle"],
    "angle_difficult_deg": lambda last: last["angle_deg"]["difficult"],
    "barriers_meV": lambda last: last["barriers_meV"],
}
STARTS_PER_TURN, TURNS = 8, 6
LARGEST_FORCE = 25.0  # eV/A, predicted
SECOND = {"emt": "Au"}  # the alloy's other metal
MIXED_LATTICE = {"emt": 3.83}


def parents(teacher: Teacher) -> list[Atoms]:
    """Return ordered fcc cells of 4 to 16 atoms, of the alloy where there is one."""
    other = SECOND.get(teacher.name)
    lattice = MIXED_LATTICE.get(teacher.name, teacher.lattice)
    cell = bulk(teacher.element, "fcc", a=lattice, cubic=True)
    if other is None:
        slab = cell.repeat((1, 1, 2))
        vacancy = cell.repeat((2, 2, 1))
        del vacancy[0]
        return [cell, slab, vacancy]
    found = []
    for replaced in ([], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3]):
        one = cell.copy()
        for index in replaced:
            one.symbols[index] = other
        one.set_cell(one.cell * (0.94 + 0.03 * len(replaced)), scale_atoms=True)
        found.append(one.repeat((1, 1, 2)))
    return found


def derive(teacher: Teacher, rng: np.random.Generator, count: int) -> list[Atoms]:
    """Return derived structures as the deck makes them, none with overlapping atoms."""
    chosen, made = parents(teacher), []
    limit = SMALLEST * teacher.lattice / np.sqrt(2)
    other = SECOND.get(teacher.name)
    while len(made) < count:
        parent = chosen[rng.integers(len(chosen))]
        one = deformed(
            parent, rng, volume=(-0.05, 0.1), shape=0.15, displacement=0.15, deletion=0.05
        )
        if other is not None:
            swapped = rng.uniform(size=len(one)) < 0.25
            species = np.array([teacher.element, other])
            one.symbols[swapped] = rng.choice(species, int(swapped.sum()))
        distances = one.repeat(2).get_all_distances(mic=True)
        if len(one) > 1 and distances[np.triu_indices(len(distances), 1)].min() > limit:
            one.info["identifier"] = f"derived {len(made)}"
            made.append(one)
    return made


def relaxation_frames(teacher: Teacher, structures: Sequence[Atoms], each: int) -> list[Atoms]:
    """Return frames of relaxations by the teacher, spread over each of them."""
    frames = []
    for start in structures:
        moved = start.copy()
        moved.calc = teacher.make_calculator()
        seen: list[Atoms] = []
        for _ in BFGS(moved, logfile=None).irun(fmax=0.02, steps=60):
            copy = moved.copy()
            copy.calc = None
            seen.append(copy)
        chosen = np.unique(np.linspace(0, len(seen) - 1, each).round().astype(int))
        frames += [seen[index] for index in chosen]
    return frames


def explore(
    scheme: str,
    teacher: Teacher,
    potential: MomentTensorPotential,
    training: Configurations,
    rng: np.random.Generator,
) -> list[Atoms]:
    """Return one frame of each exploration."""
    starts = derive(teacher, rng, STARTS_PER_TURN)
    if scheme == "derived":
        return starts
    name = "dynamics" if scheme == "random" else scheme.removesuffix("_biased")
    kind, settings = KINDS[name]
    bias = BIASES[name] if scheme.endswith("_biased") else None
    # a saddle search takes the biased surface as it is
    has_key = bias is not None and name != "saddle"
    sampler = make_sampler(kind, {**settings, "bias": bias} if has_key else settings)
    calculator: Any = MTP(potential, active_set=build_active_set(potential, training))
    calculator = make_biased(calculator, None if bias is None else BiasSettings(**bias))
    everything = scheme == "random"
    found = run_sampler(
        sampler,
        starts,
        calculator,
        rng=rng,
        stop_rules=StopRules(gamma_break=None),
        record_rules=RecordRules(gamma_select=1e-6, every=1, growth=1.0, max_frames=1000),
    ).frames
    return [
        chosen
        for start in starts
        if (chosen := choose(found, start, potential, rng, at_random=everything)) is not None
    ]


def choose(
    found: Configurations,
    start: Atoms,
    potential: MomentTensorPotential,
    rng: np.random.Generator,
    *,
    at_random: bool,
) -> Atoms | None:
    """Return the frame of a chain with the largest grade and forces in bounds, or any of them."""
    mine = np.flatnonzero(found.chain == start.info["identifier"])
    order = rng.permutation(mine) if at_random else mine[np.argsort(-found.grade[mine])]
    for index in order:
        frame = found.select(np.array([index]))
        forces = evaluate(potential, frame).forces
        if np.linalg.norm(forces, axis=1).max() < LARGEST_FORCE:
            return found.atoms(int(index))
    return None


def run_seed(teacher: Teacher, seed: int, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Let every scheme learn from the same start; those that ``known`` tells of are not run."""
    rng = np.random.default_rng(seed)
    training = teacher.label(relaxation_frames(teacher, derive(teacher, rng, 4), 3))
    frozen = np.random.default_rng(10_000 + seed)
    tests: Mapping[str, Configurations] = {
        "gentle": teacher.label(relaxation_frames(teacher, derive(teacher, frozen, 12), 4)),
        "difficult": teacher.label(derive(teacher, frozen, 50)),
    }
    second, lattice = SECOND.get(teacher.name), MIXED_LATTICE.get(teacher.name, teacher.lattice)
    barriers = vacancy_jumps(teacher, other=second, lattice=lattice)
    result = known or {"seed": seed, "curves": {}, "seconds": {}}
    for scheme in (scheme for scheme in SCHEMES if scheme not in result["curves"]):
        # the same derived structures for all
        generator = np.random.default_rng([seed, 1])
        next_labels = labelling(teacher, partial(explore, scheme, teacher), generator)
        begun = time.process_time()
        labels = len(training) + STARTS_PER_TURN * TURNS
        judge = partial(judge_further, tests=tests, barriers=barriers)
        curve = learn(teacher, training, tests, next_labels, labels=labels, seed=seed, at_end=judge)
        result["curves"][scheme] = curve
        result["seconds"][scheme] = round(time.process_time() - begun, 1)
        last = curve[-1]
        told = "; ".join(
            f"{name} {last[name]['energy_meV_per_atom']:.2f} meV/atom "
            f"{1e3 * last[name]['forces_eV_per_A']:.1f} meV/A"
            for name in tests
        )
        print(f"{teacher.name} seed {seed} {scheme}: {last['labels']} labels; {told}", flush=True)
    return result


def judge_further(
    potential: MomentTensorPotential,
    *,
    tests: Mapping[str, Configurations],
    barriers: list[Barrier],
) -> dict[str, Any]:
    """Return angles between true and predicted forces, and the error of barriers."""
    angles = {
        name: errors(one, predict(potential, one)).forces_angle for name, one in tests.items()
    }
    return {"angle_deg": angles, "barriers_meV": barrier_error(potential, barriers)}


def compare(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the summary of all schemes, and errors with a bias over those without it."""
    others = ("derived", "dynamics")
    summary = summarize(results, SCHEMES, reference="random", others=others)
    for name in BIASES:
        found = {}
        for test in TESTS:
            pairs = [
                [one["curves"][scheme][-1][test][FIGURE] for scheme in (f"{name}_biased", name)]
                for one in results
            ]
            found[test] = interval([biased / plain for biased, plain in pairs])
        summary[f"{name}_biased_over_plain"] = found
        told = "; ".join(
            f"{test} {one['mean']:.2f} ({one['low']:.2f}-{one['high']:.2f})"
            for test, one in found.items()
        )
        summary["lines"].append(f"force errors of {name} with a bias over those without: {told}")
    summary |= compare_further(results)
    return summary


def compare_further(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return angles and errors of barriers, and over those of ``random`` or without a bias."""
    summary: dict[str, Any] = {"further": {}}
    for scheme in SCHEMES:
        base = scheme.removesuffix("_biased") if scheme.endswith("_biased") else "random"
        found = {}
        for name, figure in FURTHER.items():
            mine, theirs = (
                [figure(one["curves"][way][-1]) for one in results] for way in (scheme, base)
            )
            ratios = [own / other for own, other in zip(mine, theirs, strict=True)]
            found[name] = {"mean": interval(mine), f"over_{base}": interval(ratios)}
        summary["further"][scheme] = found
    return summary


def main() -> None:
    """Measure, print, write."""
    run_seeds(
        __doc__,
        run_seed=run_seed,
        ways=SCHEMES,
        summarize=compare,
        tell=lambda summary: summary["lines"],
        draw=lambda results, path, teacher: draw(
            results,
            SCHEMES,
            path,
            reference="random",
            title=f"Samplers, {teacher.element}{SECOND.get(teacher.name, '')}, teacher "
            f"{teacher.name}",
        ),
    )


if __name__ == "__main__":
    main()
