# SPDX-License-Identifier: MIT
"""The end of a campaign in words: what was reached, against the targets, and the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.reports.outcome import Figure, Outcome, read_outcome
from aiida_alpot.reports.tables import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

CONVERGED, NOT_CONVERGED, FAILED, TARGET_MISSED = 0, 10, 11, 12


def exit_status_of(node: Any) -> int:
    """Return the exit status of the command line for a campaign that has ended."""
    if not node.is_finished:
        return FAILED
    if node.exit_status >= 500:
        return NOT_CONVERGED
    if node.exit_status != 0:
        return FAILED
    return CONVERGED if read_outcome(node).targets_met else TARGET_MISSED


def tell_outcome(node: Any) -> None:
    """Print how a campaign ended, its figures and what it spent."""
    outcome = read_outcome(node)
    for line in outcome_lines(outcome):
        click.echo(line)
    if "summary" in node.outputs:
        click.echo(summary_line(node))
    if "potential" in node.outputs:
        click.echo(
            f"Potential: PK {node.outputs.potential.pk}. 'alpot export {node.pk}' writes it."
        )


def summary_line(node: Any) -> str:
    """Return what a campaign spent, in one line."""
    summary = node.outputs.summary.get_dict()
    calls = summary["n_labelled"] + summary["n_failed"]
    known = f", {summary['n_looked_up']} more were known" if summary["n_looked_up"] else ""
    failed = f" ({summary['n_failed']} failed)" if summary["n_failed"] else ""
    budget = node.inputs.settings.get_dict()["budget"]["labels"]
    seconds = (node.mtime - node.ctime).total_seconds()
    turns = f"{summary['n_turns']} turn" + ("s" if summary["n_turns"] != 1 else "")
    verdict, _, reason = summary["verdict"].partition("; not converged because ")
    because = f" Not converged because {reason}." if reason else ""
    return (
        f"{verdict[:1].upper()}{verdict[1:]}: {turns}, {duration(seconds)}, "
        f"{calls} label calls{failed} of a budget of {budget}{known}.{because}"
    )


def outcome_lines(outcome: Outcome) -> list[str]:
    """Return the figures as a table in plain text."""
    if not outcome.figures and not outcome.failures:
        return []
    rows: list[tuple[str, ...]] = [("", "start alone", "at the end", "reference", "target", "")]
    subject = ""
    for figure in outcome.figures:
        if figure.subject != subject:
            subject = figure.subject
            rows.append((subject, "", "", "", "", ""))
        rows.append(_row(figure))
    lines = ["", *_aligned(rows), ""]
    lines += [f"Failed: {failure}" for failure in outcome.failures]
    if outcome.targets:
        lines.append(
            f"{outcome.n_met} of {len(outcome.targets)} targets met; the start alone misses "
            f"{outcome.n_missed_before} of them."
        )
    return lines


def _row(figure: Figure) -> tuple[str, ...]:
    unit = f", {figure.unit}" if figure.unit else ""
    verdict = {True: "pass", False: "FAIL", None: ""}[figure.met]
    return (
        f"  {figure.name}{unit}",
        _shown(figure, figure.before),
        _shown(figure, figure.after),
        "" if figure.reference is None else f"{figure.reference:.6g}",
        figure.target_text,
        verdict,
    )


def _shown(figure: Figure, value: float | None) -> str:
    if value is None:
        return "-"
    number, deviation = figure.shown(value)
    return f"{number} ({deviation})" if deviation else number


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *others = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others[:-1], widths[1:-1], strict=True)]
        lines.append("  ".join([*cells, others[-1]]).rstrip())
    return lines
