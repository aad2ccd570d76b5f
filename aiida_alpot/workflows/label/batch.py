# SPDX-License-Identifier: MIT
"""Label in batches: many configurations share one label job of this package, each by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_alpot.calculations import LabelCalculation
from aiida_alpot.workflows.fan_out import is_fault_of_the_job
from aiida_alpot.workflows.label.base import LabelWorkChain
from aiida_alpot.workflows.label.crashes import causes_of_unjudged
from aiida_alpot.workflows.label.known import Job
from aiida_alpot.workflows.label.recipes import (
    REFUSED,
    TRUNCATED,
    cause_of_end,
    cause_of_reason,
    merge_changes,
)


class BatchLabelWorkChain(LabelWorkChain):
    """Label with ``alpot.label``, whose driver gives a verdict of each configuration."""

    def build_job(self, name: str, job: Job, attempt: int) -> ProcessBuilder:
        """Return the inputs of the job that labels one batch."""
        label = self.label_settings()
        configurations = self.requested()
        settings = self.check_settings(label.calculator)
        works = [self.work_of(configurations, index, settings) for index in job["indices"]]
        builder: ProcessBuilder = LabelCalculation.get_builder()
        builder.code = self.inputs.code
        builder.configurations = self.inputs.configurations
        builder.files = self.inputs.get("files", {})
        builder.settings = orm.Dict(
            {
                "calculator": changed_calculator(label.calculator, job["changes"]),
                "level_of_theory": label.level_of_theory,
                "indices": job["indices"],
            }
        )
        builder.metadata = {
            **self.names_of(name, attempt),
            "options": self.options_of(max(works), job, self.inputs.code),
        }
        return builder

    def read_job(self, entry: dict[str, Any], node: orm.ProcessNode) -> dict[int, str]:
        """Keep labels and verdicts; return the causes of what was not reached or failed."""
        entry["outputs"] = {
            name: node.outputs[name].uuid for name in ("labelled", "result") if name in node.outputs
        }
        hashes = self.hashes()
        labels = node.outputs.labelled.label_hashes if "labelled" in node.outputs else []
        verdicts = dict.fromkeys(labels, "")
        if "result" in node.outputs:
            for verdict in node.outputs.result.get_dict().get("verdicts", []):
                if verdict["status"] == "failed":
                    verdicts[verdict["hash"]] = cause_of_reason(verdict["reason"])
                else:  # the file of the labels may not hold what the job says of it
                    verdicts.setdefault(verdict["hash"], TRUNCATED)
        indices = entry["job"]["indices"]
        causes = {index: verdicts[hashes[index]] for index in indices if hashes[index] in verdicts}
        unjudged = [index for index in indices if index not in causes]
        if unjudged:
            end = cause_of_end(node) if is_fault_of_the_job(node) else REFUSED
            works = entry["job"].get("spared", 0) > 0
            causes |= causes_of_unjudged(
                hashes, unjudged, end, node, progress=bool(causes), works=works
            )
        return {index: cause for index, cause in causes.items() if cause}


def changed_calculator(calculator: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the calculator with the settings that the recipes so far ask for."""
    more = changes.get("settings")
    if not more:
        return dict(calculator)
    return {**calculator, "settings": merge_changes(calculator.get("settings") or {}, more)}
