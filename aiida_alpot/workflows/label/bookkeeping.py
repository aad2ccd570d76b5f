# SPDX-License-Identifier: MIT
"""The books of a WorkChain that labels: what its attempts gave, the ledger, and the verdict."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_alpot.workflows.fan_out import describe_end
from aiida_alpot.workflows.job_costs import cores_of_node
from aiida_alpot.workflows.label.collect import collect_labels
from aiida_alpot.workflows.label.deadline import OUTSTANDING
from aiida_alpot.workflows.label.gather import MOST_JOBS, gather, gather_again
from aiida_alpot.workflows.label.known import Job, KnownLabelsWorkChain
from aiida_alpot.workflows.label.quarantine import QUARANTINED
from aiida_alpot.workflows.label.sources import LABELS, RESULT, numbered
from aiida_alpot.workflows.restate import is_forced, mark_forced


class BookkeepingWorkChain(KnownLabelsWorkChain):
    """Keeps what attempts gave, and brings it all together in the end."""

    @abstractmethod
    def works(self) -> list[int]:
        """Return atoms x k-points of each configuration."""

    def has_result(self) -> bool:
        """Return whether a label is there."""
        if self.has_known() or any("labelled" in one.get("outputs", {}) for one in self.ctx.ended):
            return True
        if any(link.startswith(LABELS) for link in self.ctx.gathered):
            return True
        nodes = [node for node in self.ctx.nodes if isinstance(node, orm.ProcessNode)]
        return any(node.is_finished_ok or "labelled" in node.outputs for node in nodes)

    def gather_ended(self) -> None:
        """Gather the labels of many jobs, which need no place in the context any more."""
        while len(self.ctx.ended) >= MOST_JOBS:
            attempts, sources = self.tell_of(self.ctx.ended[:MOST_JOBS])
            nodes = gather(LABELS, self.ctx.n_gathered, {"attempts": attempts}, sources)
            self.ctx.gathered = {**self.ctx.gathered, **nodes}
            self.ctx.n_gathered += 1
            self.ctx.ended = self.ctx.ended[MOST_JOBS:]

    def collect(self) -> None:
        """Bring all labels together and write the ledger."""
        links = gather_again(LABELS, self.ctx.gathered)
        known = {**self.links_of_known(), **links}
        sources = {link: orm.load_node(uuid) for link, uuid in known.items()}
        attempts, outputs = self.tell_of(self.ctx.ended)
        sources |= outputs
        late = self.inputs[OUTSTANDING].get_configurations() if OUTSTANDING in self.inputs else None
        record = {
            "turn": self.inputs.turn.value if "turn" in self.inputs else -1,
            "level_of_theory": self.label_settings().level_of_theory,
            "attempts": attempts,
            "works": self.works(),
            "late_from": dict(zip(late.hashes(), late.turn.tolist(), strict=True)) if late else {},
            "closed": self.is_closed,
        }
        collected = collect_labels(
            self.inputs.configurations,
            orm.Dict(record),
            metadata={"call_link_label": "collect_labels"},
            **sources,
        )
        if any(is_forced(node) for node in sources.values()):
            mark_forced(collected["labelled"])
        self.out("labelled", collected["labelled"])
        self.out("ledger", collected["ledger"])
        for name in (QUARANTINED, OUTSTANDING):
            if name in collected:
                self.out(name, collected[name])

    def tell_of(self, entries: list[Job]) -> tuple[list[dict[str, Any]], dict[str, orm.Data]]:
        """Return what is to be told of attempts that ended, and their outputs by their links."""
        attempts, sources = [], {}
        for entry in entries:
            attempts.append(_told(entry, orm.load_node(entry["pk"])))
            for link, output in ((LABELS, "labelled"), (RESULT, "result")):
                if output in entry.get("outputs", {}):
                    node = orm.load_node(entry["outputs"][output])
                    sources[numbered(link, entry["number"])] = node
        return attempts, sources

    def judge(self) -> ExitCode | None:
        """Return an exit code where too few configurations were labelled."""
        entries = self.outputs["ledger"].get_dict()["entries"]
        entries = [entry for entry in entries if entry["status"] not in ("late", "skipped")]
        failed = [entry for entry in entries if entry["status"] == "failed"]
        n_labelled = len(entries) - len(failed)
        if n_labelled == len(entries):
            return None
        message = f"{failed[0]['identifier']}: {failed[0]['reason']}"
        self.report(
            f"{len(failed)} of {len(entries)} configurations have no label, first {message}"
        )
        if n_labelled == 0:
            return self.exit_codes.ERROR_NOTHING_LABELLED.format(message=message)
        if n_labelled < self.label_settings().min_success * len(entries):
            return self.exit_codes.ERROR_TOO_FEW_LABELS.format(
                n_labelled=n_labelled, n_requested=len(entries), message=message
            )
        return None


def _told(entry: Mapping[str, Any], node: orm.ProcessNode) -> dict[str, Any]:
    return {
        "name": entry["name"],
        "number": entry["number"],
        "attempt": entry["attempt"],
        "indices": entry["job"]["indices"],
        "recipe": entry["job"]["recipe"],
        "causes": entry.get("causes", {}),
        "late": entry.get("late", False),
        "given_up": entry.get("given_up", False),
        "node": entry.get("node", node.uuid),
        "end": describe_end(node),
        "exit_code": node.exit_status,
        "cores": cores_of_node(node),
    }
