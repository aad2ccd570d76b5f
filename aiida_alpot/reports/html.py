# SPDX-License-Identifier: MIT
"""The report of a campaign: one HTML file that holds all it needs, for the screen and for paper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from aiida_alpot.campaign.forecast import shown_core_time
from aiida_alpot.reports.cost_tables import cost_tables, forecast_line
from aiida_alpot.reports.outcome import Figure
from aiida_alpot.reports.plots import learning_curves, parity_plots, time_bars
from aiida_alpot.reports.reliability import reliability_plot
from aiida_alpot.reports.report_data import ReportData
from aiida_alpot.reports.tables import COLUMNS, duration, turn_cells

MOST_ROWS_OPEN = 40


def render_report(data: ReportData) -> str:
    """Return the report as the text of one HTML file without any outside resource."""
    sections = [
        _section("What was reached", _outcome(data)),
        _section("Is it finished?", _criterion(data)),
        _section("Learning curves", _learning(data)),
        _section("Predictions against labels", _parity(data)),
        _section("What the uncertainty was worth", _reliability(data)),
        _section("Turns", _turns(data)),
        _section("What fits warned about", _warnings(data)),
        _section("Why each sampler stopped", _stops(data)),
        _section("Label ledger", _ledger(data)),
        _section("Time of each stage", _times(data)),
        _section("What it cost", _costs(data)),
        _section("Settings", _settings(data)),
        _section("Where everything is", _nodes(data)),
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


def _outcome(data: ReportData) -> str:
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
    return said + _table(head, rows, numbers=(1, 2, 3, 4)) + failures


def _criterion(data: ReportData) -> str:
    """Return which conditions hold after the latest turn, and those of each turn before."""
    judged = [turn for turn in data.progress.turns if turn.criterion]
    if not judged:
        return ""
    rows = []
    for turn in reversed(judged):
        head = f"turn {turn.turn}: {turn.held} of {turn.asked} in a row"
        rows.append(f"<tr class='group'><th colspan='3'>{head}</th></tr>")
        rows += [
            f"<tr><td>{escape(str(one['name']))}</td><td>{_held(bool(one['holds']))}</td>"
            f"<td>{escape(_pretty(str(one['detail'])))}</td></tr>"
            for one in turn.criterion
        ]
    latest = data.records[-1] if data.records else {}
    reason = str(latest.get("reason", ""))
    said = f"<p>{escape(_pretty(reason.capitalize()))}.</p>" if reason else ""
    return said + _table(("condition", "", "what was found"), rows)


def _held(holds: bool) -> str:
    """Return the badge of a condition."""
    kind, word = ("good", "holds") if holds else ("bad", "not yet")
    return f"<span class='badge {kind}'>{word}</span>"


def _costs(data: ReportData) -> str:
    if data.costs is None or not data.costs.core_seconds:
        return ""
    parts = [
        f"<h3>{escape(table.title)}</h3>"
        + _table(
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


def _figure_row(figure: Figure) -> str:
    unit = f" <span class='unit'>{escape(_pretty(figure.unit))}</span>" if figure.unit else ""
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
        f"<td class='n'>{escape(_pretty(figure.target_text))}</td><td>{badge}</td></tr>"
    )


def _value(figure: Figure, value: float | None) -> str:
    if value is None:
        return "–"
    number, deviation = figure.shown(value)
    return f"{number} <span class='unit'>({deviation})</span>" if deviation else number


def _pretty(text: str) -> str:
    pretty = text.replace("A^3", "Å³").replace("/A", "/Å").replace(" A", " Å")
    return "Å" if pretty == "A" else pretty


def _learning(data: ReportData) -> str:
    if not data.records:
        return ""
    return _picture(learning_curves(data.records, data.settings))


def _parity(data: ReportData) -> str:
    if not data.parity:
        return ""
    counts = ", ".join(
        f"{escape(one.name)} {len(one.energy)}"
        + (f" and {one.n_chunks} chunks, of which one force each" if one.n_chunks else "")
        for one in data.parity
    )
    return f"<p>Configurations: {counts}.</p>" + _picture(parity_plots(data.parity))


def _reliability(data: ReportData) -> str:
    if not data.reliability:
        return ""
    rows = []
    for one in data.reliability:
        cells = [
            f"{one.turn}",
            f"{one.calibration.n_atoms}",
            _grade(_finite(one.calibration.rank_correlation())),
            _grade(_finite(one.factor)),
            _grade(_finite(one.coverage)),
        ]
        rows.append("<tr>" + "".join(f"<td class='n'>{cell}</td>" for cell in cells) + "</tr>")
    head = ["turn", "atoms", "rank correlation", "factor of the turns before", "share within it"]
    note = (
        "<p class='note'>Uncertainties and forces are those that were predicted before the frames "
        "were labelled, for training, tests and audits. The factor times the uncertainty is to "
        "bound the error of the force on 99 % of the atoms.</p>"
    )
    table = _table(head, rows, numbers=range(len(head)))
    return note + _picture(reliability_plot(data.reliability)) + table


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _turns(data: ReportData) -> str:
    rows = []
    for turn in data.progress.turns:
        cells = turn_cells(turn)
        values = "".join(
            f"<td class='{'' if name in ('turn', 'stage') else 'n'}'>{escape(cells[name])}</td>"
            for name, _ in COLUMNS
        )
        rows.append(f"<tr>{values}</tr>")
    head = [_pretty(title.replace("\n", " ")) for _, title in COLUMNS]
    note = (
        "<p class='note'>Errors are of the worst test set, or of the training set where marked.</p>"
    )
    return _table(head, rows, numbers=range(2, len(COLUMNS))) + note


def _warnings(data: ReportData) -> str:
    parts = []
    for turn in data.progress.turns:
        if turn.warnings:
            items = "".join(f"<li>{escape(_pretty(message))}</li>" for message in turn.warnings)
            name = "Start" if turn.turn == 0 else f"Turn {turn.turn}"
            name += ", refitted" if turn.is_refit else ""
            parts.append(f"<h3>{name}</h3><ul>{items}</ul>")
    return "".join(parts)


def _stops(data: ReportData) -> str:
    parts = []
    with_samples = [record for record in data.records if record["samples"]]
    n_rows = sum(len(record["samples"]) for record in with_samples)
    for record in with_samples:
        rows = [_stop_row(chain, data.settings) for chain in record["samples"]]
        head = ("sampler", "start", "steps", "frames", "largest grade", "kept", "why it stopped")
        is_open = n_rows <= MOST_ROWS_OPEN or record is with_samples[-1]
        gate = ", ".join(
            f"{count} {rule.replace('_', ' ')}" for rule, count in record["gate"].items()
        )
        told = f"<p class='note'>Candidates: {record['n_candidates']}" + (
            f", of which {escape(gate)}" if gate else ""
        )
        title = f"Turn {record['turn']}: largest grade {_grade(record['largest_grade'])}"
        parts.append(
            f"<details{' open' if is_open else ''}><summary>{title}</summary>"
            f"{_table(head, rows, numbers=(2, 3, 4, 5))}{told}</p></details>"
        )
    return "".join(parts)


def _stop_row(chain: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    beyond = (chain["largest_grade"] or 0) > settings["grades"]["gamma_select"]
    calm = chain["completed"] and not beyond
    return (
        f"<tr><td>{escape(str(chain['sampler']))}</td><td>{escape(str(chain['chain']))}</td>"
        f"<td class='n'>{chain.get('steps', '–')}</td><td class='n'>{chain.get('frames', '–')}</td>"
        f"<td class='n {'' if calm else 'bad-text'}'>{_grade(chain['largest_grade'])}</td>"
        f"<td class='n'>{chain.get('kept', 0)}</td>"
        f"<td>{escape(_pretty(str(chain['reason'])))}</td></tr>"
    )


def _grade(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _ledger(data: ReportData) -> str:
    if not data.ledger:
        return ""
    counts: dict[str, int] = {}
    for entry in data.ledger:
        counts[entry["status"]] = counts.get(entry["status"], 0) + 1
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    rows = [_ledger_row(entry) for entry in data.ledger]
    head = ("configuration", "turn", "status", "time, s", "attempt", "job", "reason")
    table = _table(head, rows, numbers=(1, 3, 4))
    is_open = " open" if len(rows) <= 2 * MOST_ROWS_OPEN else ""
    return f"<details{is_open}><summary>{said}</summary>{table}</details>"


def _ledger_row(entry: Mapping[str, Any]) -> str:
    status = str(entry["status"])
    badge = {"labelled": "good", "looked_up": "", "failed": "bad"}.get(status, "")
    seconds = entry.get("seconds")
    turn = "start" if entry["turn"] == 0 else entry["turn"]
    return (
        f"<tr><td><code>{escape(str(entry['identifier']))}</code></td><td class='n'>{turn}</td>"
        f"<td><span class='badge {badge}'>{escape(status.replace('_', ' '))}</span></td>"
        f"<td class='n'>{'–' if seconds is None else f'{seconds:.2f}'}</td>"
        f"<td class='n'>{entry.get('attempt') or '–'}</td>"
        f"<td><code title='{escape(str(entry.get('node')))}'>"
        f"{escape(str(entry.get('node') or '–')[:8])}</code></td>"
        f"<td>{escape(str(entry.get('reason') or ''))}</td></tr>"
    )


def _times(data: ReportData) -> str:
    return _picture(time_bars(data.records)) if data.records else ""


def _settings(data: ReportData) -> str:
    level = escape(str(data.settings["label"]["level_of_theory"]))
    text = f"<p>Level of theory of the labels: <code class='long'>{level}</code></p>"
    if data.campaign_text:
        name = escape(data.campaign_file or "campaign file")
        text += f"<p>{name}, as it was submitted:</p><pre>{escape(data.campaign_text)}</pre>"
    return text


def _nodes(data: ReportData) -> str:
    rows = [
        f"<tr><td>{escape(name)}</td><td class='n'>{pk}</td>"
        f"<td><code>{escape(uuid)}</code></td></tr>"
        for name, uuid, pk in data.nodes
    ]
    versions = ", ".join(f"{name} {version}" for name, version in data.versions.items())
    return (
        _table(("node", "PK", "UUID"), rows, numbers=(1,))
        + f"<p class='note'>Versions: {escape(versions)}.</p>"
    )


def _footer(data: ReportData) -> str:
    written = data.written.strftime("%Y-%m-%d %H:%M UTC")
    return f"<footer>Written by alpot report on {written}.</footer>"


def _table(head: Sequence[str], rows: Iterable[str], *, numbers: Iterable[int] = ()) -> str:
    right = set(numbers)
    titles = "".join(
        f"<th class='{'n' if index in right else ''}'>{escape(title)}</th>"
        for index, title in enumerate(head)
    )
    return (
        f"<div class='table'><table><thead><tr>{titles}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _picture(svg: str) -> str:
    return f"<div class='picture'>{svg}</div>"
