# SPDX-License-Identifier: MIT
"""Why a configuration has no label, and what the next attempt does differently.

A cause is one of a few stable words that stand in the ledger beside the reason in full. A recipe
is a change of the inputs; none changes what belongs to the level of theory. Changes of several
failed attempts add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

UNCONVERGED = "unconverged"
MAGNETIC_STATE = "magnetic state"
NOT_FINITE = "not finite"
TRUNCATED = "truncated"
OUT_OF_TIME = "out of time"
OUT_OF_MEMORY = "out of memory"
CRASHED = "crashed"
UNREACHED = "not reached"
LOST = "lost"
REFUSED = "refused"
FAILED = "failed"

CAUSES = {
    UNCONVERGED: "self-consistency was not reached",
    MAGNETIC_STATE: "atoms left the magnetic state that was asked for",
    NOT_FINITE: "an energy, a force or a stress is not a number",
    TRUNCATED: "an output file is missing, empty or cut off",
    OUT_OF_TIME: "the scheduler ended the job at its time limit",
    OUT_OF_MEMORY: "the scheduler ended the job at its memory limit",
    CRASHED: "the calculation took down its job",
    UNREACHED: "the job ended before it came to it",
    LOST: "the job was killed or lost",
    REFUSED: "the inputs are not usable",
    FAILED: "the calculator gave an error of another kind",
}


@dataclass(frozen=True)
class Recipe:
    """What the next attempt does differently.

    Parameters
    ----------
    name : str
        Stands in the ledger.
    changes : mapping
        ``settings``: settings of the calculator; ``incar``: tags of VASP; ``moments``: factor of
        the moments to start from; ``kpar``: groups of k-points; ``batch``: ``"halved"``;
        ``options``: ``"retry"`` for the options that the campaign keeps for this, and twice the
        time where it has none.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)


AGAIN = Recipe("again")
ALONE = Recipe("alone")
WITHOUT = Recipe("without those that were done or crashed")
ROOMIER = Recipe("smaller batch, other options", {"batch": "halved", "options": "retry"})

Recipes = Mapping[str, tuple[Recipe, ...]]

RECIPES: Recipes = {
    CRASHED: (ALONE,),
    UNREACHED: (WITHOUT,),
    LOST: (AGAIN,),
    TRUNCATED: (AGAIN,),
    OUT_OF_TIME: (ROOMIER,),
    OUT_OF_MEMORY: (ROOMIER,),
}
"""Recipes of every labeller by cause; the last one of a cause is repeated."""

GPAW_RECIPES: Recipes = {
    **RECIPES,
    UNCONVERGED: (
        Recipe("more steps", {"settings": {"maxiter": 1000}}),
        Recipe(
            "slower mixing",
            {"settings": {"maxiter": 1000, "mixer": {"beta": 0.02, "weight": 100.0}}},
        ),
    ),
    MAGNETIC_STATE: (
        Recipe("larger moments", {"settings": {"moment_scale": 1.5}}),
        Recipe("largest moments", {"settings": {"moment_scale": 2.0, "maxiter": 1000}}),
    ),
}

_SPIN_MIXING = {"amix": 0.2, "bmix": 0.0001, "amix_mag": 0.8, "bmix_mag": 0.0001}

VASP_RECIPES: Recipes = {
    **RECIPES,
    UNCONVERGED: (
        Recipe("more steps", {"incar": {"algo": "normal", "nelm": 200}}),
        Recipe(
            "slower mixing", {"incar": {"algo": "normal", "nelm": 300, "amix": 0.1, "bmix": 0.01}}
        ),
        Recipe("all bands at once", {"incar": {"algo": "all", "nelm": 300}}),
    ),
    NOT_FINITE: (Recipe("slower algorithm", {"incar": {"algo": "normal", "nelm": 200}}),),
    MAGNETIC_STATE: (
        Recipe("larger moments", {"moments": 1.5}),
        Recipe(
            "largest moments, linear mixing",
            {"moments": 2.0, "incar": {**_SPIN_MIXING, "nelm": 300}},
        ),
    ),
    OUT_OF_MEMORY: (
        Recipe("one group of k-points, other options", {"kpar": 1, "options": "retry"}),
    ),
}


def next_recipe(recipes: Recipes, cause: str, n_before: int) -> Recipe | None:
    """Return what to do after a cause that was met ``n_before`` times already, or None."""
    known = recipes.get(cause, ())
    return known[min(n_before, len(known) - 1)] if known else None


def merge_changes(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of two recipes together; later ones go before."""
    merged = dict(before)
    for name, value in more.items():
        old = merged.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            merged[name] = merge_changes(old, value)
        else:
            merged[name] = value
    return merged


def cause_of_reason(reason: str) -> str:
    """Return the cause of a failed configuration from what its job says of it."""
    lowered = reason.lower()
    for words, cause in (
        ("did not converge", UNCONVERGED),
        ("left its magnetic state", MAGNETIC_STATE),
        ("not finite", NOT_FINITE),
        ("memoryerror", OUT_OF_MEMORY),
    ):
        if words in lowered:
            return cause
    return FAILED


_SCHEDULER = {110: OUT_OF_MEMORY, 120: OUT_OF_TIME, 140: LOST}
_LAST_WORDS = (
    ("due to time limit", OUT_OF_TIME),
    ("walltime", OUT_OF_TIME),
    ("oom-kill", OUT_OF_MEMORY),
    ("oom_kill", OUT_OF_MEMORY),
    ("out of memory", OUT_OF_MEMORY),
    ("cannot allocate memory", OUT_OF_MEMORY),
)


def cause_of_end(node: orm.ProcessNode) -> str:
    """Return why a process did not end well, from its exit code and its scheduler's last words."""
    jobs = [node, *node.called_descendants] if isinstance(node, orm.WorkChainNode) else [node]
    for job in reversed([job for job in jobs if isinstance(job, orm.CalcJobNode)]):
        if job.exit_status in _SCHEDULER:
            return _SCHEDULER[job.exit_status]
        spoken = (job.get_scheduler_stderr() or "").lower() if "retrieved" in job.outputs else ""
        for words, cause in _LAST_WORDS:
            if words in spoken:
                return cause
    if node.is_finished and 200 < (node.exit_status or 0) < 300:
        return REFUSED
    return LOST
