# SPDX-License-Identifier: MIT
"""The errors that were found against the uncertainties that were told before, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aiida_alpot.grading.calibration import Calibration
from aiida_alpot.reports.plots import GRADE, INK, MUTED, SELECTED, _figure, _style, _svg
from aiida_alpot.reports.reliability import TurnReliability


def reliability_plot(turns: Sequence[TurnReliability]) -> str:
    """Return the errors that were found against the uncertainty that was told beforehand, as SVG.

    The line is what the factor of all turns promises for 99 % of the atoms.
    """
    from matplotlib.ticker import MaxNLocator

    total = Calibration()
    for one in turns:
        total = total + one.calibration
    curve = total.curve()
    # a chunk shows the error of one atom, so that a campaign may have few in any bin
    points = [point for point in curve if point.n_atoms >= 5] or curve
    unit = ", eV/Å" if turns[-1].measure == "committee" else ""
    name = {"committee": "deviation of the force", "extrapolation": "extrapolation grade"}
    with _style():
        figure = _figure(width=10.4, height=3.4)
        axes, shares = figure.subplots(1, 2, width_ratios=(3, 2))
        if points:
            deviations = np.array([point.deviation for point in points])
            errors = [point.error for point in points]
            sizes = [4 + 8 * math.log10(point.n_atoms) for point in points]
            axes.scatter(deviations, errors, s=sizes, color=GRADE, label="found, RMS")
            ends = deviations if len(points) > 1 else deviations * np.array([0.7, 1.4])
            axes.plot(ends, total.factor() * ends, color=SELECTED, lw=1.2, label="bound for 99 %")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.legend()
        axes.set_title("Error of the force on an atom, eV/Å")
        axes.set_xlabel(f"{name[turns[-1].measure]} before the label{unit}")
        known = [(one.turn, one.coverage) for one in turns if not math.isnan(one.coverage)]
        if known:
            shares.plot(*zip(*known, strict=True), "o-", ms=4, lw=1.6, color=INK)
        shares.axhline(0.99, color=MUTED, lw=1, ls="--")
        shares.set_ylim(0, 1.04)
        shares.set_title("Share of atoms within earlier bounds")
        shares.set_xlabel("turn")
        shares.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        return _svg(figure)
