# SPDX-License-Identifier: MIT
"""The parser of label jobs: a batch may succeed in part, and what was paid for is kept."""

from __future__ import annotations

from typing import Any

from aiida.engine import ExitCode

from aiida_alpot.parsers.job import JobParser


class LabelParser(JobParser):
    """Keeps the labels of a batch where others of it failed or were not reached."""

    def store_outputs(self) -> ExitCode | None:
        """Store the labels that are there, also when the job was killed before its result."""
        result = self.read_result()
        if isinstance(result, ExitCode):
            self.store_files()
            return result
        return super().store_outputs()

    def judge(self, result: dict[str, Any]) -> ExitCode | None:
        """Tell a batch without any label from one that is labelled in part."""
        verdicts = result.get("verdicts", [])
        if not result.get("complete", True):
            return self.exit_codes.ERROR_PARTIAL_BATCH.format(
                message=f"the job was killed after {len(verdicts)} of "
                f"{result['n_configurations']} configurations"
            )
        failed = [verdict for verdict in verdicts if verdict["status"] != "labelled"]
        n_labelled = self.outputs["labelled"].n_labelled if "labelled" in self.outputs else 0
        if verdicts and not n_labelled:
            return self.exit_codes.ERROR_NOTHING_LABELLED.format(message=_reason(failed))
        if failed:
            return self.exit_codes.ERROR_PARTIAL_BATCH.format(
                message=f"{len(failed)} of {len(verdicts)} configurations have no label: "
                + _reason(failed)
            )
        return None


def _reason(failed: list[dict[str, Any]]) -> str:
    if not failed:
        return "the job gave no reason"
    first = failed[0]
    return f"{first['identifier']}: {first['reason']}"
