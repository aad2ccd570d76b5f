# SPDX-License-Identifier: MIT
"""Curves of several seeds: compared with a reference, drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .learning import band, interval, labels_to_reach

TESTS = ("gentle", "difficult")
FIGURE = "forces_eV_per_A"


def summarize(
    results: Sequence[dict[str, Any]], names: Sequence[str], *, reference: str
) -> dict[str, Any]:
    """Return errors at the end and labels for the reference's last error, over those it needed.

    A seed in which a way never reaches that error counts with the labels it had at its end, and is
    counted: such a ratio is a lower bound.
    """
    summary: dict[str, Any] = {"lines": []}
    for name in names:
        found: dict[str, Any] = {}
        for test in TESTS:
            ratios, never = [], 0
            for one in results:
                curve, other = one["curves"][name], one["curves"][reference]
                needed = labels_to_reach(curve, test, FIGURE, other[-1][test][FIGURE])
                if math.isinf(needed):
                    never += 1
                    needed = curve[-1]["labels"]
                ratios.append(needed / other[-1]["labels"])
            last = [one["curves"][name][-1][test] for one in results]
            found[test] = {
                "labels_over_reference": interval(ratios),
                "never_reached": never,
                **{figure: interval([each[figure] for each in last]) for figure in last[0]},
            }
        summary[name] = found
        summary["lines"].append(_tell(name, found, len(results)))
    return summary


def draw(
    results: Sequence[dict[str, Any]], names: Sequence[str], path: Path, *, title: str
) -> None:
    """Draw force errors against labels, with the 95 % interval of the mean over the seeds."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(10.0, 4.2), layout="constrained")
    colours = plt.get_cmap("tab10").colors
    for axes, test in zip(panels, TESTS, strict=True):
        for number, name in enumerate(names):
            drawn = band([one["curves"][name] for one in results], test, FIGURE)
            colour = colours[number % len(colours)]
            axes.plot(
                drawn["labels"],
                [1e3 * value for value in drawn["mean"]],
                color=colour,
                label=name.replace("_", " "),
                linestyle="--" if name == "random" else "-",
            )
            low, high = ([1e3 * value for value in drawn[key]] for key in ("low", "high"))
            axes.fill_between(drawn["labels"], low, high, color=colour, alpha=0.12, linewidth=0)
        axes.set(yscale="log", xlabel="labels", title=f"{test} test set")
    panels[0].set_ylabel("force RMSE, meV/A")
    panels[1].legend(fontsize=8)
    figure.suptitle(f"{title}, {len(results)} seeds")
    figure.savefig(path, dpi=120)


def _tell(name: str, found: dict[str, Any], seeds: int) -> str:
    parts = []
    for test in TESTS:
        one = found[test]
        ratio, forces = one["labels_over_reference"], one[FIGURE]
        bound = f", {one['never_reached']} of {seeds} seeds never" if one["never_reached"] else ""
        parts.append(
            f"{test}: {1e3 * forces['mean']:.1f} meV/A, labels {ratio['mean']:.2f} "
            f"({ratio['low']:.2f}-{ratio['high']:.2f}) of the reference's{bound}"
        )
    return f"{name:21} " + "; ".join(parts)
