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
FEWER_TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
DECADES = tuple(digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5))
BIASED = "_biased"


def summarize(
    results: Sequence[dict[str, Any]],
    names: Sequence[str],
    *,
    reference: str,
    others: Sequence[str] = (),
) -> dict[str, Any]:
    """Return errors at the end, and labels needed, over those of one or more references.

    The target in each seed is the error that ``reference`` ends with. A way that never reaches it
    counts with the labels that it had at its end, and is counted: such a ratio is a lower bound.
    There is no ratio to another way that never reached it itself.
    """
    summary: dict[str, Any] = {"lines": []}
    for name in names:
        found: dict[str, Any] = {}
        for test in TESTS:
            mine = [_needed(one, name, test, reference) for one in results]
            last = [one["curves"][name][-1][test] for one in results]
            found[test] = {"never_reached": sum(not reached for _, reached in mine)}
            for base in (reference, *others):
                theirs = [_needed(one, base, test, reference) for one in results]
                ends = [one["curves"][base][-1][test] for one in results]
                found[test][f"labels_over_{base}"] = (
                    interval([own[0] / other[0] for own, other in zip(mine, theirs, strict=True)])
                    if all(reached for _, reached in theirs)
                    else None
                )
                found[test][f"forces_over_{base}"] = interval(
                    [own[FIGURE] / other[FIGURE] for own, other in zip(last, ends, strict=True)]
                )
            found[test] |= {figure: interval([each[figure] for each in last]) for figure in last[0]}
        summary[name] = found
        summary["lines"].append(_tell(name, found, len(results), (reference, *others)))
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

    figure, panels = plt.subplots(1, 4, figsize=(15.0, 4.6), layout="constrained")
    plain = [name for name in names if not name.endswith(BIASED)]
    tab10 = plt.get_cmap("tab10").colors
    colours = {name: tab10[plain.index(name.removesuffix(BIASED)) % 10] for name in names}
    for axes, test in zip(panels[:2], TESTS, strict=True):
        for name in names:
            labels, means = mean_curve([one["curves"][name] for one in results], test, FIGURE)
            style = "--" if name == reference else ":" if name.endswith(BIASED) else "-"
            axes.plot(labels, [1e3 * value for value in means], style, color=colours[name])
        axes.set(yscale="log", xlabel="labels", title=f"{test} test set")
        axes.set_ylabel("force RMSE, meV/A, mean over seeds")
        plain_numbers(axes.yaxis)
    summary = summarize(results, names, reference=reference)
    for axes, key, words in (
        (panels[2], f"forces_over_{reference}", f"force RMSE at the end over that of {reference}"),
        (panels[3], f"labels_over_{reference}", f"labels to the last error of {reference}, ratio"),
    ):
        for place, name in enumerate(names):
            for shift, test, marker in ((-0.15, "gentle", "o"), (0.15, "difficult", "s")):
                one = summary[name][test][key]
                axes.plot(
                    [one["low"], one["high"]], [place + shift] * 2, color=colours[name], alpha=0.6
                )
                is_bound = key.startswith("labels") and summary[name][test]["never_reached"]
                face = "white" if is_bound else colours[name]
                axes.plot(
                    one["mean"], place + shift, marker, color=colours[name], markerfacecolor=face
                )
        axes.axvline(1.0, color="0.6", linewidth=0.8, zorder=0)
        axes.set(xscale="log", xlabel=words)
        low, high = axes.get_xlim()
        ticks = [
            tick for tick in (FEWER_TICKS if high > 20 * low else TICKS) if low <= tick <= high
        ]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_yticks(range(len(names)), [])
        axes.invert_yaxis()
    panels[2].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    for told, name in zip(panels[2].get_yticklabels(), names, strict=True):
        told.set_color(colours[name])
    for test, marker in (("gentle", "o"), ("difficult", "s")):
        panels[2].plot([], [], marker, color="0.4", label=test)
    figure.legend(loc="outside lower right", ncols=2, fontsize=9, frameon=False)
    dotted = "; dotted: with a bias" if len(plain) < len(names) else ""
    figure.suptitle(
        f"{title}, {len(results)} seeds, 95 % intervals; open: a lower bound, some never got there"
        f"{dotted}"
    )
    figure.savefig(path, dpi=100)


def plain_numbers(axis: Any) -> None:
    """Let the ticks of a drawn logarithmic axis be 1, 2, 5, 10, ..., or more, in plain figures."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    is_narrow = high < 8 * low
    axis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 6, 7) if is_narrow else (1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _needed(one: Mapping[str, Any], name: str, test: str, reference: str) -> tuple[float, bool]:
    """Return the labels that a way needed for the error of the reference, and if it got there."""
    target = float(falling(one["curves"][reference], test, FIGURE)[-1])
    curve = one["curves"][name]
    labels = labels_to_reach(curve, test, FIGURE, target)
    return (curve[-1]["labels"], False) if math.isinf(labels) else (labels, True)


def _tell(name: str, found: dict[str, Any], seeds: int, bases: Sequence[str]) -> str:
    parts = []
    for test in TESTS:
        one = found[test]
        told = [f"{1e3 * one[FIGURE]['mean']:.1f} meV/A"]
        for base in (base for base in bases if base != name):
            for words, ratio in (
                (f"x that of {base}", one[f"forces_over_{base}"]),
                (f"labels over {base}", one[f"labels_over_{base}"]),
            ):
                if ratio is not None:
                    mean, low, high = (ratio[key] for key in ("mean", "low", "high"))
                    told.append(f"{words} {mean:.2f} ({low:.2f}-{high:.2f})")
        if one["never_reached"]:
            told.append(f"{one['never_reached']} of {seeds} seeds never")
        parts.append(f"{test}: {', '.join(told)}")
    return f"{name:21} " + "; ".join(parts)


def draw_by_seed(
    values: Mapping[int, Sequence[float]],
    labels: Sequence[str],
    path: Path,
    *,
    title: str,
    what: str,
) -> None:
    """Draw a value of each way on a logarithmic axis, a line a seed: the comparison is paired."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    for seed, mine in values.items():
        axes.plot(range(len(labels)), mine, "o-", linewidth=0.8, alpha=0.7, label=seed)
    axes.legend(title="seed", frameon=False)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(yscale="log", title=title)
    low, high = axes.get_ylim()
    ticks = [tick for tick in DECADES if low < tick < high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylabel(what)
    figure.savefig(path, dpi=120)
