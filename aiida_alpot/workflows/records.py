# SPDX-License-Identifier: MIT
"""Records of what happened in a turn and in a campaign: plain JSON, rearranged only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_alpot.workflows.calibrating import calibration_of_turn
from aiida_alpot.workflows.criterion import judge_turn
from aiida_alpot.workflows.settings import link_name

COUNTED = {
    "looked_up": "n_looked_up",
    "labelled": "n_labelled",
    "failed": "n_failed",
    "late": "n_late",
    "skipped": "n_skipped",
}
LEDGERS = ("ledger", "ledger_held_out", "ledger_skipped", "ledger_audit")
"""Outputs of a turn that are ledgers."""
STAGES = ("sample", "select", "label", "fit")
_ATTEMPT = re.compile(r"_attempt_\d+$")
HISTORY = "history_"
"""Begins the names of earlier records among the parts of a record."""


@calcfunction
def write_turn_record(settings: orm.Dict, turn: orm.Int, **parts: orm.Dict) -> orm.Dict:
    """Return the record of one turn.

    Parameters
    ----------
    settings : Dict
        Of the campaign.
    turn : Int
        Zero for the start.
    **parts : Dict
        ``sample_NAME`` for each job of the samplers, ``select``, ``ledger``,
        ``ledger_held_out``, ``ledger_skipped``, ``ledger_audit``, ``audit`` (errors of the
        potential on it), ``properties``, ``fit`` and ``costs`` (core-seconds by stage), those that
        there are; ``calibrate``, deviations against errors of the new labels; ``history_NNN``,
        records of turns before, as many as the criterion looks at.
    """
    content = {name: node.get_dict() for name, node in parts.items()}
    return orm.Dict(turn_record(settings.get_dict(), turn.value, content))


def turn_record(
    settings: Mapping[str, Any], turn: int, parts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the record of one turn from the results of its jobs; see :func:`write_turn_record`."""
    samples = {
        name.removeprefix("sample_"): part
        for name, part in parts.items()
        if name.startswith("sample_")
    }
    chains = chains_of_turn(settings, samples, turn)
    entries = [entry for name in LEDGERS for entry in parts.get(name, {}).get("entries", [])]
    select = parts.get("select", {})
    fit = parts.get("fit", {})
    grades = [chain["largest_grade"] for chain in chains if chain["largest_grade"] is not None]
    record = {
        "turn": turn,
        "samples": chains,
        "n_candidates": select.get("n_candidates", 0),
        "gate": select.get("verdicts", {}),
        "n_selected": select.get("n_selected", 0),
        **count_entries(entries),
        "largest_grade": max(grades, default=None),
        "extrapolating": is_extrapolating(chains, settings["grades"]["gamma_select"]),
        "errors": fit.get("errors"),
        "fit": {
            **{key: fit.get(key) for key in ("loss", "n_iterations", "converged", "message")},
            "warnings": fit.get("warnings", []),
            "force_deviation_eV_per_A": (fit.get("committee") or {}).get(
                "force_deviation_eV_per_A"
            ),
        },
        "seconds": {stage: _seconds(stage, parts, entries) for stage in STAGES},
        "core_seconds": dict(parts.get("costs", {})),
        "labels_used": count_spent(entries),
    }
    history = [parts[name] for name in sorted(parts) if name.startswith(HISTORY)]
    calibration = calibration_of_turn(settings, parts, history)
    if calibration is not None:
        record["calibration"] = calibration
    return record | judge_turn(settings, record, parts, history)


def chains_of_turn(
    settings: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]], turn: int
) -> list[dict[str, Any]]:
    """Return how each chain of a turn went, lost ones too, from the results of the jobs."""
    chains = [
        {"job": job, "sampler": sampler_of_job(job, settings), **chain}
        for job in sorted(results)
        for chain in results[job]["chains"]
    ]
    return chains + (lost_chains(settings, chains) if chains and turn > 0 else [])


def lost_chains(
    settings: Mapping[str, Any], chains: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return an entry for each chain of the settings whose job left no result."""
    seen = {(chain["sampler"], chain["chain"]) for chain in chains}
    return [
        {
            "sampler": sampler["name"],
            "chain": start,
            "stop": "lost",
            "reason": "its job failed; the report of the turn says how",
            "completed": False,
            "kept": 0,
            "largest_grade": None,
        }
        for sampler in settings["explore"]
        for start in sampler["starts"]
        if (sampler["name"], start) not in seen
    ]


def sampler_of_job(job: str, settings: Mapping[str, Any]) -> str:
    """Return the name of the sampler that a job belongs to, of which a link label is made."""
    exploration = settings.get("exploration") or {}
    samplers = [*settings["explore"], *exploration.get("explore", [])]
    names = {link_name(sampler["name"]): sampler["name"] for sampler in samplers}
    stem = job.rsplit("_", 1)[0]
    if stem not in names:  # a further attempt, or the rest of a job that ran out of time
        stem = _ATTEMPT.sub("", job).rsplit("_", 1)[0]
    return str(names.get(stem, stem))


def count_entries(entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many entries of a ledger were labelled, looked up, failed, late and skipped."""
    counts = dict.fromkeys(COUNTED.values(), 0)
    for entry in entries:
        counts[COUNTED[entry["status"]]] += entry.get("count", 1)
    return counts


def count_spent(entries: Iterable[Mapping[str, Any]]) -> int:
    """Return how many labels of the budget the entries of a ledger stand for.

    What the gate refused costs nothing; a label that came late was counted in its own turn.
    """
    return sum(entry["status"] != "skipped" and "late_from" not in entry for entry in entries)


def is_extrapolating(chains: Iterable[Mapping[str, Any]], gamma_select: float) -> bool:
    """Return False only if every chain ran its whole length and none of its frames extrapolated."""
    chains = list(chains)
    calm = [
        chain["completed"]
        and chain["largest_grade"] is not None
        and chain["largest_grade"] <= gamma_select
        for chain in chains
    ]
    return not (calm and all(calm))


def _seconds(
    stage: str, parts: Mapping[str, Mapping[str, Any]], entries: list[Mapping[str, Any]]
) -> float:
    if stage == "label":
        return round(sum(entry["seconds"] or 0.0 for entry in entries), 3)
    results = [result for name, result in parts.items() if name.split("_")[0] == stage]
    return round(sum(result.get("seconds") or 0.0 for result in results), 3)


def has_converged(record: Mapping[str, Any]) -> bool:
    """Return whether a campaign has converged with a turn; old records tell only of grades."""
    if "converged" in record:
        return bool(record["converged"])
    return record["turn"] > 0 and not record["extrapolating"]


def core_seconds_of(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the core-seconds of turns by stage."""
    sums: dict[str, float] = {}
    for record in records:
        for stage, seconds in (record.get("core_seconds") or {}).items():
            sums[stage] = sums.get(stage, 0.0) + seconds
    return sums


@calcfunction
def close_books(verdict: orm.Str, **parts: orm.Dict) -> dict[str, orm.Dict]:
    """Return the ledger, the list of turns and the summary of a campaign.

    Parameters
    ----------
    verdict : Str
        How the campaign ended, in words.
    **parts : Dict
        ``record_NNN`` of each turn, and every ledger as ``ledger_NAME``, in the order of their
        names.
    """
    turns = [parts[name].get_dict() for name in sorted(parts) if name.startswith("record_")]
    entries = [
        {**entry, "set": name.removeprefix("ledger_")}
        for name in sorted(parts)
        if name.startswith("ledger_")
        for entry in parts[name].get_dict()["entries"]
    ]
    summary = {
        "converged": bool(turns and has_converged(turns[-1])),
        "verdict": verdict.value,
        "reason": turns[-1].get("reason", "") if turns else "",
        "labels_used": count_spent(entries),
        "n_turns": max((turn["turn"] for turn in turns), default=0),
        **count_entries(entries),
    }
    return {
        "ledger": orm.Dict({"entries": entries}),
        "turns": orm.Dict({"turns": turns}),
        "summary": orm.Dict(summary),
    }
