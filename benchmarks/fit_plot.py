# SPDX-License-Identifier: MIT
"""Errors of forces against the CPU time of fits, drawn from the figures of ``fit.py``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def draw(figures: dict[str, Any], titles: Mapping[str, str], path: Path) -> None:
    """Draw the error of forces against CPU time for every fit that was traced."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    shown = [part for part in titles if "traces" in figures.get(part, {})]
    drawing, axes = pyplot.subplots(1, max(len(shown), 1), figsize=(5 * max(len(shown), 1), 4))
    for axis, part in zip(np.atleast_1d(axes), shown, strict=False):
        for name, trace in figures[part]["traces"].items():
            seconds, _, forces = zip(*trace, strict=True)
            axis.plot(seconds, forces, marker=".", label=str(name))
        axis.set(title=titles[part], xlabel="CPU time of the fit (s)", ylabel="force RMSE (eV/Å)")
        if part == "motep":
            axis.set(xscale="log", yscale="log")
        axis.legend()
    drawing.tight_layout()
    drawing.savefig(path, dpi=120)
