# SPDX-License-Identifier: MIT
"""The parser of label jobs: a batch may succeed in part, and what was paid for is kept.

A job that died left a file of its progress: what it had finished is taken from there, to the last
configuration, with the name of the one that it died of.
"""

from __future__ import annotations

import io
from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_alpot.calculations.label import batch_of
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.jobs.label_driver import LABELLED_FILE, PROGRESS_FILE, recover
from aiida_alpot.jobs.requests import RESULT_FILE, SCHEMA
from aiida_alpot.parsers.job import JobParser


class LabelParser(JobParser):
    """Keeps the labels of a batch where others of it failed or were not reached."""

    CACHE_VERSION = 2

    def store_outputs(self) -> ExitCode | None:
        """Store the labels that are there, also when the job was killed before its result."""
        if PROGRESS_FILE in self.retrieved.base.repository.list_object_names():
            return self.store_progress()
        result = self.read_result()
        if isinstance(result, ExitCode):
            self.store_files()
            return result
        return super().store_outputs()

    def store_progress(self) -> ExitCode | None:
        """Store what a job that died had finished."""
        settings = self.node.inputs.settings.get_dict()
        batch = batch_of(self.node.inputs.configurations, settings.get("indices"))
        text = self.retrieved.base.repository.get_object_content(PROGRESS_FILE, mode="rb")
        result, labelled = recover(text.decode("utf-8", "replace"), batch.to_bytes())
        self.out("result", orm.Dict({"schema": SCHEMA, "job": "label", **result}))
        if labelled is not None:
            content = io.BytesIO(labelled)
            self.out("labelled", ConfigurationsData(content, filename=LABELLED_FILE))
        return self.judge(result)

    def judge(self, result: dict[str, Any]) -> ExitCode | None:
        """Tell a batch without any label from one that is labelled in part."""
        verdicts = result.get("verdicts", [])
        failed = [verdict for verdict in verdicts if verdict["status"] != "labelled"]
        if not result.get("complete", True):
            return self.judge_unfinished(result)
        labels = set(self.outputs["labelled"].label_hashes) if "labelled" in self.outputs else set()
        lost = [one for one in verdicts if one not in failed and one["hash"] not in labels]
        if lost:
            return self.exit_codes.ERROR_UNREADABLE_OUTPUT.format(
                message=f"{LABELLED_FILE} holds no energy and forces of {lost[0]['identifier']}, "
                f"one of {len(lost)} that {RESULT_FILE} calls labelled"
            )
        if verdicts and not labels:
            return self.exit_codes.ERROR_NOTHING_LABELLED.format(message=_reason(failed))
        if failed:
            return self.exit_codes.ERROR_PARTIAL_BATCH.format(
                message=f"{len(failed)} of {len(verdicts)} configurations have no label: "
                + _reason(failed)
            )
        return None

    def judge_unfinished(self, result: dict[str, Any]) -> ExitCode:
        """Say how far a job came that did not come to its end, and what it was at."""
        running = result.get("running")
        at = f", while it labelled {running['identifier']}" if running else ""
        message = f"{self.last_words()}; the job died after {len(result['verdicts'])} of "
        message += f"{result['n_configurations']} configurations{at}"
        if result["verdicts"]:
            return self.exit_codes.ERROR_PARTIAL_BATCH.format(message=message)
        return self.exit_codes.ERROR_NO_RESULT.format(message=message)


def _reason(failed: list[dict[str, Any]]) -> str:
    if not failed:
        return "the job gave no reason"
    first = failed[0]
    return f"{first['identifier']}: {first['reason']}"
