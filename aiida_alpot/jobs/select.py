# SPDX-License-Identifier: MIT
"""The job ``select``: pass candidates through the gate, and select those worth a label.

Worth a label is what enlarges the volume that the training set spans (MAXVOL), or, with a
committee, what its members disagree about most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.jobs.grade import read_sets
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.jobs.selection_choice import (
    HELD_OUT,
    NOT_NEEDED,
    SELECTED,
    Choice,
    choose,
    costs_of,
)
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.selection.gate import GateSettings, Verdict, gate
from aiida_alpot.selection.split import split_by_chain
from aiida_alpot.selection.uncertainty_selection import ALIKE_WITHIN

Array = np.ndarray
SELECTED_FILE = "selected.npz"
TEST_FILE = "test.npz"
MOST_LISTED = 10_000


@dataclass(frozen=True)
class SelectRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    candidates, training : list of str
        Files of what to select from, and of what is known already (which may be nothing).
    potential : str or null
        File of the potential. Without one, ``species``, ``level`` and ``cutoff`` name the form of
        an untrained potential that tells environments apart; up to ``limit`` are selected then.
    species : list of str or null
        Order of the types, also for a potential file that names none.
    level, cutoff, min_distance : int, float, float or null
        Form of the untrained potential; ``min_distance`` is taken from the data if null.
    committee : list of str
        Files of at least two potentials. With them the candidates about which their forces disagree
        most are selected, ``threshold`` and ``entry`` (2 and 1.1 if null) are eV/A and required,
        and mode and method are not looked at.
    mode, method, threshold, entry, limit
        See :func:`aiida_alpot.selection.select`. Default mode and method are those of MLIP-2.
    alike_within : float
        With a committee, see :func:`aiida_alpot.selection.uncertainty_selection.select_uncertain`.
    costs : list of float or null
        What the label of each candidate costs, in any unit, in the order of the files; with it,
        or with ``cost_exponent``, those that gain most for their cost are selected.
    cost_exponent : float or null
        In place of ``costs``: the cost grows as the number of atoms to this power.
    gate : dict
        Keys of :class:`~aiida_alpot.selection.gate.GateSettings`.
    quarantined : list of str
        Files of configurations whose labels failed for good.
    pending : list of str
        Files of configurations whose labels are on their way.
    test_fraction : float
        Fraction of the selected ones to hold out for tests, by whole chains.
    seed, threads : int
        Seed of the split and of an untrained potential; threads of the linear algebra.
    """

    candidates: tuple[str, ...]
    training: tuple[str, ...] = ()
    potential: str | None = None
    committee: tuple[str, ...] = ()
    species: tuple[str, ...] | None = None
    level: int | None = None
    cutoff: float | None = None
    min_distance: float | None = None
    mode: str = "configuration"
    method: str = "parity"
    threshold: float | None = None
    entry: float | None = None
    limit: int | None = None
    alike_within: float = ALIKE_WITHIN
    costs: tuple[float, ...] | None = None
    cost_exponent: float | None = None
    gate: dict[str, Any] = field(default_factory=dict)
    quarantined: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    test_fraction: float = 0.0
    seed: int = 0
    threads: int = 1


REQUEST = SelectRequest


def run(request: SelectRequest, folder: Path) -> Mapping[str, Any]:
    """Write ``selected.npz``, and ``test.npz`` if chains are held out; return what became of each.

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
    candidates = read_sets(folder, request.candidates, species)
    verdicts = gate(
        candidates,
        training,
        settings,
        quarantined=read_sets(folder, request.quarantined, species),
        pending=read_sets(folder, request.pending, species),
    )
    passed = np.flatnonzero([verdict.passed for verdict in verdicts])
    costs = costs_of(request, candidates)
    choice = choose(
        request,
        folder,
        given,
        candidates.select(passed),
        training,
        costs=None if costs is None else costs[passed],
    )
    grades = candidates.grade.copy()
    if choice.grades is not None:
        grades[passed] = choice.grades
    chosen = passed[choice.indices]
    filled = np.where(np.isnan(candidates.grade), grades, candidates.grade)
    ranked = candidates.replace(grade=filled).select(chosen)
    kept, held_out = split_by_chain(
        ranked, request.test_fraction, np.random.default_rng(request.seed)
    )
    ranked.select(kept).save(folder / SELECTED_FILE)
    if request.test_fraction > 0.0:
        ranked.select(held_out).save(folder / TEST_FILE)
    outcome = _outcomes(verdicts, passed, choice, set(chosen[held_out].tolist()))
    return _report(candidates, outcome, grades, grades[passed])


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
