# SPDX-License-Identifier: MIT
"""The job ``select``: pass candidates through the gate, and select those worth a label.

Worth a label is what enlarges the volume that the training set spans (MAXVOL), with a committee
what its members disagree about most, or what another rule says (``aiida_alpot.selection.rules``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.carving import is_carved, without_saturation
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.row_space import is_trained
from aiida_alpot.jobs.carve_settings import CarveSettings
from aiida_alpot.jobs.carved_candidates import Candidates, carve_candidates
from aiida_alpot.jobs.grade import read_sets
from aiida_alpot.jobs.requests import file_in
from aiida_alpot.jobs.select_request import SelectRequest
from aiida_alpot.jobs.selection_choice import (
    FROZEN,
    GENTLE,
    HELD_OUT,
    NOT_NEEDED,
    OVER_LIMIT,
    SELECTED,
    Choice,
    choose,
    costs_of,
)
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.selection.gate import GateSettings, Verdict, gate
from aiida_alpot.selection.maxvol_selection import ENTRY_THRESHOLD
from aiida_alpot.selection.split import draw_gentle, like_frozen, split_by_chain, split_by_frame

Array = np.ndarray
SELECTED_FILE = "selected.npz"
TEST_FILE = "test.npz"
GENTLE_FILE = "gentle.npz"
MOST_LISTED = 10_000


REQUEST = SelectRequest


def run(request: SelectRequest, folder: Path) -> Mapping[str, Any]:
    """Write what is selected, and what is for tests; return what became of each candidate.

    ``selected.npz``, ``test.npz`` if any are held out, and ``gentle.npz`` if gentle ones are drawn.

    Raises
    ------
    SettingError
        If a key is out of range, or neither a potential nor its form is given.
    SpeciesError
        If the potential lacks a species of the candidates.
    InputFileError
        If a file is missing or not readable.
    """
    settings = GateSettings.from_mapping(request.gate)
    given = None
    if request.potential is not None:
        path = file_in(folder, request.potential)
        given = read_potential(path, request.species, allow_untrained=True)
    species = request.species if given is None else given.species
    training = read_sets(folder, request.training, species)
    frames = read_sets(folder, request.candidates, species)
    carve = CarveSettings.from_mapping(request.carve)
    carved = carve_candidates(
        request, folder, given, frames, training, costs=costs_of(request, frames)
    )
    # compared is what would be trained on; labels are asked for with the bonds saturated
    candidates = without_saturation(carved.configurations, species)
    undecided = np.setdiff1d(np.arange(len(candidates)), list(carved.decided)).astype(np.int64)
    judged = gate(
        candidates.select(undecided),
        training,
        settings,
        quarantined=read_sets(folder, request.quarantined, species),
        pending=read_sets(folder, request.pending, species),
        potential=given if given is not None and is_trained(given) else None,
    )
    frozen = read_sets(folder, request.frozen, species)
    judged = _refuse_frozen(judged, candidates.select(undecided), frozen)
    passed = undecided[[verdict.passed for verdict in judged]]
    by_place = carved.decided | dict(zip(undecided.tolist(), judged, strict=True))
    verdicts = [by_place[place] for place in range(len(candidates))]
    choice = choose(
        _with_threshold_of_chunks(request, carved),
        folder,
        given,
        candidates.select(passed),
        training,
        costs=None if carved.costs is None else carved.costs[passed],
    )
    grades = candidates.grade.copy()
    if choice.grades is not None:
        grades[passed] = choice.grades
    # on the scale of the thresholds, which that of a force row is not
    grades = np.where(np.isnan(carved.grades), grades, carved.grades)
    chosen = passed[choice.indices]
    filled = np.where(np.isnan(candidates.grade), grades, candidates.grade)
    ranked = carved.configurations.replace(grade=filled).select(chosen)
    rng = np.random.default_rng(request.seed)
    if request.test_split == "chain":
        parts = split_by_chain(ranked, request.test_fraction, rng)
        kept, held_out = _without_starts(ranked, *parts)
    else:
        kept, held_out = split_by_frame(ranked, request.test_fraction, rng)
    ranked.select(kept).save(folder / SELECTED_FILE)
    if request.test_fraction > 0.0:
        ranked.select(held_out).save(folder / TEST_FILE)
    outcome = _outcomes(verdicts, passed, choice, set(chosen[held_out].tolist()))
    if request.gentle_tests:
        spare = _spare(outcome)
        if carve is not None:
            spare = spare[~carve.is_large(candidates)[spare]]
        gentle = draw_gentle(candidates, spare, request.gentle_tests, rng, selected=ranked)
        candidates.replace(grade=filled).select(gentle).save(folder / GENTLE_FILE)
        for place in gentle.tolist():
            outcome[place] = Verdict(True, GENTLE, choice.details[GENTLE])
    report = _report(carved.configurations, outcome, grades, grades[passed])
    if carve is not None:
        report |= {"n_frames": len(frames), **_told_of_chunks(candidates, outcome, carved)}
    return report


def _with_threshold_of_chunks(request: SelectRequest, carved: Candidates) -> SelectRequest:
    """Return the request with the lower of its thresholds where atoms of a large frame exceed both.

    That something extrapolates is settled by the frame then: of its chunk only a force is known,
    which the potential may know better than the energy of its atom.
    """
    threshold, entry = request.threshold, request.entry
    if not carved.is_beyond or (entry is None and request.committee):
        return request
    entry = ENTRY_THRESHOLD if entry is None else entry
    return replace(request, threshold=entry if threshold is None else min(entry, threshold))


def _told_of_chunks(
    candidates: Configurations, outcomes: list[Verdict], carved: Candidates
) -> dict[str, Any]:
    """Return how many frames were carved, and how many of their chunks were selected."""
    of_chunks = is_carved(candidates)
    taken = [one.rule in (SELECTED, HELD_OUT) for one in outcomes]
    return {
        "n_carved_frames": carved.n_carved,
        "n_chunks": int(of_chunks.sum()),
        "n_chunks_selected": int((of_chunks & np.array(taken, dtype=bool)).sum()),
    }


def _without_starts(chosen: Configurations, kept: Array, held_out: Array) -> tuple[Array, Array]:
    """Return what is trained on and what is held out, with the starts of chains among the first.

    A start comes again in every turn; held out, its chain could never get beyond it.
    """
    is_start = (chosen.turn[held_out] >= 0) & (chosen.step[held_out] == 0)
    return np.sort(np.concatenate([kept, held_out[is_start]])), held_out[~is_start]


def _refuse_frozen(
    verdicts: list[Verdict], candidates: Configurations, frozen: Configurations
) -> list[Verdict]:
    """Return the verdicts with those of candidates that are like a frame of a test set."""
    if not len(frozen):
        return verdicts
    passed = np.flatnonzero([verdict.passed for verdict in verdicts])
    alike = passed[like_frozen(candidates.select(passed), frozen)]
    detail = "is like a configuration of a test set that stays frozen"
    refused = set(alike.tolist())
    return [
        Verdict(False, FROZEN, detail) if place in refused else verdict
        for place, verdict in enumerate(verdicts)
    ]


def _outcomes(
    verdicts: list[Verdict], passed: Array, choice: Choice, held_out: set[int]
) -> list[Verdict]:
    """Return what the gate said of those that it refused, and selection of the others."""
    outcomes = list(verdicts)
    rules = dict.fromkeys(passed.tolist(), NOT_NEEDED)
    for rule, places in choice.others.items():
        rules |= dict.fromkeys(passed[places].tolist(), rule)
    rules |= dict.fromkeys(passed[choice.indices].tolist(), SELECTED)
    rules |= dict.fromkeys(held_out, HELD_OUT)
    for index, rule in rules.items():
        outcomes[index] = Verdict(True, rule, choice.details[rule])
    return outcomes


def _spare(outcomes: list[Verdict]) -> Array:
    """Return the candidates that a gentle test set can be drawn from."""
    rules = np.array([outcome.rule for outcome in outcomes], dtype=np.str_)
    not_needed = np.flatnonzero(rules == NOT_NEEDED)
    return not_needed if len(not_needed) else np.flatnonzero(rules == OVER_LIMIT)


def _report(
    candidates: Configurations, outcomes: list[Verdict], grades: Array, passed_grades: Array
) -> dict[str, Any]:
    known = passed_grades[np.isfinite(passed_grades)]
    counts = Counter(outcome.rule for outcome in outcomes)
    listed = [
        {
            "identifier": str(candidates.identifier[index]),
            "verdict": outcome.rule,
            "detail": outcome.detail,
            "grade": float(grades[index]) if np.isfinite(grades[index]) else None,
        }
        for index, outcome in enumerate(outcomes[:MOST_LISTED])
    ]
    return {
        "verdicts": dict(sorted(counts.items())),
        "n_candidates": len(candidates),
        "n_selected": counts[SELECTED],
        "n_held_out": counts[HELD_OUT],
        "largest_grade": float(known.max()) if len(known) else None,
        "candidates": listed,
        **_refused(candidates, outcomes),
    }


def _refused(candidates: Configurations, outcomes: list[Verdict]) -> dict[str, Any]:
    """Return what the gate refused; of more than :data:`MOST_LISTED` only the rules are counted."""
    refused = [place for place, outcome in enumerate(outcomes) if not outcome.passed]
    places, unlisted = refused[:MOST_LISTED], refused[MOST_LISTED:]
    digests = candidates.select(places).hashes()
    listed = [
        {
            "identifier": str(candidates.identifier[place]),
            "hash": digest,
            "rule": outcomes[place].rule,
            "reason": outcomes[place].detail,
        }
        for place, digest in zip(places, digests, strict=True)
    ]
    counts = Counter(outcomes[place].rule for place in unlisted)
    return {"refused": listed, "refused_unlisted": dict(sorted(counts.items()))}
