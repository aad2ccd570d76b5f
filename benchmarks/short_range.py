# SPDX-License-Identifier: MIT
"""What a ZBL core costs, and its collisions: ``python benchmarks/short_range.py [--plot FILE]``.

Prints a line for each figure and writes all to a JSON file: a step of molecular dynamics with a
core beside one without, the smallest CPU times of steps that take turns; the distance at which a
head-on collision at 1 keV turns round and how well it conserves energy, by the length of a step.
With ``--plot`` draws curves of dimers with a core, as an overlay, and without. With ``--data``
knocks an atom out of its site in crystals of the published Ni and Mo potentials of Zuo et al.,
J. Phys. Chem. A 124, 731 (2020), with a core and without.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.verlet import VelocityVerlet
from engine_cases import Report, alloy, nickel, random_potential, step_of, take_turns

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting import fit_potential, start_potential
from aiida_alpot.jobs.warm_up import compile_kernels
from aiida_alpot.mtp import MTP, MomentTensorPotential, read_potential
from aiida_alpot.mtp.compression import find_hollows
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.kernels.zbl import add_repulsion
from aiida_alpot.mtp.repulsion import core_of_training, repulsion_of
from aiida_alpot.mtp.structure_files import read_configurations
from aiida_alpot.mtp.zbl import ZblCore, screened_repulsion
from aiida_alpot.neighbors import neighbor_list

LEVELS = (8, 16)
STEPS_IN_ANGSTROM = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
ENERGY, KNOCK = 1000.0, 500.0  # eV
KNOCK_STEP = 0.02  # A


def fitted_copper(level: int) -> MomentTensorPotential:
    """Return a potential fitted to EMT cells of copper up to 20 % compression, with a core."""
    rng = np.random.default_rng(0)
    cells = []
    for scale in np.linspace(0.93, 1.06, 24):
        atoms = bulk("Cu", a=3.59 * scale, cubic=True) * (2, 2, 2)
        atoms.positions += rng.normal(scale=0.12, size=atoms.positions.shape)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
        cells.append(atoms)
    training = Configurations.from_atoms(cells, level_of_theory="EMT")
    initial = start_potential(training, level=level, cutoff=5.0)
    core = core_of_training(training, initial.species, initial.cutoff)
    return fit_potential(training, initial=initial.with_core(core), max_iterations=40).potential


def measure_cost(report: Report, repetitions: int) -> None:
    for name, atoms in (("Ni864", nickel()), ("NiCuAl864", alloy())):
        for level in LEVELS:
            bare = random_potential(level, sorted(set(atoms.get_chemical_symbols())))
            data = Configurations.from_atoms([atoms])
            cored = bare.with_core(core_of_training(data, bare.species, bare.cutoff))
            tasks = {"bare": step_of(bare, atoms), "core": step_of(cored, atoms)}
            best = take_turns(tasks, repetitions)
            share = best["core"] / best["bare"] - 1.0
            report.add(f"step of {name}, level {level}", 1e6 * best["bare"] / len(atoms), "us/atom")
            report.add(f"core in a step of {name}, level {level}", 100 * share, "%")
    atoms = nickel()
    potential = random_potential(8, ["Ni"]).with_core(ZblCore())
    pairs = neighbor_list(atoms, potential.cutoff + 0.5)
    repulsion = repulsion_of(potential)
    types = potential.types_of(atoms.numbers)
    results = (np.zeros(len(atoms)), np.zeros((len(atoms), 3)), np.zeros((len(atoms), 6)))
    arrays = (pairs.first, pairs.neighbor, np.ascontiguousarray(pairs.vectors), types)

    def run() -> None:
        add_repulsion(0, len(atoms), *arrays, repulsion.table, repulsion.reach, *results)

    best = take_turns({"kernel": run}, repetitions)
    report.add("kernel of the repulsion, Ni864", 1e6 * best["kernel"] / len(atoms), "us/atom")


def measure_collisions(report: Report, potential: MomentTensorPotential) -> None:
    for step in STEPS_IN_ANGSTROM:
        closest, error = collide(potential, step)
        report.add(f"1 keV, steps of {step:g} A: largest error of the energy", error, "eV")
    report.add("1 keV: closest distance", closest, "A")


def collide(potential: MomentTensorPotential, step: float) -> tuple[float, float]:
    """Return the closest distance and the largest error of the total energy of a collision."""
    atoms = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 5.2]], calculator=MTP(potential))
    speed = np.sqrt(2 * ENERGY / atoms.get_masses()[1])
    atoms.set_velocities([[0, 0, 0], [0, 0, -speed]])
    start, closest, error = atoms.get_total_energy(), np.inf, 0.0
    for _ in VelocityVerlet(atoms, step / speed).irun(100_000):
        closest = min(closest, atoms.get_distance(0, 1))
        error = max(error, abs(atoms.get_total_energy() - start))
        if atoms.get_distance(0, 1) > 5.25:
            return closest, error
    raise RuntimeError(f"the atoms did not separate within {100_000 * step / speed / units.fs} fs")


def measure_curve(report: Report, potential: MomentTensorPotential) -> None:
    distances = np.linspace(0.2, potential.cutoff, 2000)
    energies = dimer_curve(potential, distances)
    falling = distances[:-1][np.diff(energies) >= 0.0].min(initial=np.inf)
    report.add("dimer of the fitted Cu: repulsive up to", falling, "A")
    core = potential.core.pairs[0]
    report.add("inner radius", core.inner, "A")
    report.add("outer radius", core.outer, "A")


def measure_cascades(report: Report, folder: Path) -> None:
    for symbol, lattice, constant, size in (("Ni", "fcc", 3.52, 6), ("Mo", "bcc", 3.16, 7)):
        bare = read_potential(folder / f"{symbol}.mtp", [symbol])
        training = read_configurations(folder / f"{symbol}_train.xyz")
        cored = bare.with_core(core_of_training(training, bare.species, bare.cutoff))
        report.add(f"{symbol}: hollows in the core", len(find_hollows(cored, training)), "")
        crystal = bulk(symbol, lattice, a=constant, cubic=True) * (size, size, size)
        for name, potential in (("core", cored), ("no core", bare)):
            closest, error = knock_on(potential, crystal)
            label = f"{symbol}, 500 eV in a crystal, {name}"
            report.add(f"{label}: largest error of the energy", error, "eV")
            report.add(f"{label}: closest distance", closest, "A")


def knock_on(potential: MomentTensorPotential, crystal: Atoms) -> tuple[float, float]:
    """Return the closest distance and the largest error of the energy, 100 fs after a knock."""
    atoms = crystal.copy()
    atoms.rattle(0.03, seed=0)
    atoms.calc = MTP(potential)
    direction = np.array([1.0, 3.0, 5.0]) / np.sqrt(35.0)
    velocities = np.zeros((len(atoms), 3))
    velocities[0] = direction * np.sqrt(2 * KNOCK / atoms.get_masses()[0])
    atoms.set_velocities(velocities)
    start, time, closest, error = atoms.get_total_energy(), 0.0, np.inf, 0.0
    dynamics = VelocityVerlet(atoms, units.fs)
    while time < 100 * units.fs:
        fastest = np.linalg.norm(atoms.get_velocities(), axis=1).max()
        dynamics.dt = min(2 * units.fs, KNOCK_STEP / fastest)
        dynamics.step()
        time += dynamics.dt
        closest = min(closest, atoms.calc.neighbors.smallest_distance)
        error = max(error, abs(atoms.get_total_energy() - start))
    return closest, error


def dimer_curve(potential: MomentTensorPotential, distances: np.ndarray) -> np.ndarray:
    """Return the energies of a dimer of copper less those of two atoms, eV."""
    dimers = [Atoms("Cu2", positions=[[0, 0, 0], [0, 0, r]]) for r in distances]
    energies = evaluate(potential, Configurations.from_atoms(dimers)).energy
    return energies - 2 * potential.species_coefficients[0]


def plot(potential: MomentTensorPotential, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    distances = np.linspace(0.2, 5.2, 2000)
    core = potential.core
    curves = {
        "with a core": (dimer_curve(potential, distances), "-"),
        "overlay": (
            dimer_curve(potential.with_core(ZblCore(core.pairs, fades=False)), distances),
            "--",
        ),
        "without": (dimer_curve(potential.with_core(None), distances), ":"),
        "ZBL alone": (screened_repulsion("Cu", "Cu", distances), "-."),
    }
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for axes in (left, right):
        for label, (energies, style) in curves.items():
            shown = np.where(energies > 0.0, energies, np.nan) if axes is left else energies
            axes.plot(distances, shown, style, label=label)
        for radius in (core.pairs[0].inner, core.pairs[0].outer, potential.min_distance):
            axes.axvline(radius, color="0.8", linewidth=0.8)
        axes.set_xlabel("distance of two Cu atoms (Å)")
    left.set(yscale="log", ylabel="energy (eV)", xlim=(0.2, 2.2), ylim=(0.1, 3e4))
    right.set(xlim=(1.2, 5.2), ylim=(-2, 20))
    right.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=60)
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path, default=Path("short_range.json"))
    given = parser.parse_args()
    compile_kernels()
    report = Report()
    measure_cost(report, given.repetitions)
    potential = fitted_copper(12)
    measure_curve(report, potential)
    measure_collisions(report, potential)
    if given.data is not None:
        measure_cascades(report, given.data)
    given.json.write_text(json.dumps(report.figures, indent=1) + "\n", encoding="utf-8")
    if given.plot is not None:
        plot(potential, given.plot)


if __name__ == "__main__":
    main()
