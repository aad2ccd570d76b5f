# SPDX-License-Identifier: MIT
"""Sample: every sampler from each of its starts, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec

from aiida_alpot.calculations import SampleCalculation
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.errors import SettingError
from aiida_alpot.sampling.registry import is_search
from aiida_alpot.workflows.continuing import CHECKPOINT, go_on, refused_checkpoint
from aiida_alpot.workflows.fan_out import FanOutWorkChain, is_fault_of_the_job
from aiida_alpot.workflows.options import job_options
from aiida_alpot.workflows.ports import MEMBERS, RESTARTS, define_job_inputs
from aiida_alpot.workflows.settings import (
    COMMITTEE,
    ExplorationSettings,
    GradeSettings,
    SamplerSettings,
    ThreadSettings,
    derive_seed,
    link_name,
    read_criterion,
    read_samplers,
    read_section,
    require_committee,
)


class SampleWorkChain(FanOutWorkChain):
    """Run the samplers of a turn; without a potential, those that explore with ASE."""

    ROLE: ClassVar[str] = "sample"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        spec.input("settings", valid_type=orm.Dict)
        spec.input("turn", valid_type=orm.Int)
        spec.input("structures", valid_type=ConfigurationsData, help="Named starts.")
        spec.input("potential", valid_type=PotentialData, required=False)
        spec.input("active_set", valid_type=ActiveSetData, required=False)
        MEMBERS.define_input(spec)
        RESTARTS.define_input(spec)
        spec.input("code", valid_type=orm.AbstractCode)
        define_job_inputs(spec)
        spec.outline(cls.plan_samples, cls.fan_out(), cls.gather)
        spec.output_namespace(
            "candidates",
            valid_type=ConfigurationsData,
            dynamic=True,
            help="Frames of each job that kept any, by the name of the job.",
        )
        spec.output_namespace(
            "audits",
            valid_type=ConfigurationsData,
            dynamic=True,
            required=False,
            help="Frames that each job drew at random of those that the grade vouches for.",
        )
        RESTARTS.define_output(spec)
        spec.output_namespace(
            "found",
            valid_type=ConfigurationsData,
            dynamic=True,
            required=False,
            help="What searches looked for, by the name of the job; energies are in its result.",
        )
        spec.output_namespace(
            "results", valid_type=orm.Dict, dynamic=True, help="Result of each job."
        )
        spec.exit_code(201, "ERROR_SETTINGS", message="{message}")
        spec.exit_code(303, "ERROR_NO_SAMPLE", message="no sampling job ended well")
        spec.exit_code(403, "ERROR_SAMPLES_MISSING", message="{n_missing} of {n_jobs} jobs failed")

    def plan_samples(self) -> ExitCode | None:
        """Split the starts of each sampler into jobs."""
        settings = self.inputs.settings.get_dict()
        try:
            samplers = read_samplers(settings, exploration=self.explores_first())
            if not self.explores_first():
                require_committee(settings, self.inputs)
        except SettingError as error:
            return self.exit_codes.ERROR_SETTINGS.format(message=str(error))
        jobs = {}
        for place, sampler in enumerate(samplers):
            size = max(sampler.starts_per_job, 1)
            for number, first in enumerate(range(0, len(sampler.starts), size)):
                name = f"{link_name(sampler.name)}_{number:03d}"
                jobs[name] = {
                    "sampler": place,
                    "chains": list(sampler.starts[first : first + size]),
                }
        self.plan_jobs(jobs, max_jobs=settings["max_jobs"])
        return None

    def explores_first(self) -> bool:
        """Return whether there is no potential yet, so that a calculator of ASE explores."""
        return "potential" not in self.inputs

    def build_job(self, name: str, job: Mapping[str, Any], attempt: int) -> ProcessBuilder:
        """Return the inputs of the job that runs some chains of one sampler."""
        settings = self.inputs.settings.get_dict()
        sampler = read_samplers(settings, exploration=self.explores_first())[job["sampler"]]
        turn = self.inputs.turn.value
        builder: ProcessBuilder = SampleCalculation.get_builder()
        builder.code = self.inputs.code
        builder.structures = self.inputs.structures
        builder.files = self.inputs.get("files", {})
        request = sample_request(settings, sampler, turn=turn, job=name)
        if self.explores_first():
            request["calculator"] = read_section(settings, ExplorationSettings).calculator
        else:
            builder.potential = self.inputs.potential
            if read_section(settings, GradeSettings).grader == COMMITTEE:
                builder.committee = MEMBERS.of(self.inputs)
            elif "active_set" in self.inputs:
                builder.active_set = self.inputs.active_set
            if sampler.goes_on:
                request["restart"] = sampler.restart
                restarts = RESTARTS.of(self.inputs)
                if name in restarts:
                    builder.restarts = restarts[name]
        builder.settings = orm.Dict({**request, "chains": job["chains"]})
        if CHECKPOINT in job:
            builder.checkpoint = orm.load_node(job[CHECKPOINT])
        builder.metadata = {
            "label": f"turn {turn} / sample {sampler.name} {' '.join(job['chains'])}"[:250],
            "call_link_label": name if attempt == 1 else f"{name}_attempt_{attempt}",
            "options": job_options(self.inputs.get("options"), self.ROLE, self.inputs.code),
        }
        return builder

    def left_over(self, job: Mapping[str, Any], node: orm.CalcJobNode) -> dict[str, Any] | None:
        """Return the job, with the checkpoint to go on from if it left one that is new."""
        if is_fault_of_the_job(node) or refused_checkpoint(node):
            return go_on(job, node)
        return None

    def gather(self) -> ExitCode | None:
        """Hand out the results, in the order of the names of the jobs."""
        done = {entry["name"]: node for entry, node in self.all_attempts() if node.is_finished_ok}
        for name in sorted(done):
            outputs = done[name].outputs
            self.out(f"results.{name}", outputs.result)
            if outputs.candidates.n_configurations:
                self.out(f"candidates.{name}", outputs.candidates)
            if "audit" in outputs and outputs.audit.n_configurations:
                self.out(f"audits.{name}", outputs.audit)
            if "found" in outputs and outputs.found.n_configurations:
                self.out(f"found.{name}", outputs.found)
            if "restarts" in outputs:
                self.out(f"{RESTARTS.port}.{name}", outputs.restarts)
        names = {entry["name"] for entry, _ in self.all_attempts()}
        if not done:
            return self.exit_codes.ERROR_NO_SAMPLE
        if len(done) < len(names):
            return self.exit_codes.ERROR_SAMPLES_MISSING.format(
                n_missing=len(names) - len(done), n_jobs=len(names)
            )
        return None


def sample_request(
    settings: Mapping[str, Any], sampler: SamplerSettings, *, turn: int, job: str
) -> dict[str, Any]:
    """Return the keys of a sample request that are no files.

    Twice as many frames are drawn as an audit takes, since some may be selected.
    """
    grades = read_section(settings, GradeSettings)
    audit_frames = 2 * read_criterion(settings).audit_labels
    return {
        "name": sampler.name,
        "sampler": dict(sampler.sampler),
        "max_frames": sampler.max_frames,
        "record_every": sampler.record_every,
        "turn": turn,
        "seed": derive_seed(settings["seed"], turn, "sample", job),
        "threads": read_section(settings, ThreadSettings).sample,
        # what lies below gamma_select may be selected too, once something else extrapolates
        "gamma_select": grades.gamma_entry,
        "gamma_break": grades.gamma_break,
        "gamma_known": grades.gamma_select,
        "audit_frames": audit_frames,
        "audit_seed": derive_seed(settings["seed"], turn, "audit"),
        **({"found": True} if is_search(str(sampler.sampler["kind"])) else {}),
        **({"carve": dict(settings["carve"])} if settings.get("carve") else {}),
    }
