# SPDX-License-Identifier: MIT
"""Whether a turn holds: the conditions of :mod:`aiida_alpot.campaign.convergence` on its record.

Without a section ``converge`` in the settings one turn in which nothing extrapolates is enough.

A turn that holds counts also where it ended with a fit, to the few frames that extrapolate below
the limit or to labels that came late: chains, rate and audit speak of the potential that sampled,
errors and properties of the one after the fit, which must not have moved. A fit before the first
turn of a successor has no chains, holds nothing and so begins the count anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from aiida_alpot.campaign.convergence import (
    Condition,
    Rate,
    count_frames,
    judge_audit,
    judge_chains,
    judge_rate,
    judge_stationary,
    reason_not_converged,
)
from aiida_alpot.campaign.validation import TEST_FIGURES
from aiida_alpot.workflows.settings import ConvergeSettings, read_criterion

STATIONARY_ERRORS = ("energy_rmse_meV_per_atom", "forces_rmse_eV_per_A")
"""Errors on test sets that must not move."""
Chains = Sequence[Mapping[str, Any]]


def rate_of(settings: Mapping[str, Any], chains: Chains) -> Rate:
    """Return how often independent frames of a turn extrapolate."""
    return count_frames(
        chains,
        record_every={one["name"]: one["record_every"] for one in settings["explore"]},
        gamma_select=settings["grades"]["gamma_select"],
    )


def samples_hold(settings: Mapping[str, Any], chains: Chains) -> bool:
    """Return whether chains and rate of a turn hold, so that an audit is worth its labels."""
    limit = read_criterion(settings).rate
    return judge_chains(chains).holds and judge_rate(rate_of(settings, chains), limit).holds


def judge_turn(
    settings: Mapping[str, Any],
    record: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Any]],
    history: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what the record of a turn says of the criterion.

    Parameters
    ----------
    settings : mapping
        Of the campaign.
    record : mapping
        ``samples``, ``errors``, ``extrapolating``.
    parts : mapping
        ``audit`` (errors of the audit), ``ledger_audit`` and ``properties`` where there are any.
    history : sequence of mapping
        Records of the turns before, the latest last.

    Returns
    -------
    dict
        ``rate``, ``audit``, ``properties``, ``figures`` that stand after the turn, ``criterion``
        (a list of ``{"name", "holds", "detail"}``), ``held`` (turns in a row), ``asked``,
        ``converged`` and ``reason``, why it has not.
    """
    criterion = read_criterion(settings)
    chains = record["samples"]
    audit = audit_of(parts, criterion) if chains else None
    figures = standing_figures(criterion, record, parts, history)
    conditions = _conditions(settings, record, audit, [*history, {"figures": figures}], parts)
    told = [asdict(condition) for condition in conditions]
    before = history[-1].get("held", 0) if history else 0
    held = before + 1 if told and all(one["holds"] for one in told) else 0
    return {
        "rate": asdict(rate_of(settings, chains)) if chains else None,
        "audit": audit,
        "properties": figures["properties"],
        "figures": figures,
        "criterion": told,
        "held": held,
        "asked": criterion.turns,
        "converged": held >= criterion.turns,
        "reason": reason_not_converged(told, held=held, asked=criterion.turns),
    }


def _conditions(
    settings: Mapping[str, Any],
    record: Mapping[str, Any],
    audit: Mapping[str, Any] | None,
    history: Sequence[Mapping[str, Any]],
    parts: Mapping[str, Mapping[str, Any]],
) -> list[Condition]:
    """Return the conditions that the settings ask for; none of a turn that did not sample."""
    chains, criterion = record["samples"], read_criterion(settings)
    if not chains:
        return []
    rate = rate_of(settings, chains)
    if settings.get("converge") is None:
        calm = "nothing extrapolates" if not record["extrapolating"] else "a chain extrapolates"
        return [judge_chains(chains), Condition("rate", not record["extrapolating"], calm)]
    conditions = [judge_chains(chains), judge_rate(rate, criterion.rate)]
    n_turns = max(2, criterion.turns)
    figures = [one.get("figures") or {"tests": {}, "properties": {}} for one in history]
    tests = [one["tests"] for one in figures]
    if tests[-1]:
        tolerance = {"*": criterion.test_tolerance}
        conditions.append(judge_stationary("tests", tests, tolerance, n_turns=n_turns))
    if criterion.properties:
        conditions.append(_judge_properties(criterion, figures, parts, n_turns))
    if criterion.audit_labels:
        conditions.append(_judge_audit(criterion, audit))
    return conditions


def _judge_properties(
    criterion: ConvergeSettings,
    figures: Sequence[Mapping[str, Any]],
    parts: Mapping[str, Mapping[str, Any]],
    n_turns: int,
) -> Condition:
    for entry in parts.get("properties", {}).get("properties", []):
        if entry["failed"]:
            subject = f"{entry['kind']} of {entry['structure']}"
            return Condition("properties", False, f"{subject} failed: {entry['failed']}")
    measured = [one["properties"] for one in figures]
    tolerances: dict[str, float | str] = {}
    for entry, wanted in zip(criterion.properties, criterion.tolerances, strict=True):
        known = [name for name in measured[-1] if name.startswith(f"{entry['kind']}, ")]
        for name in known:
            figure = name.rpartition(": ")[2]
            if figure in wanted and _belongs(name, entry):
                tolerances[name] = wanted[figure]
    return judge_stationary("properties", measured, tolerances, n_turns=n_turns)


def _belongs(name: str, entry: Mapping[str, Any]) -> bool:
    structure = entry.get("structure")
    return structure is None or name.startswith(f"{entry['kind']}, {structure}: ")


def _judge_audit(criterion: ConvergeSettings, audit: Mapping[str, Any] | None) -> Condition:
    if audit is None:
        return Condition("audit", False, "no frame was audited in this turn")
    return judge_audit(
        audit["figures"], criterion.targets, audit["n_labelled"], criterion.audit_labels
    )


def audit_of(
    parts: Mapping[str, Mapping[str, Any]], criterion: ConvergeSettings
) -> dict[str, Any] | None:
    """Return what the audit of a turn found, None where there was none."""
    if "ledger_audit" not in parts:
        return None
    entries = parts["ledger_audit"]["entries"]
    errors = parts.get("audit", {}).get("errors")
    return {
        "n_asked": len(entries),
        "n_labelled": sum(entry["status"] in ("labelled", "looked_up") for entry in entries),
        "errors": errors,
        "figures": {name: figure_of(errors, name) for name in criterion.targets},
    }


def figure_of(errors: Mapping[str, Any] | None, name: str) -> float | None:
    """Return an error by the name of its target, None where it is not known."""
    if errors is None:
        return None
    section, key = TEST_FIGURES[name]
    value = (errors.get(section) or {}).get(key)
    return None if value is None else float(value)


def standing_figures(
    criterion: ConvergeSettings,
    record: Mapping[str, Any],
    parts: Mapping[str, Mapping[str, Any]],
    history: Sequence[Mapping[str, Any]],
) -> dict[str, dict[str, float]]:
    """Return errors on test sets and properties of the potential that stands after a turn."""
    before = (history[-1].get("figures") if history else None) or {"tests": {}, "properties": {}}
    tests = before["tests"]
    if record["errors"] is not None:
        found = {
            f"{name}: {figure}": figure_of(errors, figure)
            for name, errors in (record["errors"].get("test") or {}).items()
            if errors is not None
            for figure in STATIONARY_ERRORS
        }
        tests = {name: value for name, value in found.items() if value is not None}
    properties = before["properties"]
    if "properties" in parts:
        properties = {
            f"{entry['kind']}, {entry['structure']}: {figure}": float(value)
            for entry, wanted in zip(
                parts["properties"]["properties"], criterion.tolerances, strict=True
            )
            for figure, value in (entry["values"] or {}).items()
            if figure in wanted
        }
    return {"tests": tests, "properties": properties}
