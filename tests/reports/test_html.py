# SPDX-License-Identifier: MIT
"""The report is one file that needs nothing else, says everything, and trusts no text."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from aiida_alpot.campaign.forecast import CostEstimate
from aiida_alpot.reports.costs import CampaignCosts, SamplerCost, SizeCost
from aiida_alpot.reports.html import render_report

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Outline(HTMLParser):
    """Collects tags, addresses and text, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="session")
def report(report_data):
    return render_report(report_data)


CONDITIONS = (
    {"name": "rate", "holds": True, "detail": "0 of 600 <frames> extrapolate"},
    {"name": "audit", "holds": False, "detail": "forces 0.09 eV/A, target 0.05"},
)


def test_the_criterion_and_the_costs_are_told(report_data):
    turns = [*report_data.progress.turns]
    turns[-1] = dataclasses.replace(turns[-1], criterion=CONDITIONS, held=0, asked=2)
    progress = dataclasses.replace(report_data.progress, turns=tuple(turns))
    costs = CampaignCosts(
        core_seconds=7200.0,
        stages={"sample": 1800.0, "label": 5400.0},
        sources={"job": 7200.0},
        turns={0: 3600.0, 1: 3600.0},
        samplers=(SamplerCost("hot <b>", 1800.0, 4, 5400.0),),
        sizes=(SizeCost(108, 4, 5400.0),),
        next_turn=CostEstimate(3600.0, 3000.0, 4000.0),
        next_labels=8,
        exponent=2.2,
        exponent_spread=0.3,
    )
    text = render_report(dataclasses.replace(report_data, progress=progress, costs=costs))
    Outline(text)
    for words in (
        "turn 2: 0 of 2 in a row",
        "0 of 600 &lt;frames&gt; extrapolate",
        "not yet",
        "By size of cell",
        "2 core-hours in all",
        "hot &lt;b&gt;",
        "68 %",
    ):
        assert words in text


def test_every_tag_is_closed(report):
    assert Outline(report).open == []


def test_nothing_is_loaded_from_outside(report):
    outline = Outline(report)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in outline.addresses)
    assert not {"script", "link", "iframe", "img"} & set(outline.tags)
    assert "@import" not in report
    assert "url(http" not in report


def test_text_of_the_campaign_is_never_markup(report):
    assert "copper &amp; &lt;script&gt;" in report
    assert "hot &lt;b&gt;" in report
    assert "a &lt;comment&gt;" in report
    assert "<script>" not in report


@pytest.mark.parametrize(
    "title",
    [
        "What was reached",
        "Learning curves",
        "Predictions against labels",
        "Turns",
        "Why each sampler stopped",
        "Label ledger",
        "Time of each stage",
        "Settings",
        "Where everything is",
    ],
)
def test_every_section_is_there(title, report):
    assert f"<h2>{title}</h2>" in report


def test_it_holds_three_plots_with_the_selected_points_named(report):
    assert report.count("<svg ") == 3
    assert "Configurations: start 6, selected 6, test hot 6." in report


def test_stops_failures_and_uuids_are_told(report):
    text = " ".join(Outline(report).text)
    assert "grade 12.1 > gamma_break 10 at step 40" in text
    assert "SCF did not converge in 333 steps" in text
    assert "campaign-uuid" in text
    assert "potential-uuid" in text
    assert "2 passed, 1 duplicate" in text


def test_warnings_of_every_fit_are_told(report_data, report):
    assert "What fits warned about" not in report
    turns = [
        dataclasses.replace(turn, warnings=(f"label <{turn.turn}> is off",))
        for turn in report_data.progress.turns
    ]
    progress = dataclasses.replace(report_data.progress, turns=tuple(turns))
    warned = render_report(dataclasses.replace(report_data, progress=progress))
    assert Outline(warned).open == []
    assert "<h2>What fits warned about</h2>" in warned
    assert "label &lt;0&gt; is off" in warned
    assert "label &lt;2&gt; is off" in warned


def test_targets_are_shown_with_figures_before_and_after(report):
    text = " ".join(Outline(report).text)
    assert "2 of 2 targets met; the potential of the start alone misses 1 of them." in text
    assert re.search(r"1\.4\s+\(\+0\.18\)", text)


def test_the_same_data_give_the_same_bytes(report, report_data):
    assert render_report(report_data) == report


def test_a_campaign_that_has_just_started_can_be_reported(report_data):
    progress = dataclasses.replace(
        report_data.progress, state="waiting", exit_status=None, turns=(), doing="starting"
    )
    nothing = dataclasses.replace(report_data.outcome, figures=(), failures=())
    early = dataclasses.replace(
        report_data, progress=progress, records=(), ledger=(), parity=(), outcome=nothing
    )
    assert "starting" in render_report(early)
