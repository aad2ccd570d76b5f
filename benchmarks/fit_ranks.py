# SPDX-License-Identifier: MIT
"""One thread, two threads and two ranks of MPI in the same fit, for ``fit.py``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from fit_traces import QUICK_EVERY

REPETITIONS = 4
LARGEST_RATIO = 1.1
TIMED_FIT = """
import sys, time
from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.fitting.ranks import share_fits_if_launched
from aiida_alpot.mtp.structure_files import read_configurations
with share_fits_if_launched():
    training = read_configurations(sys.argv[1])
    training = training.select(range(0, len(training), int(sys.argv[3])))
    initial = start_potential(training, level=16, cutoff=5.0)
    fit_potential(training.select([0]), initial=initial, max_iterations=1)
    started = time.perf_counter()
    fit_potential(training, initial=initial, max_iterations=4, threads=int(sys.argv[2]))
    print(time.perf_counter() - started)
"""


def compare_ranks(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time one thread, two threads and two ranks, each in processes of their own."""
    beside = Path(sys.executable).parent / "mpiexec"
    mpiexec = str(beside) if beside.exists() else "mpiexec"
    data = str(arguments.data / "Mo_train.xyz")
    repetitions = 1 if arguments.quick else REPETITIONS
    every = str(QUICK_EVERY if arguments.quick else 1)
    alone = [sys.executable, "-c", TIMED_FIT, data]
    commands = {
        "one thread": [*alone, "1", every],
        "two threads": [*alone, "2", every],
        "two ranks": [mpiexec, "-n", "2", *alone, "1", every],
    }
    seconds = dict.fromkeys(commands, float("inf"))
    for _ in range(repetitions):
        for name, command in commands.items():
            found = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds[name] = min(seconds[name], float(found.stdout))
    speed = seconds["one thread"] / seconds["two threads"]
    ratio = seconds["two ranks"] / seconds["two threads"]
    print(f"two threads: {speed:.2f} times as fast as one; two ranks: {ratio:.2f} of their time")
    return {"seconds": seconds, "ratio": ratio, "is_met": ratio <= LARGEST_RATIO}
