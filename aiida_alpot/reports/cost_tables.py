# SPDX-License-Identifier: MIT
"""Costs of a campaign as rows of text, for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiida_alpot.campaign.forecast import CostEstimate, shown_core_time
from aiida_alpot.reports.costs import CampaignCosts
from aiida_alpot.reports.tables import STAGE_NAMES


@dataclass(frozen=True)
class CostTable:
    """Some costs with a head; all cells but the first of a row are numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cost_tables(costs: CampaignCosts) -> list[CostTable]:
    """Return the costs by stage, turn, sampler and size of cell; empty tables are left out."""
    total = costs.core_seconds
    tables = [
        CostTable(
            "By stage",
            ("stage", "core-seconds", "share"),
            tuple(
                (STAGE_NAMES[stage], _seconds(cost), _share(cost, total))
                for stage, cost in costs.stages.items()
            ),
        ),
        CostTable(
            "By turn",
            ("turn", "core-seconds", "share"),
            tuple(
                (_turn(turn), _seconds(cost), _share(cost, total))
                for turn, cost in costs.turns.items()
            ),
        ),
        CostTable(
            "By sampler",
            ("sampler", "sampling, core-s", "labels", "labels, core-s"),
            tuple(
                (one.name, _seconds(one.sampling), str(one.n_labels), _seconds(one.labels))
                for one in costs.samplers
            ),
        ),
        CostTable(
            "By size of cell",
            ("atoms", "labels", "core-seconds", "each"),
            tuple(
                (
                    str(one.n_atoms),
                    str(one.n_labels),
                    _seconds(one.core_seconds),
                    _seconds(one.core_seconds / one.n_labels),
                )
                for one in costs.sizes
            ),
        ),
    ]
    return [table for table in tables if table.rows]


def cost_lines(costs: CampaignCosts, *, core_hours: float | None = None) -> list[str]:
    """Return the costs as lines of text.

    Parameters
    ----------
    costs : CampaignCosts
        See :func:`aiida_alpot.reports.costs.read_costs`.
    core_hours : float, optional
        The budget.
    """
    of = "" if core_hours is None else f" of {shown_core_time(3600.0 * core_hours)}"
    lines = [f"spent: {shown_core_time(costs.core_seconds)}{of}{_sources(costs)}"]
    for table in cost_tables(costs):
        lines += ["", table.title, *(f"  {line}" for line in _aligned([table.head, *table.rows]))]
    return [*lines, "", forecast_line(costs)]


def forecast_line(costs: CampaignCosts) -> str:
    """Return what the next turn will cost, in one line."""
    if costs.next_turn is None or costs.exponent is None:
        return "forecast: no label has been paid for yet"
    grows = f"{costs.exponent:.1f} ± {costs.exponent_spread:.1f}"
    return (
        f"forecast: a turn with {costs.next_labels} labels takes "
        f"{shown_estimate(costs.next_turn)}; a label costs atoms x k-points to the power {grows}"
    )


def shown_estimate(estimate: CostEstimate) -> str:
    """Return an estimate with its interval."""
    ends = f"{shown_core_time(estimate.low)} to {shown_core_time(estimate.high)}"
    return f"about {shown_core_time(estimate.middle)} ({ends}, 68 %)"


def _sources(costs: CampaignCosts) -> str:
    """Return who told the costs, where it was not the jobs themselves."""
    known = {"scheduler": "by the scheduler's accounting", "clock": "by the clock"}
    told = [
        f"{shown_core_time(costs.sources[name])} {words}"
        for name, words in known.items()
        if costs.sources.get(name)
    ]
    return f" ({', '.join(told)})" if told else ""


def _turn(turn: int) -> str:
    return {-1: "validation", 0: "start"}.get(turn, str(turn))


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _share(value: float, total: float) -> str:
    return f"{100 * value / total:.0f} %" if total else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
