# SPDX-License-Identifier: MIT
"""Many jobs side by side, at most so many in flight, each tried again when the machine failed it.

AiiDA has no limit of jobs on a computer, and WorkChains that wait for more children than the
daemon has slots wait for ever; so at most ``max_jobs`` are in flight. When one ends the next is
submitted, however long the others take.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, append_, while_
from aiida.engine.processes.workchains.awaitable import Awaitable

from aiida_alpot.calculations.exit_codes import SCHEDULER_STATUSES, STATUSES_OF_LOSS
from aiida_alpot.workflows.scratch import clean_folders
from aiida_alpot.workflows.sliding import SlidingWorkChain

MAX_ATTEMPTS = 2
CONTINUED = "continued"
"""Key of a job: how many of its attempts went on from the one before, which cost no attempt."""
PLAN = "alpot_plan"
"""Extra of the process: all jobs that it set out to run."""


class FanOutWorkChain(SlidingWorkChain):
    """Base of the WorkChains that run a number of like jobs.

    A subclass plans its jobs under their names as plain JSON with :meth:`plan_jobs`, builds one
    by name with :meth:`build_job` and says with :meth:`left_over` what a finished attempt
    leaves to be tried again.
    """

    @classmethod
    def fan_out(cls) -> Any:
        """Return the part of an outline that runs all planned jobs."""
        return while_(cls.has_jobs_waiting)(cls.run_jobs, cls.inspect_jobs)

    @abstractmethod
    def build_job(self, name: str, job: Mapping[str, Any], attempt: int) -> ProcessBuilder:
        """Return the inputs of one attempt at the job ``name``."""

    @abstractmethod
    def left_over(self, job: Mapping[str, Any], node: orm.CalcJobNode) -> dict[str, Any] | None:
        """Return the job that has to be tried again after this attempt, or None."""

    def plan_jobs(self, jobs: Mapping[str, Mapping[str, Any]], *, max_jobs: int) -> None:
        """Remember the jobs to be run, in the order given.

        The plan stands in an extra, for the context is written with every checkpoint.
        """
        plan = [{"name": name, "job": dict(job), "attempt": 1} for name, job in jobs.items()]
        self.node.base.extras.set(PLAN, plan)
        self.ctx.n_planned = len(plan)
        self.ctx.n_taken = 0
        self.ctx.retries = []
        self.ctx.max_jobs = max_jobs
        self.ctx.n_submitted = 0
        self.ctx.in_flight = []
        self.ctx.nodes = []
        self.ctx.ended = []

    def awaited(self) -> list[Any]:
        """Return what stands for the jobs in flight: nodes where they have ended."""
        return list(self.ctx.get("nodes", []))

    def has_jobs_waiting(self) -> bool:
        """Return whether a job is still to be run, or at work."""
        return self.n_waiting > 0 or len(self.ctx.in_flight) > 0

    @property
    def n_waiting(self) -> int:
        """How many jobs are still to be submitted, as far as is known."""
        return int(len(self.ctx.retries) + self.ctx.n_planned - self.ctx.n_taken)

    def take_jobs(self, count: int) -> list[dict[str, Any]]:
        """Return the next jobs to be submitted, at most so many; retries go first."""
        chosen: list[dict[str, Any]] = self.ctx.retries[:count]
        self.ctx.retries = self.ctx.retries[count:]
        first, count = self.ctx.n_taken, count - len(chosen)
        if count > 0 and first < self.ctx.n_planned:
            fresh = self.node.base.extras.get(PLAN)[first : first + count]
            self.ctx.n_taken = first + len(fresh)
            chosen = chosen + fresh
        return chosen

    def forget_jobs(self) -> None:
        """Submit no more of the jobs that are waiting."""
        self.ctx.retries = []
        self.ctx.n_taken = self.ctx.n_planned

    def run_jobs(self) -> None:
        """Submit the next jobs, as many as may be in flight, and wait for some to end."""
        self.submit_jobs(self.take_jobs(self.ctx.max_jobs - len(self.ctx.in_flight)))
        self.wait_for_jobs()

    def submit_jobs(self, entries: Iterable[dict[str, Any]]) -> None:
        """Submit jobs; those that a killed worker had submitted in this step are taken as well."""
        for entry in entries:
            node = self.submit(self.build_job(entry["name"], entry["job"], entry["attempt"]))
            self.mark(entry, node)
            self.add_in_flight(entry, node.pk)

    def mark(self, entry: Mapping[str, Any], node: orm.ProcessNode) -> None:
        """Write on a job that was just submitted what others have to know of it."""

    def add_in_flight(self, entry: dict[str, Any], pk: int) -> None:
        """Wait for a job from now on."""
        entry = {**entry, "pk": pk, "number": self.ctx.n_submitted}
        self.ctx.in_flight = [*self.ctx.in_flight, entry]
        self.ctx.n_submitted += 1

    def wait_for_jobs(self) -> None:
        """Wait until some of the jobs in flight have ended."""
        self.ctx.nodes = []
        for entry in self.ctx.in_flight:
            self.to_context(nodes=append_(orm.load_node(entry["pk"])))

    def take_ended(self) -> list[tuple[dict[str, Any], orm.CalcJobNode]]:
        """Return the jobs that ended, or that are waited for no more, and let go of them."""
        pairs = list(zip(self.ctx.in_flight, self.ctx.nodes, strict=True))
        self.ctx.in_flight = [entry for entry, node in pairs if isinstance(node, Awaitable)]
        self.ctx.nodes = []
        return [(entry, node) for entry, node in pairs if not isinstance(node, Awaitable)]

    def inspect_jobs(self) -> None:
        """Put the jobs that their machine failed back into the queue, once."""
        ended = self.take_ended()
        for entry, node in ended:
            if node.is_finished_ok:
                continue
            left = self.left_over(entry["job"], node)
            continued = 0 if left is None else left.get(CONTINUED, 0)
            again = left is not None and entry["attempt"] - continued < self.max_attempts()
            self.report(
                f"{node.process_label}<{node.pk}> '{entry['name']}' ended with {describe_end(node)}"
                + (", trying again" if again else "")
            )
            if again:
                retry = {"name": entry["name"], "job": left, "attempt": entry["attempt"] + 1}
                self.ctx.retries = [*self.ctx.retries, retry]
        self.ctx.ended = self.ctx.ended + [entry for entry, _ in ended]
        clean_folders(self, [node for _, node in ended])

    def all_attempts(self) -> list[tuple[dict[str, Any], orm.CalcJobNode]]:
        """Return the attempts that ended with their nodes, in the order of submission."""
        ended = sorted(self.ctx.ended, key=lambda entry: entry["number"])
        return [(entry, orm.load_node(entry["pk"])) for entry in ended]

    def max_attempts(self) -> int:
        """Return how often a job is tried at most."""
        return MAX_ATTEMPTS


def is_fault_of_the_job(node: orm.CalcJobNode) -> bool:
    """Return whether trying again may help: the job was killed or lost, not refused.

    Exit codes from 201 to 299 mean that the input is bad, which a second attempt does not mend.
    """
    return not (node.is_finished and 200 < (node.exit_status or 0) < 300)


def was_lost(node: orm.CalcJobNode) -> bool:
    """Return whether the machine failed a job, or its files: the same job may well succeed."""
    return not node.is_finished or node.exit_status in (*SCHEDULER_STATUSES, *STATUSES_OF_LOSS)


def describe_failure(node: orm.ProcessNode) -> str:
    """Return the message with which a process ended, which says already what failed in it."""
    return str(node.exit_message) if node.is_finished and node.exit_message else describe_end(node)


def describe_end(node: orm.ProcessNode) -> str:
    """Return in words how a process ended."""
    if node.is_finished:
        return f"exit status {node.exit_status}: {node.exit_message}"
    state = node.process_state.value if node.process_state is not None else "no state"
    return f"{state}: {node.exception or node.process_status or 'no reason given'}"
