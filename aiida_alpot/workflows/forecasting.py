# SPDX-License-Identifier: MIT
"""What the next turn of a campaign will cost, and how many labels that leaves room for.

A forecast is plain JSON: ``law`` (of :class:`~aiida_alpot.campaign.forecast.CostLaw`, or null),
``other_core_seconds`` of sampling, selecting, fitting and measuring, and ``core_seconds_left`` of
the budget, null without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from aiida import orm

from aiida_alpot.campaign.forecast import (
    CostEstimate,
    CostLaw,
    affordable_labels,
    fit_cost_law,
    shown_core_time,
)
from aiida_alpot.workflows.accounting import costs_of_chain, ledgers_below, predecessors_of
from aiida_alpot.workflows.job_costs import JobCost
from aiida_alpot.workflows.settings import BudgetSettings


def law_of_ledger(entries: Iterable[Mapping[str, Any]]) -> CostLaw | None:
    """Return what labels have cost by their size, None where none was paid for."""
    paid = [
        (entry["work"], entry["core_seconds"])
        for entry in entries
        if entry["status"] == "labelled" and entry.get("core_seconds") and entry.get("work")
    ]
    return fit_cost_law([work for work, _ in paid], [seconds for _, seconds in paid])


def other_core_seconds(costs: Iterable[JobCost]) -> float:
    """Return what the last turn took beside its labels; before the first one that of its fit."""
    by_turn: dict[int, float] = {}
    for cost in costs:
        if cost.stage != "label" and cost.turn >= 0:
            by_turn[cost.turn] = by_turn.get(cost.turn, 0.0) + cost.core_seconds
    return by_turn[max(by_turn)] if by_turn else 0.0


def make_forecast(campaign: orm.ProcessNode, budget: BudgetSettings) -> dict[str, Any]:
    """Return the forecast of the next turn of a campaign.

    What its predecessors have spent is off its budget, and what they know of costs is known.
    """
    costs = costs_of_chain(campaign)
    chain = [*predecessors_of(campaign), campaign]
    law = law_of_ledger([entry for one in chain for entry in ledgers_below(one)])
    left = None
    if budget.core_hours is not None:
        left = budget.core_hours * 3600.0 - sum(cost.core_seconds for cost in costs)
    return {
        "law": None if law is None else law.as_dict(),
        "other_core_seconds": other_core_seconds(costs),
        "core_seconds_left": left,
    }


def law_of_forecast(forecast: Mapping[str, Any] | None) -> CostLaw | None:
    """Return the law that a forecast holds, None where it holds none."""
    law = (forecast or {}).get("law")
    return None if law is None else CostLaw.from_dict(law)


def estimate_turn(forecast: Mapping[str, Any], works: Sequence[float]) -> CostEstimate | None:
    """Return what a turn with labels of these sizes costs, None where nothing is known of labels.

    What a turn takes beside its labels is taken to be known within a third.
    """
    law, other = law_of_forecast(forecast), forecast["other_core_seconds"]
    if law is None:
        return None
    return law.estimate(works) + CostEstimate(other, other * 2 / 3, other * 4 / 3)


def room_for_labels(forecast: Mapping[str, Any] | None, works: Sequence[float], most: int) -> int:
    """Return how many labels fit into what is left of the core-hours, at most ``most``.

    Parameters
    ----------
    forecast : mapping or None
        None leaves room for all.
    works : sequence of float
        Atoms x k-points of the candidates, whose mean stands for each label.
    most : int
        How many are wanted.
    """
    left = None if forecast is None else forecast["core_seconds_left"]
    if forecast is None or left is None:
        return most
    remaining = left - forecast["other_core_seconds"]
    if remaining <= 0:
        return 0
    law = law_of_forecast(forecast)
    if law is None or not len(works):
        return most
    return affordable_labels(law, [sum(works) / len(works)] * most, remaining)


def spent_budget(
    campaign: orm.ProcessNode, budget: BudgetSettings, forecast: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return which limit of hours forbids another turn, and what is left of it in words.

    Returns
    -------
    tuple of str or None
        Label of the exit code and what was spent.
    """
    left = forecast["core_seconds_left"]
    if left is not None and budget.core_hours is not None:
        total = budget.core_hours * 3600.0
        used = f"{shown_core_time(total - left)} of {shown_core_time(total)} are spent"
        if left <= 0:
            return "VERDICT_CORE_HOURS", used
        law = law_of_forecast(forecast)
        least = forecast["other_core_seconds"]
        least += law.estimate([law.reference]).middle if law is not None else 0.0
        if least > left:
            needs = f"{used}, and a turn with one label takes about {shown_core_time(least)}"
            return "VERDICT_CORE_HOURS", needs
    if budget.wall_hours is not None:
        hours = (datetime.now(timezone.utc) - campaign.ctime).total_seconds() / 3600.0
        if hours >= budget.wall_hours:
            return "VERDICT_WALL_TIME", f"{hours:.3g} of {budget.wall_hours:g} hours have passed"
    return None
