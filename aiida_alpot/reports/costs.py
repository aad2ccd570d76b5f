# SPDX-License-Identifier: MIT
"""What a campaign has cost, by stage, turn, sampler and size, and what its next turn will."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_alpot.campaign.forecast import CostEstimate
from aiida_alpot.workflows.accounting import (
    KnownCosts,
    costs_of_chain,
    ledgers_below,
    predecessors_of,
    sum_by,
)
from aiida_alpot.workflows.call_tree import STAGES
from aiida_alpot.workflows.forecasting import estimate_turn, law_of_forecast, make_forecast
from aiida_alpot.workflows.job_costs import JobCost
from aiida_alpot.workflows.settings import BudgetSettings, read_section


@dataclass(frozen=True)
class SamplerCost:
    """What one sampler has cost.

    Parameters
    ----------
    name : str
        Its name; "start" stands for what was given with the campaign.
    sampling : float
        Core-seconds of its jobs.
    n_labels : int
        Labels of its frames that were paid for, failed ones too.
    labels : float
        Core-seconds of those that succeeded.
    """

    name: str
    sampling: float
    n_labels: int
    labels: float


@dataclass(frozen=True)
class SizeCost:
    """What labels of cells of one size have cost.

    Parameters
    ----------
    n_atoms : int
        Of the cells.
    n_labels : int
        Paid for, failed ones too.
    core_seconds : float
        Of those that succeeded.
    """

    n_atoms: int
    n_labels: int
    core_seconds: float


@dataclass(frozen=True)
class CampaignCosts:
    """What a campaign has cost so far.

    Parameters
    ----------
    core_seconds : float
        Of all jobs.
    stages, sources : mapping
        Core-seconds by stage, and by who tells them: scheduler, job, clock.
    turns : mapping
        Core-seconds by turn; -1 is what belongs to none, such as a validation.
    samplers : tuple of SamplerCost
    sizes : tuple of SizeCost
    next_turn : CostEstimate or None
        Of a turn with as many labels as it may have, of the size that the campaign's have had.
    next_labels : int
        How many labels that are.
    exponent, exponent_spread : float or None
        Power of atoms x k-points with which the cost of a label grows.
    """

    core_seconds: float
    stages: Mapping[str, float]
    sources: Mapping[str, float]
    turns: Mapping[int, float]
    samplers: tuple[SamplerCost, ...]
    sizes: tuple[SizeCost, ...]
    next_turn: CostEstimate | None
    next_labels: int
    exponent: float | None
    exponent_spread: float | None


def read_costs(campaign: Any, known: KnownCosts | None = None) -> CampaignCosts:
    """Read what a campaign has cost from its jobs and ledgers, while it runs and afterwards.

    What the campaigns that it goes on from have cost is in it.

    Parameters
    ----------
    campaign : WorkChainNode
        A campaign.
    known : KnownCosts, optional
        Kept by the caller from one look to the next; see
        :func:`aiida_alpot.workflows.accounting.costs_of_jobs`.
    """
    settings = campaign.inputs.settings.get_dict()
    budget = read_section(settings, BudgetSettings)
    jobs = costs_of_chain(campaign, known)
    entries = [
        one
        for process in [*predecessors_of(campaign), campaign]
        for one in ledgers_below(process)
        if one["status"] in ("labelled", "failed") and "late_from" not in one
    ]
    forecast = make_forecast(campaign, budget)
    law = law_of_forecast(forecast)
    works = [one["work"] for one in entries if one.get("work")]
    next_labels = budget.labels_per_turn
    size = sum(works) / len(works) if works else 1.0
    stages = sum_by(jobs, "stage")
    return CampaignCosts(
        core_seconds=sum(job.core_seconds for job in jobs),
        stages={stage: stages[stage] for stage in STAGES if stage in stages},
        sources=sum_by(jobs, "source"),
        turns=dict(sorted(sum_by(jobs, "turn").items())),
        samplers=tuple(costs_of_samplers(settings, jobs, entries)),
        sizes=tuple(costs_of_sizes(entries)),
        next_turn=estimate_turn(forecast, [size] * next_labels),
        next_labels=next_labels,
        exponent=None if law is None else law.exponent,
        exponent_spread=None if law is None else law.exponent_spread,
    )


def costs_of_samplers(
    settings: Mapping[str, Any], jobs: Iterable[JobCost], entries: Iterable[Mapping[str, Any]]
) -> list[SamplerCost]:
    """Return what each sampler has cost, in the order of the settings."""
    from aiida_alpot.workflows.records import sampler_of_job

    names = [one["name"] for one in settings["explore"]]
    exploration = settings.get("exploration") or {}
    names += [one["name"] for one in exploration.get("explore", []) if one["name"] not in names]
    sampling = dict.fromkeys([*names, "start"], 0.0)
    for job in jobs:
        if job.stage == "sample":
            name = sampler_of_job(job.name, settings)
            sampling[name] = sampling.get(name, 0.0) + job.core_seconds
    counts = dict.fromkeys(sampling, 0)
    labels = dict.fromkeys(sampling, 0.0)
    for entry in entries:
        name = sampler_of_frame(str(entry["identifier"]), names)
        counts[name] += 1
        labels[name] += entry.get("core_seconds") or 0.0
    return [
        SamplerCost(name, sampling[name], counts.get(name, 0), labels.get(name, 0.0))
        for name in sampling
        if sampling[name] or counts.get(name)
    ]


def sampler_of_frame(identifier: str, names: Iterable[str]) -> str:
    """Return the sampler that a frame came from by its name, ``turn_001/nvt/bulk/000040``."""
    parts = identifier.split("/")
    is_frame = len(parts) >= 4 and parts[0].startswith("turn_")
    return parts[1] if is_frame and parts[1] in set(names) else "start"


def costs_of_sizes(entries: Iterable[Mapping[str, Any]]) -> list[SizeCost]:
    """Return what labels have cost by the number of atoms, the smallest cells first."""
    counts: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for entry in entries:
        n_atoms = entry.get("n_atoms")
        if n_atoms is None:  # of a ledger from before sizes were told
            continue
        counts[n_atoms] = counts.get(n_atoms, 0) + 1
        seconds[n_atoms] = seconds.get(n_atoms, 0.0) + (entry.get("core_seconds") or 0.0)
    return [SizeCost(size, counts[size], seconds[size]) for size in sorted(counts)]
