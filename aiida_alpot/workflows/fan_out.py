# SPDX-License-Identifier: MIT
"""Many jobs side by side, at most so many in flight, each tried again when the machine failed it.

AiiDA has no limit of jobs on a computer, and WorkChains that wait for more children than the
daemon has slots wait for ever; so jobs are submitted in rounds of at most ``max_jobs``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, append_, while_

from aiida_alpot.calculations.exit_codes import SCHEDULER_STATUSES, STATUSES_OF_LOSS
from aiida_alpot.workflows.caching import CachingWorkChain
from aiida_alpot.workflows.scratch import clean_folders

MAX_ATTEMPTS = 2
CONTINUED = "continued"
"""Key of a job: how many of its attempts went on from the one before, which cost no attempt."""


class FanOutWorkChain(CachingWorkChain):
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
        """Remember the jobs to be run, in the order given."""
        self.ctx.waiting = [
            {"name": name, "job": dict(job), "attempt": 1} for name, job in jobs.items()
        ]
        self.ctx.max_jobs = max_jobs
        self.ctx.attempts = []
        self.ctx.nodes = []

    def has_jobs_waiting(self) -> bool:
        """Return whether a job is still to be run."""
        return len(self.ctx.waiting) > 0

    def run_jobs(self) -> None:
        """Submit the next jobs, at most as many as may be in flight."""
        batch = self.ctx.waiting[: self.ctx.max_jobs]
        self.ctx.waiting = self.ctx.waiting[self.ctx.max_jobs :]
        self.ctx.n_inspected = len(self.ctx.attempts)
        self.ctx.attempts = self.ctx.attempts + batch
        for entry in batch:
            builder = self.build_job(entry["name"], entry["job"], entry["attempt"])
            self.to_context(nodes=append_(self.submit(builder)))

    def inspect_jobs(self) -> None:
        """Put the jobs that their machine failed back into the queue, once."""
        retries = []
        for entry, node in self.new_attempts():
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
                retries.append(
                    {"name": entry["name"], "job": left, "attempt": entry["attempt"] + 1}
                )
        self.ctx.waiting = retries + self.ctx.waiting
        clean_folders(self, [node for _, node in self.new_attempts()])

    def new_attempts(self) -> list[tuple[dict[str, Any], orm.CalcJobNode]]:
        """Return the attempts of the last round with their nodes."""
        first = self.ctx.n_inspected
        return list(zip(self.ctx.attempts[first:], self.ctx.nodes[first:], strict=True))

    def all_attempts(self) -> list[tuple[dict[str, Any], orm.CalcJobNode]]:
        """Return every attempt with its node, in the order of submission."""
        return list(zip(self.ctx.attempts, self.ctx.nodes, strict=True))

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
