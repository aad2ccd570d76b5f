# SPDX-License-Identifier: MIT
"""Label configurations: look up what is known, calculate the rest in batches, keep a ledger.

A subclass says which calculators it is for with :meth:`LabelWorkChain.refuse_calculator` and,
where its jobs are set up differently, overrides :meth:`LabelWorkChain.build_job`. Outputs are
in eV, eV/A and eV/A^3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec

from aiida_alpot.calculations import LabelCalculation
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.errors import SettingError
from aiida_alpot.workflows.fan_out import FanOutWorkChain, describe_end, is_fault_of_the_job
from aiida_alpot.workflows.label.collect import FOUND, LABELS, RESULT, collect_labels
from aiida_alpot.workflows.lookup import find_labels
from aiida_alpot.workflows.options import job_options
from aiida_alpot.workflows.ports import define_job_inputs
from aiida_alpot.workflows.settings import LabelSettings, read_section


class LabelWorkChain(FanOutWorkChain):
    """Label a set of configurations at one level of theory."""

    ROLE: ClassVar[str] = "label"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        spec.input("settings", valid_type=orm.Dict, help="Read: the section `label`.")
        spec.input("configurations", valid_type=ConfigurationsData)
        spec.input("turn", valid_type=orm.Int, required=False, help="For the ledger.")
        spec.input("code", valid_type=orm.AbstractCode)
        define_job_inputs(spec)
        spec.outline(
            cls.check_inputs,
            cls.look_up_labels,
            cls.fan_out(),
            cls.collect,
            cls.judge,
        )
        spec.output("labelled", valid_type=ConfigurationsData, required=False)
        spec.output("ledger", valid_type=orm.Dict, required=False)
        spec.exit_code(201, "ERROR_SETTINGS", message="{message}")
        spec.exit_code(203, "ERROR_LEVEL_OF_THEORY", message="{message}")
        spec.exit_code(207, "ERROR_EMPTY_DATA", message="there is no configuration to label")
        spec.exit_code(301, "ERROR_NOTHING_LABELLED", message="nothing was labelled: {message}")
        spec.exit_code(
            401, "ERROR_TOO_FEW_LABELS", message="{n_labelled} of {n_requested} labels: {message}"
        )

    @classmethod
    def refuse_calculator(cls, calculator: Mapping[str, Any]) -> str | None:
        """Return why this WorkChain cannot label with ``calculator``, or None."""
        return None

    def check_inputs(self) -> ExitCode | None:
        """Refuse settings, and labels of another level of theory, before anything is submitted."""
        try:
            label = read_section(self.inputs.settings.get_dict(), LabelSettings)
        except SettingError as error:
            return self.exit_codes.ERROR_SETTINGS.format(message=str(error))
        refused = self.refuse_calculator(label.calculator)
        if refused is not None:
            return self.exit_codes.ERROR_SETTINGS.format(message=refused)
        requested = self.inputs.configurations
        if requested.n_configurations == 0:
            return self.exit_codes.ERROR_EMPTY_DATA
        if requested.n_labelled and requested.level_of_theory != label.level_of_theory:
            return self.exit_codes.ERROR_LEVEL_OF_THEORY.format(
                message=f"{requested.n_labelled} configurations are labelled at "
                f"{requested.level_of_theory or 'a level that is not recorded'}, the labels asked "
                f"for are of {label.level_of_theory}; drop those labels or label at that level"
            )
        return None

    def look_up_labels(self) -> None:
        """Find the labels that are there; plan batches for the others, each configuration once."""
        label = self.label_settings()
        hashes = self.inputs.configurations.get_configurations().hashes()
        found = find_labels(hashes, label.level_of_theory)
        self.ctx.found = list(dict.fromkeys(found.values()))
        first_of = {one: index for index, one in reversed(list(enumerate(hashes)))}
        missing = sorted(index for one, index in first_of.items() if one not in found)
        if found:
            self.report(f"found {len(hashes) - len(missing)} of {len(hashes)} labels")
        batches = [
            missing[first : first + label.batch_size]
            for first in range(0, len(missing), label.batch_size)
        ]
        jobs = {f"batch_{number:03d}": {"indices": batch} for number, batch in enumerate(batches)}
        self.plan_jobs(jobs, max_jobs=label.max_jobs)

    def label_settings(self) -> LabelSettings:
        """Return the section of the settings that this WorkChain reads."""
        return read_section(self.inputs.settings.get_dict(), LabelSettings)

    def max_attempts(self) -> int:
        """Return how often a batch is tried at most."""
        return self.label_settings().max_attempts

    def build_job(self, name: str, job: Mapping[str, Any], attempt: int) -> ProcessBuilder:
        """Return the inputs of the job that labels one batch."""
        label = self.label_settings()
        builder: ProcessBuilder = LabelCalculation.get_builder()
        builder.code = self.inputs.code
        builder.configurations = self.inputs.configurations
        builder.files = self.inputs.get("files", {})
        builder.settings = orm.Dict(
            {
                "calculator": label.calculator,
                "level_of_theory": label.level_of_theory,
                "indices": job["indices"],
            }
        )
        builder.metadata = {
            "label": f"{self.inputs.metadata.get('label', '') or 'label'} {name}",
            "call_link_label": f"{name}_attempt_{attempt}",
            "options": job_options(self.inputs.get("options"), self.ROLE, self.inputs.code),
        }
        return builder

    def left_over(self, job: Mapping[str, Any], node: orm.CalcJobNode) -> dict[str, Any] | None:
        """Return the configurations that a lost job did not reach; what failed stays failed."""
        if not is_fault_of_the_job(node):
            return None
        judged: set[str] = set()
        if "result" in node.outputs:
            judged = {one["hash"] for one in node.outputs.result.get_dict().get("verdicts", [])}
        elif "labelled" in node.outputs:
            judged = set(node.outputs.labelled.label_hashes)
        hashes = self.inputs.configurations.get_configurations().hashes()
        left = [index for index in job["indices"] if hashes[index] not in judged]
        return {"indices": left} if left else None

    def collect(self) -> None:
        """Bring all labels together and write the ledger."""
        sources: dict[str, orm.Data] = {}
        for number, uuid in enumerate(self.ctx.found):
            sources[f"{FOUND}{number:03d}"] = orm.load_node(uuid)
        attempts = []
        for number, (entry, node) in enumerate(self.all_attempts()):
            attempts.append({**_told(entry), "node": node.uuid, "end": describe_end(node)})
            for link, output in ((LABELS, "labelled"), (RESULT, "result")):
                if output in node.outputs:
                    sources[f"{link}{number:03d}"] = node.outputs[output]
        record = {
            "turn": self.inputs.turn.value if "turn" in self.inputs else -1,
            "level_of_theory": self.label_settings().level_of_theory,
            "attempts": attempts,
        }
        collected = collect_labels(
            self.inputs.configurations,
            orm.Dict(record),
            metadata={"call_link_label": "collect_labels"},
            **sources,
        )
        self.out("labelled", collected["labelled"])
        self.out("ledger", collected["ledger"])

    def judge(self) -> ExitCode | None:
        """Return an exit code where too few configurations were labelled."""
        entries = self.outputs["ledger"].get_dict()["entries"]
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


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": entry["name"],
        "attempt": entry["attempt"],
        "indices": entry["job"]["indices"],
    }
