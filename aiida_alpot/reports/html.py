# SPDX-License-Identifier: MIT
"""The report of a campaign: one HTML file that holds all it needs, for the screen and for paper."""

from __future__ import annotations

from html import escape
from importlib import resources

from aiida_alpot.reports.html_records import (
    ledger_section,
    nodes_section,
    settings_section,
    stops_section,
    times_section,
    turns_section,
    warnings_section,
)
from aiida_alpot.reports.html_results import (
    costs_section,
    criterion_section,
    learning_section,
    outcome_section,
    parity_section,
    reliability_section,
)
from aiida_alpot.reports.report_data import ReportData
from aiida_alpot.reports.tables import duration


def render_report(data: ReportData) -> str:
    """Return the report as the text of one HTML file without any outside resource."""
    sections = [
        _section("What was reached", outcome_section(data)),
        _section("Is it finished?", criterion_section(data)),
        _section("Learning curves", learning_section(data)),
        _section("Predictions against labels", parity_section(data)),
        _section("What the uncertainty was worth", reliability_section(data)),
        _section("Turns", turns_section(data)),
        _section("What fits warned about", warnings_section(data)),
        _section("Why each sampler stopped", stops_section(data)),
        _section("Label ledger", ledger_section(data)),
        _section("Time of each stage", times_section(data)),
        _section("What it cost", costs_section(data)),
        _section("Settings", settings_section(data)),
        _section("Where everything is", nodes_section(data)),
    ]
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(data.progress.name)} – alpot report</title>\n"
        f"<style>\n{_css()}</style>\n</head>\n<body>\n<main>\n"
        f"{_header(data)}\n{''.join(sections)}{_footer(data)}\n</main>\n</body>\n</html>\n"
    )


def _css() -> str:
    return resources.files("aiida_alpot.reports").joinpath("report.css").read_text("utf-8")


def _section(title: str, content: str) -> str:
    anchor = title.lower().replace(" ", "-")
    return f"<section id='{anchor}'>\n<h2>{title}</h2>\n{content}\n</section>\n" if content else ""


def _header(data: ReportData) -> str:
    progress, settings = data.progress, data.settings
    potential, label = settings["potential"], settings["label"]
    calls = sum(entry["status"] in ("labelled", "failed") for entry in data.ledger)
    known = sum(entry["status"] == "looked_up" for entry in data.ledger)
    facts = {
        "Species": " ".join(settings["species"]),
        "Potential": f"level {potential['level']}, cutoff {potential['cutoff']:g} Å",
        "Labels by": str(label["calculator"]["name"]),
        "Label calls": f"{calls} of {settings['budget']['labels']}"
        + (f" (+{known} known)" if known else ""),
        "Turns": f"{max((turn.turn for turn in progress.turns), default=0)} of "
        f"{settings['budget']['turns']}",
        "Time": duration(progress.seconds),
    }
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items()
    )
    return (
        f"<header>\n<p class='kind'>Active learning of a moment tensor potential</p>\n"
        f"<h1>{escape(progress.name)}</h1>\n"
        f"<p class='verdict {_verdict_class(data)}'>{escape(_verdict(data))}</p>\n"
        f"<dl class='facts'>{cells}</dl>\n</header>"
    )


def _verdict(data: ReportData) -> str:
    verdict = data.progress.verdict
    n_targets = len(data.outcome.targets)
    missed = n_targets - data.outcome.n_met
    if data.progress.is_finished and missed:
        return f"{verdict}; {missed} of {n_targets} targets missed"
    return verdict


def _verdict_class(data: ReportData) -> str:
    progress = data.progress
    if not progress.is_finished:
        return "running"
    if progress.exit_status == 0:
        return "good" if data.outcome.targets_met else "warn"
    return "warn" if (progress.exit_status or 0) >= 500 else "bad"


def _footer(data: ReportData) -> str:
    written = data.written.strftime("%Y-%m-%d %H:%M UTC")
    return f"<footer>Written by alpot report on {written}.</footer>"
