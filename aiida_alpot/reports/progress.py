# SPDX-License-Identifier: MIT
"""How far a campaign is: read from its nodes into plain values, while it runs and afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from aiida_alpot.reports.processes import (
    children,
    entry_point_of,
    predecessor_dicts,
    turn_processes,
)
from aiida_alpot.reports.turn_progress import (
    TurnProgress,
    from_record,
    ledger_entries,
    read_running,
    read_start,
    waits_for,
)
from aiida_alpot.workflows.accounting import KnownCosts, costs_of_chain, sum_by
from aiida_alpot.workflows.ports import REFIT

EARLIER = " earlier"


@dataclass(frozen=True)
class CampaignProgress:
    """A campaign at one moment."""

    name: str
    pk: int
    uuid: str
    state: str
    exit_status: int | None
    message: str
    doing: str
    started: datetime
    seconds: float
    turns: tuple[TurnProgress, ...]
    turns_budget: int
    labels_used: int
    labels_budget: int
    stop_requested: bool
    core_seconds: Mapping[str, float] = field(default_factory=dict)
    core_hours_budget: float | None = None
    wall_hours_budget: float | None = None
    waiting: str = ""

    @property
    def judged(self) -> TurnProgress | None:
        """The latest turn that was judged by the criterion."""
        return next((turn for turn in reversed(self.turns) if turn.criterion), None)

    @property
    def is_finished(self) -> bool:
        """Whether the process has ended, in whatever way."""
        return self.state in ("finished", "excepted", "killed")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the latest fit warned about."""
        fitted = [turn for turn in self.turns if turn.errors]
        return fitted[-1].warnings if fitted else ()

    @property
    def verdict(self) -> str:
        """How it ended, in words; what it is doing while it runs."""
        if not self.is_finished:
            if self.waiting:
                return f"{self.doing.partition(':')[0]}: {self.waiting}"
            asked = ", stops after this turn" if self.stop_requested else ""
            return f"{self.doing}{asked}"
        if self.state != "finished":
            return f"{self.state}: {self.message}" if self.message else self.state
        return "converged" if self.exit_status == 0 else f"{self.message} (exit {self.exit_status})"


@dataclass
class FinishedTurns:
    """What does not change any more, so that watching does not read it again and again."""

    turns: dict[str, TurnProgress] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    costs: KnownCosts = field(default_factory=KnownCosts)
    numbers: dict[str, int] = field(default_factory=dict)
    chains: dict[str, list[Any]] = field(default_factory=dict)
    earlier: list[TurnProgress] | None = None

    def number_of(self, turn: Any) -> int:
        """Return the number of a turn."""
        if turn.uuid not in self.numbers:
            self.numbers[turn.uuid] = int(turn.inputs.turn.value)
        return self.numbers[turn.uuid]

    def chains_of(self, job: Any) -> list[Any]:
        """Return what became of the chains of a sample job, nothing before it has ended."""
        if job.uuid not in self.chains:
            if "result" not in job.outputs:
                return []
            self.chains[job.uuid] = list(job.outputs.result.get_dict().get("chains", []))
        return self.chains[job.uuid]

    def earlier_turns(self, campaign: Any) -> list[TurnProgress]:
        """Return the turns of the campaigns that this one goes on from."""
        if self.earlier is None:
            records = predecessor_dicts(campaign, "records").items()
            self.earlier = [from_record(one, is_refit=key.endswith(REFIT)) for key, one in records]
        return self.earlier


def read_progress(node: Any, finished: FinishedTurns | None = None) -> CampaignProgress:
    """Read the progress of a campaign from its process.

    Parameters
    ----------
    node : WorkChainNode
        A campaign.
    finished : FinishedTurns, optional
        Kept by the caller from one look to the next; filled here.
    """
    finished = finished or FinishedTurns()
    settings = node.inputs.settings.get_dict()
    own = children(node)
    processes = turn_processes(node, own)
    turns = tuple(_read_turns(node, own, processes, finished))
    state = node.process_state.value if node.process_state is not None else "created"
    ended = node.mtime if node.is_terminated else datetime.now(timezone.utc)
    return CampaignProgress(
        name=str(settings.get("name", "?")),
        pk=node.pk,
        uuid=node.uuid,
        state=state,
        exit_status=node.exit_status,
        message=node.exit_message or _exception_of(node),
        doing=_doing(own, turns),
        started=node.ctime,
        seconds=(ended - node.ctime).total_seconds(),
        turns=turns,
        turns_budget=int(settings["budget"]["turns"]),
        labels_used=_labels_used(node, own, processes, finished),
        labels_budget=int(settings["budget"]["labels"]),
        stop_requested=bool(node.base.extras.get("stop_requested", False)),
        core_seconds=sum_by(costs_of_chain(node, finished.costs), "stage"),
        core_hours_budget=settings["budget"].get("core_hours"),
        wall_hours_budget=settings["budget"].get("wall_hours"),
        waiting=waits_for(processes[-1]) if processes else "",
    )


def _exception_of(node: Any) -> str:
    text = str(node.exception or "").strip()
    return text.splitlines()[-1] if text else ""


def _read_turns(
    node: Any, own: list[Any], processes: list[Any], finished: FinishedTurns
) -> Iterator[TurnProgress]:
    earlier = finished.earlier_turns(node)
    yield from earlier
    if not any(finished.number_of(process) == 0 for process in processes):
        number = node.inputs.predecessor.turn.value if earlier else 0
        first = finished.turns.get(node.uuid) or read_start(own, number, is_refit=bool(earlier))
        if first is not None:
            yield first
            if first.stage == "done":
                finished.turns[node.uuid] = first
    for process in processes:
        if process.uuid not in finished.turns:
            # asked before the record, which is there when a process ends well
            terminated = process.is_terminated
            if "record" not in process.outputs:
                yield read_running(
                    process,
                    finished.number_of(process),
                    finished.chains_of,
                    terminated=terminated,
                )
                continue
            finished.turns[process.uuid] = from_record(process.outputs.record.get_dict())
        yield finished.turns[process.uuid]


def _labels_used(node: Any, own: list[Any], processes: list[Any], finished: FinishedTurns) -> int:
    """Return how many labels of the budget the ledgers of a campaign stand for so far."""
    from aiida_alpot.workflows.records import count_spent

    if node.uuid + EARLIER not in finished.labels:
        earlier = predecessor_dicts(node, "ledgers").values()
        count = sum(count_spent(ledger["entries"]) for ledger in earlier)
        finished.labels[node.uuid + EARLIER] = count
    used = finished.labels[node.uuid + EARLIER]
    for step in [node, *processes]:
        if step.uuid in finished.labels:
            used += finished.labels[step.uuid]
            continue
        steps = own if step is node else children(step)
        count = count_spent(ledger_entries(steps))
        if step.uuid in finished.turns:
            finished.labels[step.uuid] = count
        used += count
    return used


def _doing(own: list[Any], turns: tuple[TurnProgress, ...]) -> str:
    for child in own:
        if entry_point_of(child) == "alpot.properties" and not child.is_terminated:
            return "validating"
    if not turns:
        return "starting"
    last = turns[-1]
    colon = "" if last.stage == "done" else ":"
    return f"turn {last.turn}{colon} {last.shown_stage}"


def as_json(progress: CampaignProgress) -> dict[str, Any]:
    """Return the progress as plain JSON."""
    content = dataclasses.asdict(progress)
    content["started"] = progress.started.isoformat()
    content["verdict"] = progress.verdict
    return content
