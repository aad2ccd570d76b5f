# SPDX-License-Identifier: MIT
"""Curves of several seeds: each way compared with others in the same seed, and drawn.

Seeds differ in how hard their test sets are, far more than ways differ: errors and labels are
divided by those of the reference in the same seed before anything is averaged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .learning import falling, interval, labels_to_reach, mean_curve

TESTS = ("gentle", "difficult")
FIGURE = "forces_eV_per_A"
TICKS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)


def summarize(
    results: Sequence[dict[str, Any]],
    names: Sequence[str],
    *,
    reference: str,
    other: str | None = None,
) -> dict[str, Any]:
    """Return errors at the end, and labels needed, over those of one or two references.

    The target in each seed is the error that ``reference`` ends with. A way that never reaches it
    counts with the labels that it had at its end, and is counted: such a ratio is a lower bound.
    """
    summary: dict[str, Any] = {"lines": []}
    for name in names:
        found: dict[str, Any] = {}
        for test in TESTS:
            needed = [_needed(one, name, test, reference) for one in results]
            last = [one["curves"][name][-1][test] for one in results]
            of_reference = [one["curves"][reference][-1][test] for one in results]
            found[test] = {
                f"labels_over_{base}": interval(
                    [
                        mine[0] / _needed(one, base, test, reference)[0]
                        for mine, one in zip(needed, results, strict=True)
                    ]
                )
                for base in (reference, other)
                if base is not None
            }
            found[test] |= {
                "never_reached": sum(not reached for _, reached in needed),
                "forces_over_reference": interval(
                    [
                        mine[FIGURE] / theirs[FIGURE]
                        for mine, theirs in zip(last, of_reference, strict=True)
                    ]
                ),
                **{figure: interval([each[figure] for each in last]) for figure in last[0]},
            }
        summary[name] = found
        summary["lines"].append(_tell(name, found, len(results), reference))
    return summary


def draw(
    results: Sequence[dict[str, Any]],
    names: Sequence[str],
    path: Path,
    *,
    reference: str,
    title: str,
) -> None:
    """Draw mean force errors against labels, and errors and labels over those of the reference."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 4, figsize=(15.0, 4.2), layout="constrained")
    colours = {name: plt.get_cmap("tab10").colors[n % 10] for n, name in enumerate(names)}
    for axes, test in zip(panels[:2], TESTS, strict=True):
        for name in names:
            labels, means = mean_curve([one["curves"][name] for one in results], test, FIGURE)
            style = "--" if name == reference else "-"
            axes.plot(labels, [1e3 * value for value in means], style, color=colours[name])
        axes.set(yscale="log", xlabel="labels", title=f"{test} test set")
    panels[0].set_ylabel("force RMSE, meV/A")
    summary = summarize(results, names, reference=reference)
    for axes, key, words in (
        (panels[2], "forces_over_reference", f"force RMSE at the end over {reference}"),
        (panels[3], f"labels_over_{reference}", f"labels to its error over {reference}"),
    ):
        for place, name in enumerate(names):
            for shift, test, marker in ((-0.15, "gentle", "o"), (0.15, "difficult", "s")):
                one = summary[name][test][key]
                axes.plot(
                    [one["low"], one["high"]], [place + shift] * 2, color=colours[name], alpha=0.6
                )
                is_bound = key.startswith("labels") and summary[name][test]["never_reached"]
                axes.plot(
                    one["mean"],
                    place + shift,
                    marker,
                    color=colours[name],
                    markerfacecolor="white" if is_bound else colours[name],
                    label=test if place == 0 else None,
                )
        axes.axvline(1.0, color="0.6", linewidth=0.8, zorder=0)
        axes.set(xscale="log", xlabel=words)
        low, high = axes.get_xlim()
        ticks = [tick for tick in TICKS if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(names)), [])
        axes.invert_yaxis()
    panels[2].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    panels[3].legend(fontsize=8)
    figure.suptitle(
        f"{title}, {len(results)} seeds, 95 % intervals; open: a lower bound, some never got there"
    )
    figure.savefig(path, dpi=100)


def _needed(one: Mapping[str, Any], name: str, test: str, reference: str) -> tuple[float, bool]:
    """Return the labels that a way needed for the error of the reference, and if it got there."""
    target = float(falling(one["curves"][reference], test, FIGURE)[-1])
    curve = one["curves"][name]
    labels = labels_to_reach(curve, test, FIGURE, target)
    return (curve[-1]["labels"], False) if math.isinf(labels) else (labels, True)


def _tell(name: str, found: dict[str, Any], seeds: int, reference: str) -> str:
    parts = []
    for test in TESTS:
        one = found[test]
        told = [f"{1e3 * one[FIGURE]['mean']:.1f} meV/A"]
        for key, words in (
            ("forces_over_reference", f"x {reference}'s"),
            *((key, key.replace("_", " ")) for key in one if key.startswith("labels_over_")),
        ):
            ratio = one[key]
            told.append(f"{words} {ratio['mean']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})")
        if one["never_reached"]:
            told.append(f"{one['never_reached']} of {seeds} seeds never")
        parts.append(f"{test}: {', '.join(told)}")
    return f"{name:21} " + "; ".join(parts)
