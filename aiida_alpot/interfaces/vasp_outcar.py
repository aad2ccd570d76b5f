# SPDX-License-Identifier: MIT
"""What only the ``OUTCAR`` of VASP tells: how a run ended, and the moments of its atoms."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class OutcarFacts:
    """What only the ``OUTCAR`` tells.

    Parameters
    ----------
    finished : bool
        Whether VASP came to its own end.
    stopped : str
        The line with which a run was stopped before it converged, or empty.
    magnetic_moments : (n,) float64 or None
        Moments within the spheres of the atoms at the end, Bohr magnetons.
    seconds : float or None
        Elapsed time.
    """

    finished: bool
    stopped: str
    magnetic_moments: Array | None
    seconds: float | None


_STOPS = re.compile(r"EDIFF was not reached|hard stop encountered", re.IGNORECASE)


def read_outcar(lines: Iterable[str]) -> OutcarFacts:
    """Read how a run ended, and the moments of its atoms."""
    finished, stopped = False, ""
    seconds: float | None = None
    moments: list[float] | None = None
    table: list[float] | None = None
    for line in lines:
        if table is not None:
            table, moments = _continue_table(line, table, moments)
        elif line.strip().startswith("magnetization (x)"):
            table = []
        elif "General timing and accounting" in line:
            finished = True
        elif "Elapsed time (sec):" in line:
            told = number_or_nan(line.split(":")[1].strip())
            seconds = told if math.isfinite(told) else None
        elif not stopped and _STOPS.search(line):
            stopped = " ".join(line.replace("-", " ").split())
    kept = None if moments is None else np.array(moments)
    return OutcarFacts(finished, stopped, kept, seconds)


def _continue_table(
    line: str, table: list[float], moments: list[float] | None
) -> tuple[list[float] | None, list[float] | None]:
    """Add a line of a table of moments; return the table while it is open, and the last whole one.

    A table is a heading, a rule, a line for each atom, and for several atoms a rule and a sum.
    """
    words = line.split()
    if words and words[0].isdigit():
        return [*table, number_or_nan(words[-1])], moments
    if table and (not words or words[0].startswith("--") or words[0].startswith("tot")):
        return None, table
    return table, moments


def number_or_nan(text: str) -> float:
    """Return a number as VASP prints it; NaN for stars and what else is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
