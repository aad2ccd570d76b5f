# SPDX-License-Identifier: MIT
"""Cost of the gate per candidate, and of finding duplicates among 100,000 fingerprints.

Prints a line of text and JSON: ``python benchmarks/gate.py [--candidates 3000]``.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.selection.duplicates import find_alike
from aiida_alpot.selection.fingerprints import Fingerprint, fingerprints
from aiida_alpot.selection.gate import count_verdicts, gate


def rattled_cells(count: int, *, repeat: int, seed: int) -> Configurations:
    """Return copper cells of ``4 repeat^3`` atoms with displacements of 0.1 A."""
    cell = bulk("Cu", a=3.6, cubic=True).repeat(repeat)
    cells = Configurations.from_atoms([cell] * count)
    noise = np.random.default_rng(seed).normal(0.0, 0.1, cells.positions.shape)
    return cells.replace(positions=cells.positions + noise)


def seconds_of(action, repeats: int = 3) -> float:
    """Return the least processor time of several runs."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=3000)
    count = parser.parse_args().candidates
    known = rattled_cells(200, repeat=2, seed=1)
    report: dict[str, float] = {}
    for repeat in (1, 2, 3):
        candidates = rattled_cells(max(count // repeat**3, 100), repeat=repeat, seed=2)
        gate(candidates.select([0]), known)
        seconds = seconds_of(lambda these=candidates: gate(these, known))
        report[f"ms_per_candidate_of_{4 * repeat**3}_atoms"] = 1e3 * seconds / len(candidates)
        assert count_verdicts(gate(candidates, known))["passed"] == len(candidates)
    rows = np.array([one.lengths for one in fingerprints(rattled_cells(1000, repeat=2, seed=3))])
    rng = np.random.default_rng(4)
    many = rows[rng.integers(0, 1000, 100_000)] + rng.normal(0.0, 5e-3, (100_000, rows.shape[1]))
    made = [Fingerprint(((29, 1),), row) for row in many]
    report["s_duplicates_among_100000"] = seconds_of(lambda: find_alike(made, 1e-3), repeats=1)
    per_candidate = report["ms_per_candidate_of_32_atoms"]
    print(
        f"gate: {per_candidate:.2f} ms per candidate of 32 atoms, "
        f"{per_candidate * 100:.0f} s per 100,000; duplicates among 100,000 fingerprints "
        f"{report['s_duplicates_among_100000']:.1f} s"
    )
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
