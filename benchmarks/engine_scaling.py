# SPDX-License-Identifier: MIT
"""The parts of ``engine.py`` beside single evaluations: dynamics, sizes, many cells, the processor.

Not run on its own, but for ``python benchmarks/engine_scaling.py million``, which ``engine.py``
starts as a process of its own to measure its memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from engine_cases import Report, random_potential

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp import MTP, MomentTensorPotential
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.kernels.tables import contraction_tables, n_monomials
from aiida_alpot.mtp.site_evaluator import SiteEvaluator
from aiida_alpot.neighbors import batch_neighbor_list

LEVEL = 16
AVX2_FEATURES = "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+f16c"


def harmless(potential: MomentTensorPotential) -> MomentTensorPotential:
    """Return a potential as costly, whose forces are so small that atoms fly."""
    parameters = potential.parameters
    parameters[-len(potential.moment_coefficients) :] *= 1e-6
    return potential.with_parameters(parameters)


def seconds_of(task: Callable[[], object]) -> tuple[float, float]:
    """Return wall time and CPU time of a call in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure_dynamics(
    report: Report, atoms: Atoms, potential: MomentTensorPotential, repetitions: int
) -> None:
    """Velocity Verlet at 300 K, lists made anew when they must be, beside the kernels alone."""
    slow = harmless(potential)
    runs = {}
    for threads in (1, 2):
        moving = atoms.copy()
        moving.calc = MTP(slow, threads=threads)
        thermalize_momenta(moving, temperature_K=300, rng=np.random.default_rng(0))
        runs[threads] = VelocityVerlet(moving, 1 * units.fs)
        runs[threads].run(2)
    configurations = Configurations.from_atoms([atoms])
    pairs = batch_neighbor_list(configurations, potential.cutoff)
    sites = SiteEvaluator(slow, slow.types_of(atoms.numbers))
    best = {(what, n): np.full(2, np.inf) for what in ("step", "kernels") for n in runs}
    n_calls = 5  # short, so that some of many fall in a moment without other load
    for _ in range(10 * repetitions):
        for threads, dynamics in runs.items():

            def evaluate_often(threads: int = threads) -> None:
                for _ in range(n_calls):
                    sites.evaluate(pairs, threads=threads)

            tasks = {"step": lambda run=dynamics: run.run(n_calls), "kernels": evaluate_often}
            for what, task in tasks.items():
                found = np.array(seconds_of(task)) / n_calls
                best[what, threads] = np.minimum(best[what, threads], found)
    scale = 1e6 / len(atoms)
    for what in ("step", "kernels"):
        name = f"Ni864 level {LEVEL} {what} in dynamics"
        report.add(name, best[what, 1][1] * scale, "us/atom")
        report.add(f"{name}, two threads", best[what, 2][0] * scale, "us/atom, wall")
        speed = best[what, 1][0] / best[what, 2][0]
        report.add(f"two threads over one, {what} in dynamics", speed, "x, wall")
    report.add("step of dynamics over kernels", best["step", 1][1] / best["kernels", 1][1], "x")


def measure_sizes(report: Report) -> None:
    """Evaluate a million atoms in a process of its own, beside a thousand in the same."""
    command = [sys.executable, str(Path(__file__)), "million"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    report.add("1,000 atoms", found["thousand"], "us/atom")
    report.add("1,000,000 atoms", found["million"], "us/atom")
    report.add("1,000,000 atoms over 1,000", found["million"] / found["thousand"], "x")
    report.add("1,000,000 atoms, all memory of the process", found["memory"], "GiB")


def measure_million() -> dict[str, float]:
    potential = random_potential(LEVEL, ["Ni"])

    def crystal(*repeat: int) -> Configurations:
        atoms = bulk("Ni", a=3.52, cubic=True) * repeat
        atoms.rattle(0.05, seed=0)
        return Configurations.from_atoms([atoms])

    def seconds(configurations: Configurations) -> float:
        start = time.process_time()
        evaluate(potential, configurations)
        return time.process_time() - start

    small, large = crystal(5, 5, 10), crystal(50, 50, 100)
    for _ in range(3):
        evaluate(potential, small)
    thousand, million = np.inf, np.inf
    for _ in range(3):
        thousand = min(thousand, *(seconds(small) for _ in range(30)))
        million = min(million, seconds(large))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"thousand": thousand * 1e3, "million": million, "memory": memory}


def many_cells(count: int) -> Configurations:
    """Return cells of 4 to 20 atoms at the density of nickel, one hundred of them different."""
    rng = np.random.default_rng(0)
    cells = []
    for _ in range(1000):
        size = int(rng.integers(4, 21))
        edge = np.cbrt(10.9 * size)
        cell = edge * (np.eye(3) + 0.1 * rng.uniform(-1, 1, (3, 3)))
        cell *= edge / np.cbrt(abs(np.linalg.det(cell)))
        cells.append(
            Atoms(f"Ni{size}", scaled_positions=rng.random((size, 3)), cell=cell, pbc=True)
        )
    different = Configurations.from_atoms(cells)
    return different.select(np.arange(count) % len(different))


def measure_many_cells(
    report: Report, atoms: Atoms, potential: MomentTensorPotential, count: int
) -> None:
    cells, large = many_cells(count), Configurations.from_atoms([atoms])
    alone, together = np.inf, np.inf
    for _ in range(3):
        for _ in range(10):
            start = time.process_time()
            evaluate(potential, large)
            alone = min(alone, time.process_time() - start)
        start = time.process_time()
        evaluate(potential, cells)
        together = min(together, time.process_time() - start)
    alone *= 1e6 / len(atoms)
    together *= 1e6 / int(cells.offsets[-1])
    report.add(f"{count} cells of 4-20 atoms in one call", together, "us/atom")
    report.add("rate of small cells over that of Ni864, both with lists", alone / together, "x")


def operations_of_atom(potential: MomentTensorPotential, n_neighbors: float) -> float:
    """Return the useful floating-point operations of energy, forces and strain derivatives.

    Multiplications and additions of the algorithm, without places that are filled up, square roots
    and divisions counted as one.
    """
    tables = contraction_tables(potential.basis)
    n_basic, powers = len(tables.monomial), n_monomials(tables.degree)
    _, _, n_radial, n_basis = potential.radial_coefficients.shape
    geometry = 10 + 6 + 40  # distance and unit vector; pulls, forces and strain derivatives
    radial = 10 * n_basis + 4 * n_radial * n_basis + 2 * n_radial
    monomials = 2 * powers + 4 * powers  # twice forwards, once backwards
    moments = 2 * n_basic + 4 * n_basic
    products = 3 * len(tables.forward_weight) + 3 * len(tables.backward_weight)
    return n_neighbors * (geometry + radial + monomials + moments) + products


def measure_peak(
    report: Report,
    potential: MomentTensorPotential,
    n_neighbors: float,
    kernel_seconds: Callable[[], float],
) -> None:
    """Print which part of the rate of a matrix product the kernels reach."""
    matrix = np.random.default_rng(0).standard_normal((1000, 1000))
    product, kernel = np.inf, np.inf
    for _ in range(10):
        start = time.process_time()
        matrix @ matrix
        product = min(product, time.process_time() - start)
        kernel = min(kernel, kernel_seconds())
    peak = 2e-9 * len(matrix) ** 3 / product
    rate = operations_of_atom(potential, n_neighbors) / kernel * 1e-9
    report.add("matrix product, one core", peak, "GFLOP/s")
    report.add(f"Ni864 level {potential.level} kernels", rate, "GFLOP/s")
    report.add("kernels over matrix product", rate / peak, "x")


def measure_with_avx2(report: Report, levels: list[int]) -> None:
    """Repeat the steps of Ni864 with machine code for processors without AVX-512."""
    environment = dict(os.environ, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=AVX2_FEATURES)
    script = Path(__file__).with_name("engine.py")
    command = [sys.executable, str(script), "--steps-only", "--levels", *map(str, levels)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    for level, value in json.loads(done.stdout.splitlines()[-1]).items():
        report.add(f"Ni864 level {level} step with AVX2 alone", value, "us/atom")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    print(json.dumps(measure_million()))
