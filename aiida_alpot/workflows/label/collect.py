# SPDX-License-Identifier: MIT
"""Bring the labels of several nodes together, with a ledger of what came of each configuration.

Run as a calcfunction it links the labelled set to every node that a label came from, found or new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.errors import LevelOfTheoryError
from aiida_alpot.workflows.label.deadline import OUTSTANDING
from aiida_alpot.workflows.label.quarantine import QUARANTINED, is_own_fault
from aiida_alpot.workflows.label.sources import (
    FOUND,
    LabelSource,
    attempts_in,
    index_sources,
    verdicts_in,
)

STILL_AT_WORK = "its job was still at work when the turn closed at its deadline"
NOT_SUBMITTED = "the turn closed at its deadline before a job was submitted"


@calcfunction
def collect_labels(
    requested: ConfigurationsData, record: orm.Dict, **sources: orm.Data
) -> dict[str, orm.Data]:
    """Return the labelled configurations in the order requested, and the ledger.

    Those that failed for good are a set of their own, ``quarantined``, and those whose jobs were
    at work when the deadline passed another, ``outstanding``.

    Parameters
    ----------
    requested : ConfigurationsData
        What was to be labelled; names, origins, weights and masks are kept.
    record : Dict
        ``{"turn", "level_of_theory", "attempts"}``, attempts a list of ``{"name", "node",
        "number", "attempt", "indices", "end", "exit_code", "recipe", "causes", "cores"}``, numbered
        in the order of submission; ``works``, atoms x k-points of each configuration; where a turn
        closes at a deadline also ``closed``, and ``late_from``, the turns that asked for
        outstanding labels.
    **sources : ConfigurationsData or Dict
        ``found_NUMBER``: sets that were looked up. ``labels_NUMBER``, ``result_NUMBER``: outputs
        of the attempts, by their number. Either may be a set that
        :func:`.gather.gather_labels` made of others, told of in ``told_found_NUMBER`` or
        ``told_labels_NUMBER``.
    """
    content = record.get_dict()
    content["attempts"] = attempts_in(content, sources)
    configurations = requested.get_configurations()
    hashes = configurations.hashes()
    origins = index_sources(sources)
    labelled = fill_labels(
        configurations, [origins.get(one) for one in hashes], content["level_of_theory"]
    )
    verdicts = _verdicts(content["attempts"], verdicts_in(sources), hashes)
    entries = [
        _ledger_entry(
            str(configurations.identifier[index]),
            one,
            origins.get(one),
            verdicts.get(one, {}),
            {**content, "works_at_all": bool(origins)},
        )
        for index, one in enumerate(hashes)
    ]
    add_costs(entries, configurations, content)
    collected = {
        "labelled": ConfigurationsData.from_configurations(labelled),
        "ledger": orm.Dict({"entries": entries}),
    }
    for name, chosen in (
        (QUARANTINED, [bool(entry.get(QUARANTINED)) for entry in entries]),
        (OUTSTANDING, [entry["status"] == "late" for entry in entries]),
    ):
        if any(chosen):
            # a set without labels, of the level at which they were asked for
            bare = configurations.without_labels().select(np.array(chosen))
            bare = bare.replace(level_of_theory=content["level_of_theory"])
            collected[name] = ConfigurationsData.from_configurations(bare)
    return collected


def add_costs(
    entries: list[dict[str, Any]], configurations: Configurations, record: Mapping[str, Any]
) -> None:
    """Add to ledger entries the size of each cell, and what its label cost.

    ``n_atoms``, ``work`` (atoms x k-points) and ``core_seconds``, the seconds of the calculation
    times the cores of its job; null where there is no label.
    """
    cores = {attempt["node"]: attempt.get("cores", 1) for attempt in record["attempts"]}
    works = record.get("works") or configurations.n_atoms.tolist()
    for entry, n_atoms, work in zip(entries, configurations.n_atoms.tolist(), works, strict=True):
        seconds = entry["seconds"]
        spent = None if seconds is None else seconds * cores.get(entry["node"], 1)
        entry |= {"n_atoms": n_atoms, "work": work, "core_seconds": spent}


def fill_labels(
    configurations: Configurations, sources: list[LabelSource | None], level_of_theory: str
) -> Configurations:
    """Return those configurations for which there is a source, with its labels.

    Raises
    ------
    LevelOfTheoryError
        If a source has another level of theory.
    """
    bare = configurations.without_labels()
    energy, extrapolated = bare.energy.copy(), bare.energy_extrapolated.copy()
    forces, stress = bare.forces.copy(), bare.stress.copy()
    moments = bare.magnetic_moments.copy()
    for index, source in enumerate(sources):
        if source is None:
            continue
        found, place = source.configurations, source.place
        if found.level_of_theory != level_of_theory:
            raise LevelOfTheoryError(
                f"A label of level {found.level_of_theory} cannot stand for {level_of_theory}."
            )
        rows, its_rows = bare.atoms_slice(index), found.atoms_slice(place)
        energy[index] = found.energy[place]
        extrapolated[index] = found.energy_extrapolated[place]
        stress[index] = found.stress[place]
        forces[rows] = found.forces[its_rows]
        moments[rows] = found.magnetic_moments[its_rows]
    filled = bare.replace(
        energy=energy,
        energy_extrapolated=extrapolated,
        forces=forces,
        stress=stress,
        magnetic_moments=moments,
        level_of_theory=level_of_theory,
    )
    return filled.select(np.array([source is not None for source in sources], dtype=bool))


def _verdicts(
    attempts: Iterable[Mapping[str, Any]],
    told_by_jobs: Mapping[str, list[dict[str, Any]]],
    hashes: list[str],
) -> dict[str, dict[str, Any]]:
    """Return what the last attempt at each configuration said of it, by hash."""
    verdicts: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    for attempt in attempts:
        counts.update(hashes[index] for index in attempt["indices"])
        told = {key: attempt.get(key) for key in ("attempt", "node", "exit_code", "recipe")}
        for index in attempt["indices"]:
            verdicts[hashes[index]] = {
                "reason": f"the job ended with {attempt['end']}",
                "cause": attempt.get("causes", {}).get(str(index), ""),
                "seconds": None,
                "attempts": counts[hashes[index]],
                "alone": len(attempt["indices"]) == 1,
                "late": attempt.get("late", False),
                "given_up": attempt.get("given_up", False),
                **told,
            }
        for verdict in told_by_jobs.get(str(attempt["number"]), []):
            kept = {"seconds": verdict["seconds"]}
            if verdict["reason"]:  # without one its label is there, or its file was damaged
                kept["reason"] = verdict["reason"]
            verdicts[verdict["hash"]] = {**verdicts.get(verdict["hash"], {}), **kept, **told}
    return verdicts


def _ledger_entry(
    identifier: str,
    one: str,
    source: LabelSource | None,
    verdict: Mapping[str, Any],
    record: Mapping[str, Any],
) -> dict[str, Any]:
    entry = {"identifier": identifier, "hash": one, "turn": record["turn"]}
    closed = record.get("closed", False)
    if one in record.get("late_from", {}):
        entry["late_from"] = record["late_from"][one]
    if source is not None and source.link.startswith(FOUND):
        return {**entry, **_UNTRIED, "status": "looked_up", "node": source.node, "seconds": 0.0}
    told = {**_UNTRIED, **{key: verdict[key] for key in _UNTRIED if verdict.get(key) is not None}}
    if source is None:
        if verdict.get("late"):
            return {**entry, **told, "status": "late", "reason": STILL_AT_WORK, "seconds": None}
        if closed and not verdict:
            told |= {"rule": "deadline", "reason": NOT_SUBMITTED, "seconds": 0.0}
            return {**entry, **told, "status": "skipped"}
        reason = verdict.get("reason") or "it was never submitted"
        works, alone = bool(record.get("works_at_all")), bool(verdict.get("alone"))
        bad = is_own_fault(told["cause"], alone=alone, works=works)
        bad = bad and not verdict.get("given_up")
        told |= {"reason": reason, "seconds": None, QUARANTINED: bad}
        return {**entry, **told, "status": "failed"}
    kept = {"reason": "", "cause": "", "node": source.node, "attempt": verdict.get("attempt", 1)}
    return {**entry, **told, "status": "labelled", "seconds": verdict.get("seconds"), **kept}


_UNTRIED: dict[str, Any] = {
    "reason": "",
    "cause": "",
    "node": None,
    "attempt": 0,
    "attempts": 0,
    "recipe": "",
    "exit_code": None,
}
"""What stands in the ledger for a configuration that no job was submitted for."""
