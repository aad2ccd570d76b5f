# SPDX-License-Identifier: MIT
"""Sections of the report about what a campaign came to: targets, criterion, errors, costs.

Each is empty where there is nothing to tell.
"""

from __future__ import annotations

import math
from html import escape

from aiida_alpot.campaign.forecast import shown_core_time
from aiida_alpot.reports.cost_tables import cost_tables, forecast_line
from aiida_alpot.reports.html_elements import make_table, pretty, show_grade, show_picture
from aiida_alpot.reports.outcome import Figure
from aiida_alpot.reports.plots import learning_curves, parity_plots
from aiida_alpot.reports.reliability_plot import reliability_plot
from aiida_alpot.reports.report_data import ReportData


def outcome_section(data: ReportData) -> str:
    """Return what was reached of what was asked for."""
    outcome = data.outcome
    if not outcome.figures and not outcome.failures:
        return ""
    rows, subject = [], ""
    for figure in outcome.figures:
        if figure.subject != subject:
            subject = figure.subject
            rows.append(f"<tr class='group'><th colspan='6'>{escape(subject)}</th></tr>")
        rows.append(_figure_row(figure))
    said = (
        f"<p>{outcome.n_met} of {len(outcome.targets)} targets met; the potential of the start "
        f"alone misses {outcome.n_missed_before} of them.</p>"
        if outcome.targets
        else ""
    )
    failures = "".join(f"<p class='bad-text'>Failed: {escape(one)}</p>" for one in outcome.failures)
    head = ("", "start alone", "at the end", "reference", "target", "")
    return said + make_table(head, rows, numbers=(1, 2, 3, 4)) + failures


def _figure_row(figure: Figure) -> str:
    unit = f" <span class='unit'>{escape(pretty(figure.unit))}</span>" if figure.unit else ""
    badge = {
        True: "<span class='badge good'>met</span>",
        False: "<span class='badge bad'>missed</span>",
        None: "",
    }[figure.met]
    before = "bad-text" if figure.met_before is False else ""
    reference = "" if figure.reference is None else f"{figure.reference:.6g}"
    return (
        f"<tr><td>{escape(figure.name)}{unit}</td>"
        f"<td class='n {before}'>{_value(figure, figure.before)}</td>"
        f"<td class='n'>{_value(figure, figure.after)}</td><td class='n'>{reference}</td>"
        f"<td class='n'>{escape(pretty(figure.target_text))}</td><td>{badge}</td></tr>"
    )


def _value(figure: Figure, value: float | None) -> str:
    if value is None:
        return "–"
    number, deviation = figure.shown(value)
    return f"{number} <span class='unit'>({deviation})</span>" if deviation else number


def criterion_section(data: ReportData) -> str:
    """Return which conditions hold after the latest turn, and after each turn before."""
    judged = [turn for turn in data.progress.turns if turn.criterion]
    if not judged:
        return ""
    rows = []
    for turn in reversed(judged):
        head = f"turn {turn.turn}: {turn.held} of {turn.asked} in a row"
        rows.append(f"<tr class='group'><th colspan='3'>{head}</th></tr>")
        rows += [
            f"<tr><td>{escape(str(one['name']))}</td><td>{_held(bool(one['holds']))}</td>"
            f"<td>{escape(pretty(str(one['detail'])))}</td></tr>"
            for one in turn.criterion
        ]
    latest = data.records[-1] if data.records else {}
    reason = str(latest.get("reason", ""))
    said = f"<p>{escape(pretty(reason.capitalize()))}.</p>" if reason else ""
    return said + make_table(("condition", "", "what was found"), rows)


def _held(holds: bool) -> str:
    """Return the badge of a condition."""
    kind, word = ("good", "holds") if holds else ("bad", "not yet")
    return f"<span class='badge {kind}'>{word}</span>"


def learning_section(data: ReportData) -> str:
    """Return how the errors fell."""
    if not data.records:
        return ""
    return show_picture(learning_curves(data.records, data.settings))


def parity_section(data: ReportData) -> str:
    """Return predictions drawn against labels."""
    if not data.parity:
        return ""
    counts = ", ".join(
        f"{escape(one.name)} {len(one.energy)}"
        + (f" and {one.n_chunks} chunks, of which one force each" if one.n_chunks else "")
        for one in data.parity
    )
    return f"<p>Configurations: {counts}.</p>" + show_picture(parity_plots(data.parity))


def reliability_section(data: ReportData) -> str:
    """Return what the uncertainties were worth."""
    if not data.reliability:
        return ""
    rows = []
    for one in data.reliability:
        cells = [
            f"{one.turn}",
            f"{one.calibration.n_atoms}",
            show_grade(_finite(one.calibration.rank_correlation())),
            show_grade(_finite(one.factor)),
            show_grade(_finite(one.coverage)),
        ]
        rows.append("<tr>" + "".join(f"<td class='n'>{cell}</td>" for cell in cells) + "</tr>")
    head = ["turn", "atoms", "rank correlation", "factor of the turns before", "share within it"]
    note = (
        "<p class='note'>Uncertainties and forces are those that were predicted before the frames "
        "were labelled, for training, tests and audits. The factor times the uncertainty is to "
        "bound the error of the force on 99 % of the atoms.</p>"
    )
    table = make_table(head, rows, numbers=range(len(head)))
    return note + show_picture(reliability_plot(data.reliability)) + table


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def costs_section(data: ReportData) -> str:
    """Return what it cost."""
    if data.costs is None or not data.costs.core_seconds:
        return ""
    parts = [
        f"<h3>{escape(table.title)}</h3>"
        + make_table(
            table.head,
            [
                "<tr>"
                + "".join(
                    f"<td class='{'n' if column else ''}'>{escape(cell)}</td>"
                    for column, cell in enumerate(row)
                )
                + "</tr>"
                for row in table.rows
            ],
            numbers=range(1, len(table.head)),
        )
        for table in cost_tables(data.costs)
    ]
    spent = shown_core_time(data.costs.core_seconds)
    told = f"<p>{escape(spent)} in all. {escape(forecast_line(data.costs).capitalize())}.</p>"
    return told + "".join(parts)
