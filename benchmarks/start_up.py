# SPDX-License-Identifier: MIT
"""How long a job takes before its first energy, from the start of its process.

Run ``python benchmarks/start_up.py``; ``--json FILE`` keeps the figures. Each job is a Python
process of its own that reads a potential file, evaluates energy, forces and stress of a crystal,
and grades it where it has an active set. It is run with the machine code on disk, the smallest of
several times counts; ``--cold`` also measures the very first job, which compiles, with an empty
cache, and a job on another (pretended) kind of processor that shares this cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import build_active_set
from aiida_alpot.grading.mlip_state import write_almtp
from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.jobs.run import cpu_type
from aiida_alpot.mtp.mlip_files import write_potential
from aiida_alpot.mtp.potential import initial_potential

LEVELS = (8, 12, 16, 20, 24, 28)
SPECIES = (("Cu",), ("Cu", "Au", "Ag"))
TARGET_S = 2.0
JOB = """
import sys, time
from ase.build import bulk
from aiida_alpot.mtp.calculator import MTP
path, symbols, grades = sys.argv[1], sys.argv[2].split("-"), sys.argv[3] == "yes"
atoms = bulk(symbols[0], "fcc", a=3.7, cubic=True)
atoms.symbols[: len(symbols)] = symbols
atoms.calc = MTP(path, active_set=path if grades else None)
energy = atoms.get_potential_energy()
print(time.time(), time.process_time())
"""


def make_file(level: int, species: tuple[str, ...], folder: Path, *, grades: bool) -> Path:
    rng = np.random.default_rng(level)
    initial = initial_potential(level, 5.0, species=species, min_distance=1.8, rng=rng)
    potential = with_generic_coefficients(initial)
    path = folder / f"{level}_{'-'.join(species)}.{'almtp' if grades else 'mtp'}"
    if not grades:
        write_potential(potential, path)
        return path
    atoms = bulk(species[0], "fcc", a=3.7, cubic=True)
    atoms.symbols[: len(species)] = species
    write_almtp(path, potential, build_active_set(potential, Configurations.from_atoms([atoms])))
    return path


def time_job(
    path: Path, species: tuple[str, ...], *, grades: bool, **variables: str
) -> tuple[float, float]:
    """Seconds and processor seconds from the start of a process to its first energy."""
    words = [str(path), "-".join(species), "yes" if grades else "no"]
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-c", JOB, *words],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    ended, used = map(float, done.stdout.split())
    return ended - started, used


def measure(
    level: int, species: tuple[str, ...], folder: Path, repeats: int, *, grades: bool = False
) -> dict[str, float]:
    path = make_file(level, species, folder, grades=grades)
    times = [time_job(path, species, grades=grades) for _ in range(repeats)]
    return {
        "level": level,
        "n_species": len(species),
        "grades": grades,
        "seconds": min(seconds for seconds, _ in times),
        "cpu_seconds": min(used for _, used in times),
    }


def measure_cold(folder: Path) -> dict[str, float]:
    path, species = make_file(16, ("Cu",), folder, grades=True), ("Cu",)
    cache = {"NUMBA_CACHE_DIR": str(folder / "machine_code")}
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    jobs = {
        "first_job_s": {},
        "second_job_s": {},
        "first_job_on_another_processor_s": other,
        "second_job_on_another_processor_s": other,
        "third_job_s": {},
    }
    return {
        name: time_job(path, species, grades=True, **cache, **processor)[0]
        for name, processor in jobs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"CPU {cpu_type()}")
    jobs = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        time_job(make_file(16, ("Cu",), folder, grades=True), ("Cu",), grades=True)  # compiles
        cases = [(level, species, False) for level in LEVELS for species in SPECIES]
        cases += [(16, ("Cu",), True), (20, ("Cu",), True)]
        for level, species, grades in cases:
            jobs.append(one := measure(level, species, folder, arguments.repeats, grades=grades))
            print(
                f"level {level:2d}, {len(species)} species{', grades' if grades else '':8s}: "
                f"{one['seconds']:.2f} s to the first energy, {one['cpu_seconds']:.2f} s of the "
                "processor"
            )
        cold = measure_cold(folder) if arguments.cold else None
    for name, seconds in (cold or {}).items():
        print(f"{name.removesuffix('_s').replace('_', ' ')}: {seconds:.2f} s")
    # what the processor did: other work on the machine makes the rest longer
    bound = [one["cpu_seconds"] for one in jobs if one["level"] <= 24]
    verdict = "met" if max(bound) < TARGET_S else "MISSED"
    print(f"levels 8-24: at most {max(bound):.2f} processor s, target {TARGET_S:g} s: {verdict}")
    if arguments.json:
        content = {"cpu": cpu_type(), "jobs": jobs, "cold": cold}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
