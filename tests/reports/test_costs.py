# SPDX-License-Identifier: MIT
"""Costs add up whichever way they are sorted, and are told with the forecast."""

import pytest

from aiida_alpot.campaign.forecast import CostEstimate
from aiida_alpot.reports.cost_tables import cost_lines, cost_tables
from aiida_alpot.reports.costs import (
    CampaignCosts,
    costs_of_samplers,
    costs_of_sizes,
    sampler_of_frame,
)
from aiida_alpot.workflows.job_costs import JobCost

SETTINGS = {"explore": [{"name": "nvt-hot"}, {"name": "npt"}], "exploration": None}


def job(name, stage, seconds):
    return JobCost(1, "uuid", stage, 1, name, 1, seconds, "job", False)


def entry(identifier, n_atoms, seconds, status="labelled"):
    return {
        "identifier": identifier,
        "n_atoms": n_atoms,
        "core_seconds": seconds,
        "status": status,
    }


ENTRIES = [
    entry("start_0", 4, 1.0),
    entry("turn_001/nvt-hot/bulk/000040", 32, 10.0),
    entry("turn_001/nvt-hot/bulk/000050", 32, None, "failed"),
    entry("turn_002/npt/vacancy/000010", 31, 9.0),
]


@pytest.mark.parametrize(
    ("identifier", "sampler"),
    [
        ("turn_001/nvt-hot/bulk/000040", "nvt-hot"),
        ("turn_001/gone/bulk/000040", "start"),
        ("start_0", "start"),
        ("my/own/name/of/a/cell", "start"),
    ],
)
def test_a_frame_belongs_to_the_sampler_in_its_name(identifier, sampler):
    assert sampler_of_frame(identifier, ["nvt-hot", "npt"]) == sampler


def test_each_sampler_is_charged_its_jobs_and_the_labels_of_its_frames():
    jobs = [job("nvt_hot_000", "sample", 5.0), job("nvt_hot_001", "sample", 6.0)]
    jobs += [job("npt_000", "sample", 3.0), job("fit", "fit", 99.0)]
    costs = {one.name: one for one in costs_of_samplers(SETTINGS, jobs, ENTRIES)}
    assert (costs["nvt-hot"].sampling, costs["nvt-hot"].n_labels) == (11.0, 2)
    assert (costs["npt"].sampling, costs["npt"].labels) == (3.0, 9.0)
    assert (costs["start"].n_labels, costs["start"].labels) == (1, 1.0)
    assert sum(one.labels for one in costs.values()) == 20.0


def test_sizes_are_told_from_the_smallest_cell_on():
    sizes = costs_of_sizes(ENTRIES)
    assert [(one.n_atoms, one.n_labels, one.core_seconds) for one in sizes] == [
        (4, 1, 1.0),
        (31, 1, 9.0),
        (32, 2, 10.0),
    ]


@pytest.fixture
def costs():
    return CampaignCosts(
        core_seconds=7200.0,
        stages={"sample": 1800.0, "label": 5400.0},
        sources={"scheduler": 7000.0, "job": 200.0},
        turns={-1: 100.0, 0: 2000.0, 1: 5100.0},
        samplers=tuple(costs_of_samplers(SETTINGS, [], ENTRIES)),
        sizes=tuple(costs_of_sizes(ENTRIES)),
        next_turn=CostEstimate(3600.0, 3000.0, 4400.0),
        next_labels=8,
        exponent=2.2,
        exponent_spread=0.3,
    )


def test_shares_of_stages_and_turns_add_up(costs):
    for table in cost_tables(costs)[:2]:
        shares = [float(row[-1].rstrip(" %")) for row in table.rows]
        assert sum(shares) == pytest.approx(100, abs=1.5)


def test_the_forecast_and_the_budget_are_told(costs):
    lines = cost_lines(costs, core_hours=10.0)
    assert lines[0].startswith("spent: 2 core-hours of 10 core-hours (1.94 core-hours by the sch")
    assert lines[-1] == (
        "forecast: a turn with 8 labels takes about 1 core-hour (0.833 core-hours to 1.22 "
        "core-hours, 68 %); a label costs atoms x k-points to the power 2.2 ± 0.3"
    )
