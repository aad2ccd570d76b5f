# SPDX-License-Identifier: MIT
"""A WorkChain that submits no job for a label that is there, or that somebody else is making.

It looks twice: before it plans its jobs, and again right before it submits one, which may be days
later. What it finds then it takes over: labels are read where they lie, and jobs of others are
waited for like its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from aiida.common import timezone

from aiida_alpot.configurations import Configurations
from aiida_alpot.workflows.label.adoption import find_jobs_at_work, mark_job, one_at_a_time
from aiida_alpot.workflows.label.deadline import ClosingWorkChain
from aiida_alpot.workflows.label.gather import gather_found
from aiida_alpot.workflows.label.sources import FOUND
from aiida_alpot.workflows.lookup import find_labels, known_labels
from aiida_alpot.workflows.once import find_sent
from aiida_alpot.workflows.settings import LabelSettings, read_section

Job = Mapping[str, Any]
FOUND_LATER = f"{FOUND}later_"
"""Link of sets in which labels were found after the jobs had been planned."""
MARGIN = timedelta(minutes=10)
"""How much longer than since the last look is searched: a node is dated before it is stored."""


class KnownLabelsWorkChain(ClosingWorkChain):
    """Runs jobs for those configurations only that nobody has labelled or is labelling."""

    def find_known(self) -> tuple[list[int], list[dict[str, Any]]]:
        """Look before anything is planned; remember where labels lie.

        Returns
        -------
        tuple
            The configurations that are left, each once, and the jobs of others to wait for.
        """
        label, hashes = self.label_settings(), self.hashes()
        self._looked_at = timezone.now()
        found = find_labels(
            hashes,
            label.level_of_theory,
            given=self.inputs.configurations,
            elsewhere=label.look_up,
        )
        self.ctx.found = gather_found(found)
        self.ctx.found_later = []
        first_of = {one: index for index, one in reversed(list(enumerate(hashes)))}
        missing = sorted(index for one, index in first_of.items() if one not in found)
        if found:
            self.report(f"found {len(hashes) - len(missing)} of {len(hashes)} labels")
        if not label.look_up:
            return missing, []
        adopted = find_jobs_at_work(hashes, missing, label.level_of_theory)
        taken = _indices_of(adopted)
        return [index for index in missing if index not in taken], adopted

    def wait_for_others(self, adopted: Iterable[dict[str, Any]]) -> None:
        """Wait for jobs that somebody else has submitted."""
        for entry in adopted:
            count = len(entry["job"]["indices"])
            self.report(f"job {entry['pk']} labels {count} of them already, waiting for it")
            self.add_in_flight({**entry, "is_adopted": True}, entry["pk"])

    def submit_jobs(self, entries: Iterable[dict[str, Any]]) -> None:
        """Submit jobs for what is still without a label; only one process does so at a time."""
        entries = list(entries)
        if not entries or not self.label_settings().look_up:
            super().submit_jobs(entries)
            return
        with one_at_a_time():
            super().submit_jobs(self.without_known(entries))

    def without_known(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the jobs without those configurations that others labelled since the last look.

        A job that this process has submitted already, in a step that was interrupted, stays whole.
        """
        links = [self.names_of(one["name"], one["attempt"])["call_link_label"] for one in entries]
        sent = find_sent(self.node, links)
        fresh = [entry for entry, link in zip(entries, links, strict=True) if link not in sent]
        level, hashes = self.label_settings().level_of_theory, self.hashes()
        since, self._looked_at = self.last_look() - MARGIN, timezone.now()
        known = known_labels(level, since=since)
        wanted = sorted(_indices_of(fresh))
        found = [index for index in wanted if hashes[index] in known]
        missing = [index for index in wanted if hashes[index] not in known]
        adopted = find_jobs_at_work(
            hashes, missing, level, first=self.ctx.n_submitted, besides=self.node
        )
        gone = {*found, *_indices_of(adopted)}
        if found:
            self.report(f"found {len(found)} more labels, which others have made")
            self.ctx.found_later = [*self.ctx.get("found_later", []), *found]
        self.wait_for_others(adopted)
        left = []
        for entry in entries:
            indices = [index for index in entry["job"]["indices"] if index not in gone]
            if indices:
                left.append({**entry, "job": {**entry["job"], "indices": indices}})
        return left

    def last_look(self) -> datetime:
        """Return when labels were looked up last; a worker that took over looks further back."""
        looked_at: datetime = self.__dict__.get("_looked_at", self.node.ctime)
        return looked_at

    def has_known(self) -> bool:
        """Return whether any label was found."""
        return bool(self.ctx.found or self.ctx.get("found_later"))

    def links_of_known(self) -> dict[str, str]:
        """Return the UUIDs of the sets in which labels were found, by their links."""
        hashes = [self.hashes()[index] for index in self.ctx.get("found_later", [])]
        later = find_labels(hashes, self.label_settings().level_of_theory) if hashes else {}
        return {**self.ctx.found, **gather_found(later, link=FOUND_LATER)}

    def mark(self, entry: Job, node: Any) -> None:
        """Write on a job what it labels, for those who ask for the same."""
        hashes = self.hashes()
        marks = [hashes[index] for index in entry["job"]["indices"]]
        mark_job(node, self.label_settings().level_of_theory, marks, entry)

    def names_of(self, name: str, attempt: int) -> dict[str, str]:
        """Return the names of a process and of the link to it."""
        return {
            "label": f"{self.inputs.metadata.get('label', '') or 'label'} {name}",
            "call_link_label": f"{name}_attempt_{attempt}",
        }

    def label_settings(self) -> LabelSettings:
        """Return the section of the settings that this WorkChain reads."""
        return read_section(self.inputs.settings.get_dict(), LabelSettings)

    def requested(self) -> Configurations:
        """Return the configurations to be labelled; read once, and in no checkpoint."""
        if not hasattr(self, "_requested"):
            self._requested: Configurations = self.inputs.configurations.get_configurations()
        return self._requested

    def hashes(self) -> list[str]:
        """Return the hashes of the configurations to be labelled; computed once."""
        if not hasattr(self, "_hashes"):
            self._hashes: list[str] = self.requested().hashes()
        return self._hashes


def _indices_of(entries: Iterable[Job]) -> set[int]:
    return {index for entry in entries for index in entry["job"]["indices"]}
