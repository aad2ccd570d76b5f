# SPDX-License-Identifier: MIT
"""Nearsighted training of a platinum cluster of 260 atoms, with EMT as the reference.

A committee is fitted to 20 small bulk cells, then learns rattled Pt260 from chunks alone: the most
uncertain atoms are carved out, EMT labels the chunk, and the force on its central atom is trained
on. Told are, for each iteration, chunks, uncertainty delta = 2.58 sigma and true errors; in the end
how many atoms are within their delta, the relaxed energy, and the errors on larger clusters that
were never seen. Prints a line for each iteration, and JSON:

``python -m benchmarks.exploration.chunks_pt260 [--seeds 5] [--grader grade] [--json FILE]``.

``--grader`` says what chooses the atoms: the committee (default), neighbourhood grades of its first
member, or chance; the committee tells delta in any case. ``--whole`` adds so many rattled clusters
of 13 and 38 atoms to the bulk cells, with all their labels. ``--seeds 0 --draw FILE... --plot PNG``
draws runs that were written before.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cluster import Octahedron
from ase.optimize import BFGS

from aiida_alpot.carving import carve_chunk, choose_atoms, chunks_as_configurations
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.committee import CommitteeSettings, committee_members
from aiida_alpot.fitting.fit import fit_targets
from aiida_alpot.fitting.loss import LossWeights, make_targets
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.committee import CommitteeGrader, force_uncertainty
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.jacobian import make_environment
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import smallest_distance

from .seeds import write_by_line

Array = np.ndarray
UNSEEN = {309: (9, 4), 561: (11, 5), 1415: (15, 7)}
"""Length and cut corners of the octahedra that are never trained on."""
RATTLE = 0.07  # A; forces of 0.2 to 4.8 eV/A
WEIGHTS = LossWeights(energy=1.0, force=0.1, stress=0.001)
PER_TURN = 13  # chunks
STOP = 0.1  # eV/A, largest uncertainty that is aimed at


class Mean(Calculator):
    """Energy and forces as the mean over a committee."""

    implemented_properties = ("energy", "forces")

    def __init__(self, potentials: list[MomentTensorPotential]) -> None:
        super().__init__()
        self.potentials = potentials

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        super().calculate(atoms, properties, system_changes)
        one = Configurations.from_atoms([self.atoms])
        found = [evaluate(potential, one) for potential in self.potentials]
        energy = float(np.mean([each.energy[0] for each in found]))
        self.results = {
            "energy": energy,
            "forces": np.mean([each.forces for each in found], axis=0),
        }


def label(structures: list[Atoms]) -> list[Atoms]:
    """Return copies with energy, forces and stress of EMT."""
    labelled = []
    for structure in structures:
        copy = structure.copy()
        copy.calc = EMT()
        results = {"energy": copy.get_potential_energy(), "forces": copy.get_forces()}
        if copy.pbc.all():
            results["stress"] = copy.get_stress()
        copy.calc = SinglePointCalculator(copy, **results)
        labelled.append(copy)
    return labelled


def bulk_cells(seed: int) -> Configurations:
    """Return 20 labelled bulk cells of 2 to 16 atoms, strained and rattled."""
    rng = np.random.default_rng([seed, 1])
    shapes = [(2, 1, 1), (2, 2, 1), (2, 2, 2), (4, 2, 2), (3, 2, 1)]
    cells = []
    for index in range(20):
        atoms = bulk("Pt", "fcc", a=3.92).repeat(shapes[index % len(shapes)])
        deformation = np.eye(3) + rng.normal(0.0, 0.02, (3, 3))
        deformation *= 1.0 + rng.uniform(-0.04, 0.04)
        atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        atoms.positions += rng.normal(0.0, RATTLE, (len(atoms), 3))
        cells.append(atoms)
    return Configurations.from_atoms(label(cells), level_of_theory="emt")


def small_clusters(seed: int, count: int) -> list[Atoms]:
    """Return small rattled clusters, which tell the energy of a surface against bulk."""
    rng = np.random.default_rng([seed, 3])
    clusters = []
    for number in range(count):
        length, cutoff = ((3, 1), (4, 1))[number % 2]  # 13 and 38 atoms
        atoms = Atoms(Octahedron("Pt", length, cutoff=cutoff))
        atoms.positions += rng.normal(0.0, RATTLE, (len(atoms), 3))
        clusters.append(atoms)
    return clusters


def octahedron(length: int, cutoff: int, *, seed: int) -> Configurations:
    """Return a rattled, labelled octahedron."""
    atoms = Atoms(Octahedron("Pt", length, cutoff=cutoff))
    atoms.rattle(RATTLE, seed=seed)
    return Configurations.from_atoms(label([atoms]), level_of_theory="emt")


class Committee:
    """Potentials that are fitted again as the training set grows, each from where it stands."""

    def __init__(self, training: Configurations, closest: float, options: argparse.Namespace):
        self.options = options
        self.initial = start_potential(
            training,
            level=options.level,
            cutoff=options.cutoff,
            min_distance=0.97 * closest,
            seed=options.seed,
        )
        self.members: list[MomentTensorPotential] = []

    def fit(self, training: Configurations) -> None:
        """Fit all members to bootstrap samples of a training set."""
        environment = make_environment(self.initial, training)
        settings = CommitteeSettings(members=self.options.members)
        seed = self.options.seed
        fitted = []
        members = committee_members(training, self.initial, settings, seed=seed)
        for number, member in enumerate(members):
            result = fit_targets(
                environment,
                make_targets(training.replace(weight=member.weight), WEIGHTS),
                initial=self.members[number] if self.members else member.initial,
                max_iterations=self.options.iterations,
            )
            fitted.append(result.potential)
        self.members = fitted

    def forces(self, configurations: Configurations) -> Array:
        """Return the mean forces, eV/A."""
        return np.mean([evaluate(one, configurations).forces for one in self.members], axis=0)

    def uncertainty(self, configurations: Configurations) -> Array:
        """Return delta of every atom, eV/A."""
        return force_uncertainty(CommitteeGrader(self.members).force_deviations(configurations))


def error_of(committee: Committee, labelled: Configurations) -> Array:
    """Return the length of the error of each force, eV/A."""
    return np.linalg.norm(committee.forces(labelled) - labelled.forces, axis=1)


def describe(committee: Committee, target: Configurations, n_chunks: int) -> dict[str, Any]:
    """Return uncertainty and true errors on the target."""
    delta, error = committee.uncertainty(target), error_of(committee, target)
    components = np.abs(committee.forces(target) - target.forces)
    return {
        "n_chunks": n_chunks,
        "largest_delta": float(delta.max()),
        "mean_delta": float(delta.mean()),
        "mae": float(components.mean()),
        "largest_error": float(error.max()),
        "within_delta": float((error < delta).mean()),
        "delta": np.round(delta, 4).tolist(),
        "error": np.round(error, 4).tolist(),
    }


def train(options: argparse.Namespace) -> dict[str, Any]:
    """Run the loop for one seed."""
    start = time.process_time()
    training = bulk_cells(options.seed)
    if options.whole:
        clusters = label(small_clusters(options.seed, options.whole))
        known = Configurations.from_atoms(clusters, level_of_theory="emt")
        training = concatenate([training, known])
    target = octahedron(8, 3, seed=options.seed)
    structure = target.atoms(0)
    committee = Committee(training, smallest_distance(target, options.cutoff), options)
    committee.fit(training)
    history = [describe(committee, target, 0)]
    best, best_members = history[0], list(committee.members)
    carved: set[int] = set()
    waits = 0
    for iteration in range(options.turns):
        tell(options.seed, iteration, history[-1], start)
        if best["largest_delta"] < options.stop or waits >= options.patience:
            break
        values = uncertainty_for_choice(committee, training, target, options)
        order = choose_atoms(values, kind="fraction", value=1.0)
        fresh = [atom for atom in order.tolist() if atom not in carved][: options.chunks]
        carved.update(fresh)
        training = concatenate([training, chunks_of(structure, fresh, values, options, iteration)])
        committee.fit(training)
        history.append(describe(committee, target, len(carved)))
        waits += 1
        if history[-1]["largest_delta"] < best["largest_delta"]:
            best, best_members, waits = history[-1], list(committee.members), 0
    committee.members = best_members
    return {
        "seed": options.seed,
        "grader": options.grader,
        "whole_clusters": options.whole,
        "history": history,
        "best": best,
        **judge(committee, options.seed),
        "cpu_seconds": time.process_time() - start,
    }


def uncertainty_for_choice(
    committee: Committee,
    training: Configurations,
    target: Configurations,
    options: argparse.Namespace,
) -> Array:
    """Return what chooses the atoms: delta, neighbourhood grades, or nothing but chance."""
    if options.grader == "committee":
        return committee.uncertainty(target)
    if options.grader == "random":
        return np.random.default_rng([options.seed, len(training)]).random(len(target.numbers))
    potential = committee.members[0]
    active_set = build_active_set(potential, training)
    grades = ExtrapolationGrader(potential, active_set).grade(target).per_atom
    assert grades is not None
    return grades


def chunks_of(
    structure: Atoms, atoms: list[int], values: Array, options: argparse.Namespace, turn: int
) -> Configurations:
    """Carve and label chunks about atoms."""
    chunks = [carve_chunk(structure, atom, radius=options.radius) for atom in atoms]
    bare = chunks_as_configurations(
        chunks, names=["pt260"] * len(atoms), uncertainties=values[atoms].tolist(), turn=turn
    )
    labelled = Configurations.from_atoms(label([chunk.atoms for chunk in chunks]))
    return bare.replace(energy=labelled.energy, forces=labelled.forces, level_of_theory="emt")


def judge(committee: Committee, seed: int) -> dict[str, Any]:
    """Return what the best committee is worth beside its training."""
    unseen = {}
    for size, (length, cutoff) in UNSEEN.items():
        labelled = octahedron(length, cutoff, seed=seed + 100)
        difference = np.abs(committee.forces(labelled) - labelled.forces)
        unseen[str(size)] = {"mae": float(difference.mean()), "largest": float(difference.max())}
    relaxed = Atoms(Octahedron("Pt", 8, cutoff=3))
    relaxed.calc = Mean(committee.members)
    search = BFGS(relaxed, logfile=None)
    converged = search.run(fmax=0.01, steps=60)
    there = relaxed.copy()
    there.calc = EMT()
    expected = Atoms(Octahedron("Pt", 8, cutoff=3))
    expected.calc = EMT()
    BFGS(expected, logfile=None).run(fmax=0.01, steps=60)
    lowest = expected.get_potential_energy() / 260
    return {
        "unseen": unseen,
        "relaxation": {
            "converged": bool(converged),
            "steps": search.nsteps,
            "emt_minimum_eV_per_atom": lowest,
            "emt_at_our_minimum_meV_above": 1e3 * (there.get_potential_energy() / 260 - lowest),
            "our_energy_meV_off": 1e3 * (relaxed.get_potential_energy() / 260 - lowest),
        },
    }


def accept(run: dict[str, Any]) -> dict[str, bool]:
    """Return which of the published aims are met."""
    first, best = run["history"][0], run["best"]
    met = {
        "largest delta below 0.1 eV/A or five times lower": best["largest_delta"]
        < max(STOP, first["largest_delta"] / 5),
        "MAE on all 260 atoms below 0.05 eV/A": best["mae"] < 0.05,
        "90 % of the atoms within delta": best["within_delta"] >= 0.9,
        "largest error at most 1.5 largest delta": best["largest_error"]
        <= 1.5 * best["largest_delta"],
        "chunks about less than half of the atoms": best["n_chunks"] < 130,
        "EMT energy of the relaxed cluster within 2 meV/atom": abs(
            run["relaxation"]["emt_at_our_minimum_meV_above"]
        )
        < 2.0,
        "own energy of the relaxed cluster within 2 meV/atom": abs(
            run["relaxation"]["our_energy_meV_off"]
        )
        < 2.0,
        "MAE of 309 and 561 atoms below 0.1 eV/A": max(
            run["unseen"][size]["mae"] for size in ("309", "561")
        )
        < 0.1,
    }
    return {name: bool(holds) for name, holds in met.items()}


def tell(seed: int, iteration: int, state: dict[str, Any], start: float) -> None:
    """Print one iteration."""
    print(
        f"seed {seed} iteration {iteration}: {state['n_chunks']:3d} chunks, "
        f"delta max {state['largest_delta']:.3f} mean {state['mean_delta']:.3f}, "
        f"MAE {state['mae']:.4f}, largest error {state['largest_error']:.3f} eV/A, "
        f"{100 * state['within_delta']:.0f} % within delta, "
        f"{time.process_time() - start:.0f} s",
        flush=True,
    )


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw delta against iterations and chunks, and the true error of every atom against delta."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    colours = {"committee": "C0", "grade": "C1", "random": "C7", "whole": "C2"}
    names = {
        "committee": "committee",
        "grade": "neighbourhood grade",
        "random": "chance",
        "whole": "grade, small clusters\nlabelled as a whole",
    }
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.0), layout="constrained")
    for one in runs:
        grader, history = one.get("grader", "committee"), one["history"]
        grader = "whole" if one.get("whole_clusters") else grader
        style = {"color": colours[grader], "lw": 1.3, "marker": "o", "ms": 3, "alpha": 0.8}
        told = {line.get_label() for line in axes[0].get_lines()}
        label = names[grader] if names[grader] not in told else None
        largest = [state["largest_delta"] for state in history]
        chunks = [state["n_chunks"] for state in history]
        axes[0].plot(range(len(history)), largest, label=label, **style)
        axes[1].plot(chunks, [state["largest_error"] for state in history], **style)
        axes[1].plot(chunks, [state["mae"] for state in history], ls="--", **style)
        last = next(s for s in history if s["n_chunks"] == one["best"]["n_chunks"])
        axes[2].scatter(last["delta"], last["error"], s=5, lw=0, alpha=0.5, color=colours[grader])
    axes[0].axhline(STOP, color="black", lw=0.8, ls=":")
    axes[0].set(
        xlabel="iteration", ylabel="largest uncertainty delta of an atom, eV/Å", yscale="log"
    )
    of_chunks = axes[0].secondary_xaxis(
        "top", functions=(lambda turn: PER_TURN * turn, lambda chunks: chunks / PER_TURN)
    )
    of_chunks.set_xlabel("chunks")
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend(title="atoms chosen by", frameon=False, loc="upper right")
    axes[1].set(xlabel="chunks", ylabel="true error on 260 atoms, eV/Å", yscale="log")
    axes[1].set_title("largest (full), mean absolute of components (dashed)", fontsize=9)
    line = np.array([0.003, 0.3])
    axes[2].plot(line, line, color="black", lw=0.8)
    axes[2].set(xlabel="delta of an atom, eV/Å", ylabel="true error of its force, eV/Å")
    axes[2].set(xscale="log", yscale="log")
    axes[2].set_title("in the end; below the line: within delta", fontsize=9)
    for one in axes:
        one.grid(alpha=0.25, lw=0.5)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run all seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--level", type=int, default=12)
    parser.add_argument("--cutoff", type=float, default=6.0)
    parser.add_argument("--radius", type=float, default=8.0)
    parser.add_argument("--chunks", type=int, default=PER_TURN, help="of an iteration")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--stop", type=float, default=STOP, help="largest delta, eV/A")
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=60, help="of a fit")
    parser.add_argument("--grader", choices=["committee", "grade", "random"], default="committee")
    parser.add_argument("--whole", type=int, default=0, help="small clusters, labelled as a whole")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--draw", type=Path, nargs="*", default=[], help="files of --json")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    runs = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        options.seed = seed
        run = train(options)
        run["accepted"] = accept(run)
        runs.append(run)
        print({key: run[key] for key in ("unseen", "relaxation", "accepted")}, flush=True)
        if options.json is not None:
            write_by_line(options.json, {}, "runs", runs)
    if options.plot is not None:
        before = [json.loads(path.read_text()) for path in options.draw]
        draw([run for one in before for run in one["runs"]] + runs, options.plot)


if __name__ == "__main__":
    main()
