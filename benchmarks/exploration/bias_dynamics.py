# SPDX-License-Identifier: MIT
"""Does a bias find what teaches a potential more? Dynamics of a metal with and without one.

A level-8 potential and five members of a committee are fitted to ten rattled perfect crystals of 32
atoms. Molecular dynamics at 300 K (four chains of 200 steps of 2 fs) follows the potential alone,
or with the bias on the spread of the committee, or on the extrapolation grade (hyperactive, share
0.3 of the forces). Of each of the three, 16 frames are labelled: at equal intervals, or those that
the committee disagrees about most, 50 fs apart. The potential is fitted once more from where it
stands. It is tested where it never was: 40 cells
strained by up to 5 %, every other one with a vacancy. All three have the same steps, the same
number of labels, starts and random numbers. The teacher is EMT copper, or the published potential
of nickel that a potential of level 8 cannot become, with noise. Prints a line for each way, for the
grade over the committee, and JSON:

``python -m benchmarks.exploration.bias_dynamics [--seeds 5] [--pick even|uncertain] [--teacher mtp
--data FOLDER] ...``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from scipy.stats import t as student

from aiida_alpot.bias import make_biased
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.start import start_potential, warm_start
from aiida_alpot.fitting.training import TrainingSettings, train_potential
from aiida_alpot.grading import ActiveSet, build_active_set
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.committee_calculator import CommitteeMTP
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling import RecordRules, StopRules, make_sampler, run_sampler

from .teachers import NAMES, Teacher, make_teacher

LATTICES_A = {"emt": 3.5898, "mtp": 3.52}
LEVEL, CUTOFF, CLOSEST_A = 8, 5.0, 1.9
CHAINS, STEPS, LABELS, EVERY = 4, 200, 16, 5
APART = 5
WAYS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "committee": {"kind": "committee", "tau_rel": 0.3, "tau_hist": 20},
    "grade": {"kind": "grade", "tau_rel": 0.3, "tau_hist": 20},
}
TICKS = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
FINE_TICKS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)
FINEST_TICKS = (0.96, 0.98, 1.0, 1.02, 1.04)
FIGURES = ("mean_sigma_eV", "mean_grade", "force_rmse_eV_per_A", "energy_rmse_meV_per_atom")


@dataclass(frozen=True)
class Model:
    """A potential with what tells how uncertain it is."""

    training: Configurations
    potential: MomentTensorPotential
    members: tuple[MomentTensorPotential, ...]
    active_set: ActiveSet

    def calculator(self, way: str) -> Any:
        """Return what moves the atoms in a way, graded by what drives it."""
        if way == "grade":
            return MTP(self.potential, active_set=self.active_set)
        return CommitteeMTP(self.potential, self.members)


def crystal(teacher: Teacher) -> Atoms:
    """Return 32 atoms of the fcc metal on their sites."""
    return bulk(teacher.element, "fcc", a=LATTICES_A[teacher.name], cubic=True) * (2, 2, 2)


def rattled(
    teacher: Teacher,
    count: int,
    amplitude: float,
    rng: np.random.Generator,
    *,
    strain: float = 0.0,
) -> list[Atoms]:
    """Return rattled crystals; strained ones have a vacancy in every other cell."""
    cells = []
    for number in range(count):
        cell = crystal(teacher)
        if strain and number % 2:
            del cell[int(rng.integers(len(cell)))]
        shape = rng.uniform(-strain, strain, (3, 3)) if strain else np.zeros((3, 3))
        cell.set_cell(cell.cell.array @ (np.eye(3) + (shape + shape.T) / 2), scale_atoms=True)
        cell.positions += rng.normal(0.0, amplitude, cell.positions.shape)
        cells.append(cell)
    return cells


def first_model(training: Configurations, settings: TrainingSettings) -> Model:
    """Fit a potential and its committee to the first cells."""
    initial = start_potential(
        training, level=LEVEL, cutoff=CUTOFF, min_distance=CLOSEST_A, seed=settings.seed
    )
    trained = train_potential(training, initial=initial, settings=settings)
    potential = trained.fit.potential
    members = tuple(one.potential for one in trained.committee)
    return Model(training, potential, members, build_active_set(potential, training))


def explore(teacher: Teacher, model: Model, way: str, seed: int) -> list[Atoms]:
    """Return every fifth frame of the chains, with what stops a chain by default in force."""
    starts = []
    for number in range(CHAINS):
        start = crystal(teacher)
        start.info["identifier"] = f"chain {number}"
        starts.append(start)
    settings = {"temperature_K": 300.0, "steps": STEPS, "bias": WAYS[way]}
    sampler = make_sampler("molecular_dynamics", settings)
    frames: list[Atoms] = []

    def keep(seen: Any) -> None:
        if seen.step and seen.step % EVERY == 0:
            atoms = seen.atoms
            frames.append(Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True))

    run_sampler(
        sampler,
        starts,
        make_biased(model.calculator(way), sampler.settings.bias),
        rng=np.random.default_rng(seed + 100),
        stop_rules=StopRules(gamma_break=None),
        record_rules=RecordRules(gamma_select=1e9),
        observe=keep,
    )
    return frames


def pick(deviations: np.ndarray, rule: str) -> np.ndarray:
    """Return the frames that are labelled; no two of one chain within 25 steps if by deviation."""
    if rule == "even":
        return np.linspace(0, len(deviations) - 1, LABELS).astype(int)
    chosen: list[int] = []
    for place in np.argsort(-deviations, kind="stable").tolist():
        if all(abs(place - other) >= APART for other in chosen):
            chosen.append(place)
    return np.array(chosen[:LABELS])


def run_seed(teacher: Teacher, seed: int, rule: str = "even") -> dict[str, dict[str, float]]:
    """Return the figures of each way for one seed."""
    rng = np.random.default_rng(seed)
    training = teacher.label(rattled(teacher, 10, 0.08, rng))
    test = teacher.label(rattled(teacher, 40, 0.05, rng, strain=0.05))
    settings = TrainingSettings(seed=seed, max_iterations=40, committee=CommitteeSettings(5))
    model = first_model(training, settings)
    grader = CommitteeGrader(model.members)
    results = {}
    for way in WAYS:
        frames = explore(teacher, model, way, seed)
        seen = Configurations.from_atoms(frames)
        deviations = grader.energy_deviations(seen)
        chosen = pick(deviations, rule)
        more = concatenate([training, teacher.label([frames[one] for one in chosen])])
        refitted = train_potential(
            more, initial=warm_start(model.potential), settings=replace(settings, committee=None)
        ).fit.potential
        found = errors(test, predict(refitted, test)).as_dict()
        results[way] = {
            "frames": len(frames),
            "mean_sigma_eV": float(deviations.mean()),
            "mean_grade": _mean_grade(model, seen),
            "force_rmse_eV_per_A": found["forces"]["rmse_eV_per_A"],
            "energy_rmse_meV_per_atom": found["energy"]["rmse_meV_per_atom"],
        }
    return results


def _mean_grade(model: Model, configurations: Configurations) -> float:
    from aiida_alpot.grading import ExtrapolationGrader

    grader = ExtrapolationGrader(model.potential, model.active_set)
    return float(grader.grade(configurations).per_configuration.mean())


def compare(runs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return means, ratios to no bias in the same seed, and those of the grade to the committee."""
    return {
        **{way: against(runs, way, "none") for way in WAYS},
        "grade over committee": against(runs, "grade", "committee"),
    }


def against(runs: list[dict[str, dict[str, float]]], way: str, base: str) -> dict[str, Any]:
    """Return means, and ratios to another way with their 95 % intervals (t of the logarithms)."""
    entry: dict[str, Any] = {}
    for figure in FIGURES:
        values = np.array([run[way][figure] for run in runs])
        logs = np.log(values / np.array([run[base][figure] for run in runs]))
        half = 0.0
        if len(runs) > 1:
            half = student.ppf(0.975, len(runs) - 1) * logs.std(ddof=1) / np.sqrt(len(runs))
        entry[figure] = {
            "mean": float(values.mean()),
            "ratio": float(np.exp(logs.mean())),
            "interval": [float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))],
            "seeds_below": int((logs < 0).sum()),
        }
    return entry


def plot(runs: list[dict[str, dict[str, float]]], path: Path, title: str) -> None:
    """Draw what each way saw, and the error after one refit, over those without a bias."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    panels = {
        "mean_sigma_eV": "mean spread of the committee on the way",
        "mean_grade": "mean grade on the way",
        "force_rmse_eV_per_A": "force RMSE after one refit",
    }
    summary = compare(runs)
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.2), layout="constrained", sharey=True)
    names = {"committee": "committee\nover none", "grade": "grade\nover none"}
    names["grade over committee"] = "grade over\ncommittee"
    for panel, (name, words) in zip(axes, panels.items(), strict=True):
        for place, way in enumerate(names):
            base = "committee" if way == "grade over committee" else "none"
            mine = way.removesuffix(" over committee")
            ratios = [run[mine][name] / run[base][name] for run in runs]
            panel.plot(ratios, np.full(len(runs), place + 0.15), "o", ms=3.5, color="0.65")
            found = summary[way][name]
            panel.plot(found["interval"], [place - 0.1] * 2, color=f"C{place}")
            panel.plot(found["ratio"], place - 0.1, "s", color=f"C{place}")
        panel.axvline(1.0, color="0.6", linewidth=0.8, zorder=0)
        panel.set(xscale="log", xlabel=f"{words}, ratio")
        low, high = panel.get_xlim()
        choice = TICKS if high > 2 * low else FINE_TICKS if high > 1.2 * low else FINEST_TICKS
        ticks = [tick for tick in choice if low <= tick <= high]
        panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        panel.set_xticks([], minor=True)
    axes[0].set_yticks(range(len(names)), list(names.values()))
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    figure.suptitle(f"{title}, {len(runs)} seeds (grey), mean and 95 % interval")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the seeds that the file of results lacks, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", choices=NAMES, default="emt")
    parser.add_argument("--data", type=Path, help="folder of the published potentials")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pick", choices=("even", "uncertain"), default="even")
    parser.add_argument("--json", type=Path, help="seeds that it holds are not run again")
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    teacher = make_teacher(given.teacher, data=given.data)
    runs = []
    if given.json and given.json.exists():
        runs = json.loads(given.json.read_text(encoding="utf-8"))["seeds"]
    for seed in range(len(runs), given.seeds):
        runs.append(run_seed(teacher, seed, given.pick))
        print(f"seed {seed}: " + json.dumps(runs[-1]), flush=True)
        if given.json:
            content = {"seeds": runs, "summary": compare(runs)}
            given.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for way, entry in compare(runs).items():
        sigma, force = entry["mean_sigma_eV"], entry["force_rmse_eV_per_A"]
        low, high = force["interval"]
        print(
            f"{way}: mean spread x {sigma['ratio']:.2f}, mean grade x "
            f"{entry['mean_grade']['ratio']:.2f}, force RMSE {force['mean'] * 1e3:.2f} meV/A, "
            f"x {force['ratio']:.3f} [{low:.3f}, {high:.3f}], lower for "
            f"{force['seeds_below']} of {len(runs)} seeds"
        )
    if given.plot:
        plot(runs, given.plot, f"Bias in dynamics, {teacher.element}, teacher {teacher.name}")


if __name__ == "__main__":
    main()
