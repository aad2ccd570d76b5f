# SPDX-License-Identifier: MIT
"""Barriers of the jump of a vacancy in EMT: ``python benchmarks/exploration/vacancy_jumps.py``.

The sampler ``path_search`` looks for the saddle point in 107 atoms of fcc Cu, Al and Pt, by its
dimer and by its climbing image. Reference barriers are those of an independent calculation with ASE
(a climbing image for Cu, a dimer for Al and Pt; 107 atoms). Prints a line for each search, and all
as JSON to a file.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.sampling import make_sampler, run_sampler

LATTICE_CONSTANTS = {"Cu": 3.5898, "Al": 3.9943, "Pt": 3.9218}
REFERENCE = {"Cu": 0.7915, "Al": 0.4055, "Pt": 0.9770}
FMAX = 0.005


def jump(element: str, repeats: int) -> list[Atoms]:
    """Return a crystal with a vacancy, and the same after a neighbour has jumped into it."""
    cell = bulk(element, a=LATTICE_CONSTANTS[element], cubic=True) * repeats
    distances = cell.get_distances(0, range(len(cell)), mic=True)
    neighbour = int(np.argsort(distances)[1])
    start = cell.copy()
    del start[0]
    end = start.copy()
    end.positions[neighbour - 1] = cell.positions[0]
    start.info["identifier"], end.info["identifier"] = "start", "end"
    return [start, end]


class CountingEMT(EMT):
    """EMT that counts its evaluations."""

    calls = 0

    def calculate(self, *arguments: Any, **keywords: Any) -> None:
        """Evaluate and count."""
        super().calculate(*arguments, **keywords)
        self.calls += 1


def search(element: str, method: str, repeats: int) -> dict[str, Any]:
    """Return the barrier and what it cost."""
    calculator = CountingEMT()
    sampler = make_sampler("path_search", {"method": method, "fmax": FMAX, "relax_fmax": FMAX})
    began = time.process_time()
    result = run_sampler(
        sampler,
        jump(element, repeats),
        calculator,
        rng=np.random.default_rng(0),
    )
    seconds = time.process_time() - began
    chain = result.chains[0]
    return {
        "element": element,
        "method": method,
        "found": chain.stop,
        "reason": chain.reason,
        "barrier_eV": float(chain.reason.split()[2]),
        "reference_eV": REFERENCE[element],
        "evaluations": calculator.calls,
        "cpu_seconds": round(seconds, 2),
    }


def main() -> None:
    """Search by both methods in all metals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="cubic cells along each edge")
    parser.add_argument("--json", type=Path, default=None, help="file for the figures")
    options = parser.parse_args()
    figures = []
    for element in LATTICE_CONSTANTS:
        for method in ("dimer", "band"):
            one = search(element, method, options.repeats)
            figures.append(one)
            print(
                f"{element} {method:5}: {one['barrier_eV']:.4f} eV (reference "
                f"{one['reference_eV']:.4f}), {one['evaluations']} evaluations, "
                f"{one['cpu_seconds']:.1f} s of CPU: {one['reason']}",
                flush=True,
            )
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
