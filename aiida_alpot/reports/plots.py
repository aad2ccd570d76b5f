# SPDX-License-Identifier: MIT
"""Plots of a report as SVG text: learning curves, parity, time of each stage.

Figures are drawn without pyplot, so that nothing global changes and no display is needed. Clouds of
points are drawn as pixels inside the SVG, so that large sets stay small.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_alpot.reports.report_data import ParitySet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
START, SELECTED, GRADE = "#9aa5b1", "#d64545", "#0f609b"
TESTS = ("#0f609b", "#207868", "#8d2b0b", "#653cad", "#cb6e17")
STAGES = {"sample": "#0f609b", "select": "#9aa5b1", "label": "#d64545", "fit": "#207868"}

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "alpot",
    "svg.fonttype": "path",
}


def learning_curves(records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> str:
    """Return the errors of energy and forces and the largest grade against the turn."""
    with _style():
        figure = _figure(width=10.4, height=3.0)
        energy, forces, grade = figure.subplots(1, 3)
        turns = [record["turn"] for record in records]
        series = error_series(records)
        for axes, quantity, title in (
            (energy, "energy", "Energy, RMSE in meV/atom"),
            (forces, "forces", "Forces, RMSE in eV/Å"),
        ):
            for index, (name, values) in enumerate(series[quantity].items()):
                colour = START if name == "training" else TESTS[(index - 1) % len(TESTS)]
                axes.plot(*zip(*values, strict=True), "o-", ms=4, lw=1.6, color=colour, label=name)
            _finish_curve(axes, title, turns)
            if series[quantity]:
                axes.legend()
        _draw_grades(grade, records, settings)
        _finish_curve(grade, f"Largest {_name_of_grade(settings)} met", turns)
        return _svg(figure)


def error_series(
    records: Sequence[Mapping[str, Any]],
) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Return (turn, RMSE) of energy and forces for the training set and each test set."""
    series: dict[str, dict[str, list[tuple[int, float]]]] = {"energy": {}, "forces": {}}
    keys = {"energy": "rmse_meV_per_atom", "forces": "rmse_eV_per_A"}
    for record in records:
        errors = record.get("errors") or {}
        sets = {"training": errors.get("training"), **(errors.get("test") or {})}
        for name, one in sets.items():
            for quantity, key in keys.items():
                value = one[quantity][key] if one else None
                if value is not None:
                    series[quantity].setdefault(name, []).append((record["turn"], value))
    return series


def _draw_grades(
    axes: Axes, records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> None:
    grades = [
        (record["turn"], record["largest_grade"])
        for record in records
        if record["largest_grade"] is not None
    ]
    if grades:
        axes.plot(*zip(*grades, strict=True), "o-", ms=4, lw=1.6, color=GRADE)
    for key, colour in (("gamma_select", MUTED), ("gamma_break", SELECTED)):
        value = settings["grades"][key]
        name = key.replace("gamma", "force_deviation") if _is_of_committee(settings) else key
        axes.axhline(value, color=colour, lw=1, ls="--")
        axes.annotate(
            f"{name} {value:g}" + (" eV/A" if _is_of_committee(settings) else ""),
            (0.01, value),
            xycoords=("axes fraction", "data"),
            fontsize=7.5,
            ha="left",
            va="bottom",
            color=colour,
        )


def _is_of_committee(settings: Mapping[str, Any]) -> bool:
    return bool(settings["grades"].get("grader") == "committee")


def _name_of_grade(settings: Mapping[str, Any]) -> str:
    return "force deviation (eV/A)" if _is_of_committee(settings) else "grade"


def _finish_curve(axes: Axes, title: str, turns: Sequence[int]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title)
    axes.set_yscale("log")
    axes.set_xlabel("turn (0: start alone)")
    axes.set_xlim(-0.3, max(turns, default=1) + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label_decades(axes)


def _label_decades(axes: Axes) -> None:
    """Label decades as plain numbers, and 2 and 5 of each where the axis spans few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    labelled = (1.0, 2.0, 5.0) if high < 1000 * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=labelled))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def parity_plots(sets: Sequence[ParitySet]) -> str:
    """Return predictions against labels, with the errors below; selected points are marked."""
    with _style():
        figure = _figure(width=10.4, height=5.2)
        axes = figure.subplots(2, 2, sharex="col", height_ratios=(3, 1))
        for column, (quantity, unit, scale, error_unit) in enumerate(
            (("energy", "eV/atom", 1e3, "meV/atom"), ("forces", "eV/Å", 1e3, "meV/Å"))
        ):
            above, below = axes[0][column], axes[1][column]
            _draw_parity(above, below, sets, quantity, scale)
            above.set_title(f"{quantity.capitalize()}, {unit}")
            above.set_ylabel("potential")
            below.set_xlabel(f"label, {unit}")
            below.set_ylabel(f"error, {error_unit}")
        axes[0][0].legend(loc="upper left")
        figure.align_ylabels(axes)
        return _svg(figure)


def _draw_parity(
    above: Axes, below: Axes, sets: Sequence[ParitySet], quantity: str, scale: float
) -> None:
    tests = 0
    order = sorted(sets, key=lambda one: ("test" not in one.name, one.name != "selected"))
    for one in order:  # tests below, then what was selected, the few of the start on top
        label, predicted = getattr(one, quantity), getattr(one, f"predicted_{quantity}")
        size = 14 if quantity == "energy" else 3
        marker: dict[str, Any] = {"s": size, "linewidths": 0, "rasterized": True}
        if one.name == "selected":
            marker |= {"color": SELECTED, "marker": "D", "alpha": 0.8}
        elif one.name == "start":
            marker |= {"color": INK, "alpha": 0.9}
        else:
            marker |= {"color": TESTS[tests % len(TESTS)], "alpha": 0.5}
            tests += 1
        above.scatter(label, predicted, label=one.name, **marker)
        below.scatter(label, scale * (predicted - label), **marker)
    low, high = above.get_xlim()
    above.plot([low, high], [low, high], color=INK, lw=0.8, zorder=0)
    above.set_xlim(low, high)
    below.axhline(0, color=INK, lw=0.8, zorder=0)


def time_bars(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the time of the jobs of each stage, by turn."""
    with _style():
        figure = _figure(width=10.4, height=0.9 + 0.32 * max(len(records), 1))
        axes = figure.subplots()
        names = ["start" if record["turn"] == 0 else f"turn {record['turn']}" for record in records]
        left = np.zeros(len(records))
        for stage, colour in STAGES.items():
            seconds = np.array(
                [(record.get("seconds") or {}).get(stage) or 0.0 for record in records]
            )
            axes.barh(names, seconds, left=left, color=colour, label=stage, height=0.62)
            left += seconds
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("time of the jobs, s (jobs that run side by side are added)")
        axes.legend(ncols=4, loc="lower right", bbox_to_anchor=(1, 1.0))
        return _svg(figure)


def _style() -> Any:
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def _figure(*, width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def _svg(figure: Figure) -> str:
    """Return a figure as an SVG element that fills the width it is given."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", text, count=1)
