# SPDX-License-Identifier: MIT
"""Does a bias find what teaches a potential more? Dynamics of EMT copper with and without one.

A level-8 potential and five members of a committee are fitted to ten rattled perfect crystals of 32
atoms. Molecular dynamics at 300 K (four chains of 200 steps of 2 fs) follows the potential alone,
or with the bias on the spread of the committee, or on the extrapolation grade (hyperactive, share
0.3 of the forces). Of each of the three, 16 frames are labelled: at equal intervals, or those that
the committee disagrees about most, 50 fs apart. The potential is fitted once more from where it
stands. It is tested where it never was: 40 cells
strained by up to 5 %, every other one with a vacancy. All three have the same steps, the same
number of labels, starts and random numbers. Prints a line for each way, and JSON:

``python benchmarks/exploration/bias_dynamics.py [--seeds 5] [--pick even|uncertain] ...``.
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
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
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

LATTICE_A = 3.5898
LEVEL, CUTOFF, CLOSEST_A = 8, 5.0, 1.9
CHAINS, STEPS, LABELS, EVERY = 4, 200, 16, 5
APART = 5
WAYS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "committee": {"kind": "committee", "tau_rel": 0.3, "tau_hist": 20},
    "grade": {"kind": "grade", "tau_rel": 0.3, "tau_hist": 20},
}
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


def label(cells: list[Atoms]) -> Configurations:
    """Return the cells with labels of EMT."""
    labelled = []
    for one in cells:
        cell = one.copy()
        cell.calc = EMT()
        values = {
            name: cell.calc.get_property(name, cell) for name in ("energy", "forces", "stress")
        }
        cell.calc = SinglePointCalculator(cell, **values)
        labelled.append(cell)
    return Configurations.from_atoms(labelled)


def crystal() -> Atoms:
    """Return 32 atoms of fcc copper on their sites."""
    return bulk("Cu", a=LATTICE_A, cubic=True) * (2, 2, 2)


def rattled(
    count: int, amplitude: float, rng: np.random.Generator, *, strain: float = 0.0
) -> list[Atoms]:
    """Return rattled crystals; strained ones have a vacancy in every other cell."""
    cells = []
    for number in range(count):
        cell = crystal()
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


def explore(model: Model, way: str, seed: int) -> list[Atoms]:
    """Return every fifth frame of the chains, with what stops a chain by default in force."""
    starts = []
    for number in range(CHAINS):
        start = crystal()
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


def run_seed(seed: int, rule: str = "even") -> dict[str, dict[str, float]]:
    """Return the figures of each way for one seed."""
    rng = np.random.default_rng(seed)
    training = label(rattled(10, 0.08, rng))
    test = label(rattled(40, 0.05, rng, strain=0.05))
    settings = TrainingSettings(seed=seed, max_iterations=40, committee=CommitteeSettings(5))
    model = first_model(training, settings)
    grader = CommitteeGrader(model.members)
    results = {}
    for way in WAYS:
        frames = explore(model, way, seed)
        seen = Configurations.from_atoms(frames)
        deviations = grader.energy_deviations(seen)
        chosen = pick(deviations, rule)
        more = concatenate([training, label([frames[one] for one in chosen])])
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
    """Return means, and ratios to no bias with their 95 % intervals (of logarithms, by seed)."""
    summary: dict[str, Any] = {}
    for way in WAYS:
        entry: dict[str, Any] = {}
        for figure in FIGURES:
            values = np.array([run[way][figure] for run in runs])
            logs = np.log(values / np.array([run["none"][figure] for run in runs]))
            half = 0.0
            if len(runs) > 1:
                half = student.ppf(0.975, len(runs) - 1) * logs.std(ddof=1) / np.sqrt(len(runs))
            entry[figure] = {
                "mean": float(values.mean()),
                "ratio": float(np.exp(logs.mean())),
                "interval": [float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))],
                "seeds_below_none": int((logs < 0).sum()),
            }
        summary[way] = entry
    return summary


def plot(runs: list[dict[str, dict[str, float]]], path: Path) -> None:
    """Draw what each way saw against the error after one refit, seed by seed."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5.0, 3.6), layout="constrained")
    for way, marker in zip(WAYS, "os^", strict=True):
        x = [run[way]["mean_sigma_eV"] * 1e3 for run in runs]
        y = [run[way]["force_rmse_eV_per_A"] * 1e3 for run in runs]
        axes.plot(x, y, marker, label=f"bias: {way}")
    for run in runs:
        pairs = [(run[w]["mean_sigma_eV"] * 1e3, run[w]["force_rmse_eV_per_A"] * 1e3) for w in WAYS]
        axes.plot(*zip(*pairs, strict=True), color="0.8", zorder=0)
    axes.set_xlabel("mean spread of the committee on the way, meV")
    axes.set_ylabel("force RMSE after one refit, meV/Å")
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run all seeds and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pick", choices=("even", "uncertain"), default="even")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    runs = []
    for seed in range(given.seeds):
        runs.append(run_seed(seed, given.pick))
        print(f"seed {seed}: " + json.dumps(runs[-1]), flush=True)
    summary = compare(runs)
    for way, entry in summary.items():
        sigma, force = entry["mean_sigma_eV"], entry["force_rmse_eV_per_A"]
        low, high = force["interval"]
        print(
            f"{way}: mean spread x {sigma['ratio']:.2f}, "
            f"force RMSE {force['mean'] * 1e3:.2f} meV/A, "
            f"x {force['ratio']:.3f} [{low:.3f}, {high:.3f}] of no bias, below it for "
            f"{force['seeds_below_none']} of {len(runs)} seeds"
        )
    if given.json:
        given.json.write_text(json.dumps({"seeds": runs, "summary": summary}, indent=1) + "\n")
    if given.plot:
        plot(runs, given.plot)


if __name__ == "__main__":
    main()
