# SPDX-License-Identifier: MIT
"""How far one turn of a campaign is: from its record once it is done, else from its nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida_alpot.reports.processes import children, entry_point_of
from aiida_alpot.workflows.label.throttle import MARK
from aiida_alpot.workflows.pausing import PAUSED

STAGES = {
    "alpot.sample": "sampling",
    "alpot.select": "selecting",
    "alpot.label": "labelling",
    "alpot.fit": "fitting",
    "alpot.properties": "validating",
    "alpot.evaluate": "auditing",
}


@dataclass(frozen=True)
class TurnProgress:
    """One turn, finished or running.

    Parameters
    ----------
    turn : int
        Zero is the start.
    stage : str
        What is being done, or "done".
    samplers_done, samplers_total : int
        Chains that have ended, and all of them.
    frames : int
        Frames graded so far.
    largest_grade : float or None
        Largest grade met.
    candidates, selected, labelled, looked_up, failed : int
        Configurations at each step.
    errors : mapping
        Errors of the potential after the turn: ``training``, and ``test`` by name.
    seconds : mapping
        Time of the jobs of each stage, s.
    extrapolating : bool or None
        Whether any sampler left the known region; None while it runs.
    warnings : tuple of str
        What the fit of the turn warned about.
    criterion : tuple of mapping
        Conditions of the criterion: ``name``, ``holds``, ``detail``.
    held, asked : int
        Turns in a row that hold, and that must.
    core_seconds : mapping
        Core-seconds by stage.
    is_refit : bool
        Whether it is no turn of its own: a campaign that went on from this turn with other
        settings fitted to its labels once more.
    """

    turn: int
    stage: str
    samplers_done: int = 0
    samplers_total: int = 0
    frames: int = 0
    largest_grade: float | None = None
    candidates: int = 0
    selected: int = 0
    labelled: int = 0
    looked_up: int = 0
    failed: int = 0
    errors: Mapping[str, Any] | None = None
    seconds: Mapping[str, float] | None = None
    extrapolating: bool | None = None
    warnings: tuple[str, ...] = ()
    criterion: tuple[Mapping[str, Any], ...] = ()
    held: int = 0
    asked: int = 1
    core_seconds: Mapping[str, float] = field(default_factory=dict)
    is_refit: bool = False

    @property
    def shown_stage(self) -> str:
        """What people read of the stage."""
        return "refitted" if self.is_refit and self.stage == "done" else self.stage


def from_record(record: Mapping[str, Any], *, is_refit: bool = False) -> TurnProgress:
    """Return the progress of a turn that has left its record."""
    samples = record["samples"]
    return TurnProgress(
        turn=record["turn"],
        stage="done",
        samplers_done=len(samples),
        samplers_total=len(samples),
        frames=sum(chain.get("frames") or 0 for chain in samples),
        largest_grade=record["largest_grade"],
        candidates=record["n_candidates"],
        selected=record["n_selected"],
        labelled=record["n_labelled"],
        looked_up=record["n_looked_up"],
        failed=record["n_failed"],
        errors=record["errors"],
        seconds=record["seconds"],
        extrapolating=record["extrapolating"],
        warnings=tuple(one["message"] for one in record.get("fit", {}).get("warnings") or ()),
        criterion=tuple(record.get("criterion", ())),
        held=record.get("held", 0),
        asked=record.get("asked", 1),
        core_seconds=record.get("core_seconds", {}),
        is_refit=is_refit,
    )


def read_start(own: list[Any], turn: int, *, is_refit: bool) -> TurnProgress | None:
    """Return what comes before the loop: the labels and the fit of a start, or another fit."""
    for child in own:
        if child.process_label == "write_turn_record" and child.is_finished_ok:
            return from_record(child.outputs.result.get_dict(), is_refit=is_refit)
    first = [child for child in own if is_labeller(child) or entry_point_of(child) == "alpot.fit"]
    if not first:
        return None
    counts = _count_labels(first)
    stage = _stage_of(first[-1]) or "starting"
    return TurnProgress(turn=turn, stage=stage, is_refit=is_refit, **counts)


def read_running(
    process: Any, turn: int, chains_of: Callable[[Any], list[Any]], *, terminated: bool
) -> TurnProgress:
    """Return what there is of a turn that is running or was lost.

    Parameters
    ----------
    process : WorkChainNode
        The turn.
    turn : int
        Its number.
    chains_of : callable
        Tells what became of the chains of a sample job.
    terminated : bool
        Whether it had ended before its record was asked for.
    """
    steps = children(process)
    jobs = [
        job for step in steps if entry_point_of(step) == "alpot.sample" for job in children(step)
    ]
    chains = [chain for job in jobs for chain in chains_of(job)]
    grades = [chain["largest_grade"] for chain in chains if chain.get("largest_grade") is not None]
    selections = [step for step in steps if "selected" in step.outputs]
    planned = sum(len(entry["starts"]) for entry in _samplers(process))
    known = [stage for stage in map(_stage_of, steps) if stage]
    stage = "waiting" if waits_for(process) else known[-1] if known else "starting"
    return TurnProgress(
        turn=turn,
        stage="lost" if terminated else stage,
        samplers_done=len(chains),
        samplers_total=planned,
        frames=sum(chain.get("frames") or 0 for chain in chains),
        largest_grade=max(grades, default=None),
        selected=sum(step.outputs.selected.n_configurations for step in selections),
        **_count_labels(steps),
    )


def waits_for(turn: Any) -> str:
    """Return what a turn waits for a person to approve, empty if it does not."""
    status = str(turn.process_status or "") if turn.paused else ""
    return status if status.startswith(PAUSED) else ""


def is_labeller(process: Any) -> bool:
    """Return whether a process labels, whosever labeller it is."""
    own = entry_point_of(process).startswith("alpot.label")
    return own or bool(process.base.extras.get(MARK, False))


def _stage_of(process: Any) -> str:
    """Return what a process does, empty for one that only keeps books."""
    return "labelling" if is_labeller(process) else STAGES.get(entry_point_of(process), "")


def _samplers(process: Any) -> list[Any]:
    settings = process.inputs.settings.get_dict()
    if "potential" in process.inputs:
        return list(settings["explore"])
    return list((settings.get("exploration") or {}).get("explore", []))


def _count_labels(processes: list[Any]) -> dict[str, Any]:
    entries = list(ledger_entries(processes))
    return {
        name: sum(entry["status"] == name for entry in entries)
        for name in ("labelled", "looked_up", "failed")
    }


def ledger_entries(processes: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of the ledgers of those processes that label."""
    for process in processes:
        if is_labeller(process) and "ledger" in process.outputs:
            yield from process.outputs.ledger.get_dict()["entries"]
