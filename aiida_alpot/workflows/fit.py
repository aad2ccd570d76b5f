# SPDX-License-Identifier: MIT
"""Fit a potential to the increments of the training set, starting warm where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, while_

from aiida_alpot.calculations import FitCalculation
from aiida_alpot.data import ActiveSetData, PotentialData
from aiida_alpot.errors import SettingError
from aiida_alpot.workflows.caching import CachingWorkChain
from aiida_alpot.workflows.continuing import CHECKPOINT, go_on, refused_checkpoint
from aiida_alpot.workflows.fan_out import (
    CONTINUED,
    MAX_ATTEMPTS,
    describe_end,
    is_fault_of_the_job,
    was_lost,
)
from aiida_alpot.workflows.options import job_options
from aiida_alpot.workflows.ports import MEMBERS
from aiida_alpot.workflows.scratch import clean_folders
from aiida_alpot.workflows.settings import (
    FitSettings,
    GradeSettings,
    PotentialSettings,
    ThreadSettings,
    derive_seed,
    read_section,
)

_ZERO_AT_START = {"species", "moments", "linear"}


class FitWorkChain(CachingWorkChain):
    """Fit, and try once more where the job fails.

    A job that was lost is run again as it was. One that failed by itself, or was lost each time,
    is run from scratch if it had started warm. One that ran into its wall time goes on from its
    checkpoint, which is no new try.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        spec.expose_inputs(FitCalculation, include=("training", "test", "initial", "code"))
        spec.input("settings", valid_type=orm.Dict)
        spec.input("turn", valid_type=orm.Int)
        spec.input("options", valid_type=orm.Dict, required=False, help="Options by role.")
        spec.outline(
            cls.prepare, while_(cls.has_no_potential)(cls.fit, cls.inspect_fit), cls.results
        )
        spec.output("potential", valid_type=PotentialData)
        spec.output("active_set", valid_type=ActiveSetData)
        MEMBERS.define_output(spec)
        spec.output("result", valid_type=orm.Dict)
        spec.exit_code(201, "ERROR_SETTINGS", message="{message}")
        spec.exit_code(302, "ERROR_NO_POTENTIAL", message="no potential: {message}")

    def prepare(self) -> ExitCode | None:
        """Check the settings before a job is spent on them."""
        self.ctx.n_submitted = 0
        self.ctx.n_tried = 0
        self.ctx.plan = {}
        self.ctx.is_from_scratch = False
        self.ctx.is_fitted = False
        try:
            fit_request(self.inputs.settings.get_dict(), turn=self.inputs.turn.value)
        except SettingError as error:
            return self.exit_codes.ERROR_SETTINGS.format(message=str(error))
        return None

    def has_no_potential(self) -> bool:
        """Return whether there is still to be fitted."""
        return not self.ctx.is_fitted

    def fit(self) -> None:
        """Fit, from the potential given unless that failed."""
        self.ctx.n_submitted += 1
        turn, number = self.inputs.turn.value, self.ctx.n_submitted
        builder = FitCalculation.get_builder()
        builder.code = self.inputs.code
        builder.training = self.inputs.training
        builder.test = self.inputs.get("test", {})
        settings = self.inputs.settings.get_dict()
        request = fit_request(settings, turn=turn)
        if "initial" in self.inputs and not self.ctx.is_from_scratch:
            builder.initial = self.inputs.initial
        else:
            request = from_scratch(request)
        builder.settings = orm.Dict(request)
        if CHECKPOINT in self.ctx.plan:
            builder.checkpoint = orm.load_node(self.ctx.plan[CHECKPOINT])
        builder.metadata = {
            "label": f"turn {turn} / fit",
            "call_link_label": "fit" if number == 1 else f"fit_attempt_{number}",
            "options": job_options(self.inputs.get("options"), "fit", self.inputs.code),
        }
        self.to_context(job=self.submit(builder))

    def inspect_fit(self) -> ExitCode | None:
        """Accept the potential, or try again where that may help."""
        job = self.ctx.job
        self.ctx.is_fitted = job.is_finished_ok
        clean_folders(self, [job])
        if job.is_finished_ok:
            return None
        self.report(f"FitCalculation<{job.pk}> ended with {describe_end(job)}")
        starts_warm = "initial" in job.inputs
        starts_warm &= not keeps_values(job.inputs.settings.get_dict())
        plan = go_on(self.ctx.plan, job)
        has_advanced = plan.get(CONTINUED, 0) > self.ctx.plan.get(CONTINUED, 0)
        self.ctx.plan = plan
        if has_advanced or refused_checkpoint(job):
            return None
        self.ctx.n_tried += 1
        may_repeat = self.ctx.n_tried < MAX_ATTEMPTS
        if may_repeat and (was_lost(job) or (is_fault_of_the_job(job) and not starts_warm)):
            return None
        if starts_warm:
            self.ctx.is_from_scratch = True
            self.ctx.plan = {}
            return None
        return self.exit_codes.ERROR_NO_POTENTIAL.format(message=describe_end(job))

    def results(self) -> None:
        """Hand out the potential, its active set and how the fit went."""
        for name in ("potential", "active_set", "result"):
            self.out(name, self.ctx.job.outputs[name])
        MEMBERS.hand_out(self, self.ctx.job.outputs)


def fit_request(settings: dict[str, Any], *, turn: int) -> dict[str, Any]:
    """Return the keys of a fit request that are no files.

    Raises
    ------
    SettingError
        If a section that a fit needs is absent or wrong.
    """
    potential = read_section(settings, PotentialSettings)
    fit = read_section(settings, FitSettings)
    grades = read_section(settings, GradeSettings)
    return {
        "species": settings["species"],
        "level": potential.level,
        "cutoff": potential.cutoff,
        "min_distance": potential.min_distance,
        "zbl": potential.zbl,
        "weights": fit.weights,
        "weighting": fit.weighting,
        "atomic_energies": fit.atomic_energies,
        "robust": fit.robust,
        "frozen": list(fit.frozen),
        "train_only": _listed(fit.train_only),
        "pull": _pull(fit),
        "committee": fit.committee,
        "widen_interval": fit.widen_interval,
        # later turns go on from a potential that is trained
        "n_starts": fit.n_starts if turn == 0 else 1,
        "max_iterations": fit.max_iterations,
        "tolerance": fit.tolerance,
        "method": fit.method,
        "seed": derive_seed(settings["seed"], turn, "fit"),
        "threads": read_section(settings, ThreadSettings).fit,
        "active_set": {"mode": grades.mode, "method": grades.method},
    }


def keeps_values(request: Mapping[str, Any]) -> bool:
    """Return whether a fit must go on from its potential, some of whose values it keeps."""
    return bool(request["frozen"]) or request["train_only"] is not None


def from_scratch(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request without what needs a potential to go on from.

    An untrained potential has no values to keep or to be pulled to, but for the constants of free
    atoms whose energies are known, and for zero.
    """
    pull, has_constants = request["pull"], request["atomic_energies"] is not None
    constants = {"species", *request["species"]} if has_constants else set()
    is_ridge = pull is not None and set(pull.get("blocks") or ("radial",)) <= _ZERO_AT_START
    return {
        **request,
        "frozen": [block for block in request["frozen"] if block in constants],
        "train_only": None,
        "pull": pull if is_ridge else None,
    }


def _pull(fit: FitSettings) -> dict[str, Any] | None:
    if fit.pull is None:
        return None
    blocks = {} if fit.pull_blocks is None else {"blocks": list(fit.pull_blocks)}
    return {"strength": fit.pull, **blocks}


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)
