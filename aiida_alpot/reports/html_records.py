# SPDX-License-Identifier: MIT
"""Sections of the report about what happened: turns, samplers, labels, times, settings, nodes.

Each is empty where there is nothing to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from aiida_alpot.reports.html_elements import make_table, pretty, show_grade, show_picture
from aiida_alpot.reports.plots import time_bars
from aiida_alpot.reports.report_data import ReportData
from aiida_alpot.reports.tables import COLUMNS, turn_cells

MOST_ROWS_OPEN = 40


def turns_section(data: ReportData) -> str:
    """Return a row for each turn."""
    rows = []
    for turn in data.progress.turns:
        cells = turn_cells(turn)
        values = "".join(
            f"<td class='{'' if name in ('turn', 'stage') else 'n'}'>{escape(cells[name])}</td>"
            for name, _ in COLUMNS
        )
        rows.append(f"<tr>{values}</tr>")
    head = [pretty(title.replace("\n", " ")) for _, title in COLUMNS]
    note = (
        "<p class='note'>Errors are of the worst test set, or of the training set where marked.</p>"
    )
    return make_table(head, rows, numbers=range(2, len(COLUMNS))) + note


def warnings_section(data: ReportData) -> str:
    """Return what fits warned about."""
    parts = []
    for turn in data.progress.turns:
        if turn.warnings:
            items = "".join(f"<li>{escape(pretty(message))}</li>" for message in turn.warnings)
            name = "Start" if turn.turn == 0 else f"Turn {turn.turn}"
            name += ", refitted" if turn.is_refit else ""
            parts.append(f"<h3>{name}</h3><ul>{items}</ul>")
    return "".join(parts)


def stops_section(data: ReportData) -> str:
    """Return why each sampler stopped."""
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
        title = f"Turn {record['turn']}: largest grade {show_grade(record['largest_grade'])}"
        parts.append(
            f"<details{' open' if is_open else ''}><summary>{title}</summary>"
            f"{make_table(head, rows, numbers=(2, 3, 4, 5))}{told}</p></details>"
        )
    return "".join(parts)


def _stop_row(chain: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    beyond = (chain["largest_grade"] or 0) > settings["grades"]["gamma_select"]
    calm = chain["completed"] and not beyond
    return (
        f"<tr><td>{escape(str(chain['sampler']))}</td><td>{escape(str(chain['chain']))}</td>"
        f"<td class='n'>{chain.get('steps', '–')}</td><td class='n'>{chain.get('frames', '–')}</td>"
        f"<td class='n {'' if calm else 'bad-text'}'>{show_grade(chain['largest_grade'])}</td>"
        f"<td class='n'>{chain.get('kept', 0)}</td>"
        f"<td>{escape(pretty(str(chain['reason'])))}</td></tr>"
    )


def ledger_section(data: ReportData) -> str:
    """Return what became of each configuration."""
    if not data.ledger:
        return ""
    counts: dict[str, int] = {}
    for entry in data.ledger:
        counts[entry["status"]] = counts.get(entry["status"], 0) + 1
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    rows = [_ledger_row(entry) for entry in data.ledger]
    head = ("configuration", "turn", "status", "time, s", "attempt", "job", "reason")
    table = make_table(head, rows, numbers=(1, 3, 4))
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


def times_section(data: ReportData) -> str:
    """Return the time of each stage."""
    return show_picture(time_bars(data.records)) if data.records else ""


def settings_section(data: ReportData) -> str:
    """Return the settings."""
    level = escape(str(data.settings["label"]["level_of_theory"]))
    text = f"<p>Level of theory of the labels: <code class='long'>{level}</code></p>"
    if data.campaign_text:
        name = escape(data.campaign_file or "campaign file")
        text += f"<p>{name}, as it was submitted:</p><pre>{escape(data.campaign_text)}</pre>"
    return text


def nodes_section(data: ReportData) -> str:
    """Return where everything is."""
    rows = [
        f"<tr><td>{escape(name)}</td><td class='n'>{pk}</td>"
        f"<td><code>{escape(uuid)}</code></td></tr>"
        for name, uuid, pk in data.nodes
    ]
    versions = ", ".join(f"{name} {version}" for name, version in data.versions.items())
    return (
        make_table(("node", "PK", "UUID"), rows, numbers=(1,))
        + f"<p class='note'>Versions: {escape(versions)}.</p>"
    )
