# SPDX-License-Identifier: MIT
"""The campaign as the WorkChain takes it: plain JSON with every default filled in.

The keys are those of "Settings of CampaignWorkChain" in docs/architecture.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida_alpot.campaign.calculator_files import settings_in_job
from aiida_alpot.campaign.calculators import runs_beside_potential, workchain_of
from aiida_alpot.campaign.fit_checks import THRESHOLDS
from aiida_alpot.campaign.kinds import settings_of
from aiida_alpot.campaign.machines import LOCAL_CODE, job_options
from aiida_alpot.campaign.schema import PropertyEntry, SamplerEntry, StationaryProperty
from aiida_alpot.grading.calibration import Calibration, thresholds_for

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign

SCHEMA = 1


def workchain_settings(campaign: Campaign) -> dict[str, Any]:
    """Return the settings of the campaign's WorkChain."""
    content, machines = campaign.content, campaign.machines
    samplers = {entry.name: _sampler(entry, campaign.starts) for entry in content.explore}
    weights = content.fit.weights.model_dump()
    weights["relative_force_eps"] = content.fit.relative_force_eps
    return {
        "schema": SCHEMA,
        "name": content.name,
        "seed": content.seed,
        "species": list(content.species),
        "max_jobs": machines.sample.max_jobs,
        "threads": {"fit": machines.fit.threads, "sample": machines.sample.threads},
        "potential": content.potential.model_dump(),
        "explore": list(samplers.values()),
        "exploration": _exploration(campaign, samplers),
        "grades": _grades(campaign),
        **_carve(campaign),
        "gate": dict(content.gate),
        "label": _label(campaign),
        "fit": {**content.fit.model_dump(exclude={"relative_force_eps"}), "weights": weights},
        "budget": content.budget.model_dump(),
        "converge": _converge(campaign),
        "test_fraction": content.test_fraction,
        "validation": _validation(campaign),
    }


def workchain_options(campaign: Campaign) -> dict[str, Any]:
    """Return the options of the CalcJobs by role, and whether their folders are kept."""
    machines = campaign.machines
    return {
        **({"keep_folders": True} if machines.keep_folders else {}),
        "fit": job_options(machines.fit),
        "sample": job_options(machines.sample),
        "label": job_options(machines.label, campaign.content.label.options),
    }


def code_labels(campaign: Campaign) -> dict[str, str]:
    """Return the labels of the codes by the names of the WorkChain's ports.

    ``alpot`` serves every role; a role has an entry of its own where it runs another code.
    """
    machines = campaign.machines
    default = machines.fit.code or LOCAL_CODE
    codes = {"alpot": default}
    if machines.sample.code not in (None, default):
        codes["sample"] = str(machines.sample.code)
    label = campaign.content.label.code or machines.label.code
    if label not in (None, default):
        codes["label"] = str(label)
    if campaign.content.label.gamma_code is not None:
        codes["label_gamma"] = campaign.content.label.gamma_code
    return codes


def _sampler(entry: SamplerEntry, starts: dict[str, list[str]]) -> dict[str, Any]:
    identifiers = [identifier for name in entry.starts for identifier in starts[name]]
    return {
        "name": entry.name,
        "starts": identifiers,
        "sampler": {"kind": entry.kind, **settings_of(entry)},
        "max_frames": entry.max_frames,
        "record_every": entry.record_every,
        "starts_per_job": starts_per_job(entry.kind, entry.starts_per_job, len(identifiers)),
        "restart": entry.restart,
    }


def starts_per_job(kind: str, asked: int, n_starts: int) -> int:
    """Return how many starts share a job, so that those that belong together do.

    Starts of samplers that are not joint stand alone; of one that is joint all belong together, or
    groups of as many as it says, of which as many share a job as hold ``asked`` starts.
    """
    from aiida_alpot.sampling.registry import SAMPLERS

    sampler: Any = SAMPLERS[kind][0]
    if not sampler.joint:
        return asked
    together: int = getattr(sampler, "starts_together", max(n_starts, 1))
    return together * -(-asked // together)


def _exploration(campaign: Campaign, samplers: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    first = campaign.content.start.calculator
    if first is None:
        return None
    return {
        "calculator": {"ase": first.name, "settings": settings_in_job(first.settings)},
        "explore": [samplers[name] for name in first.samplers or samplers],
        "labels": first.labels,
    }


def _grades(campaign: Campaign) -> dict[str, Any]:
    """Return the thresholds under one name each, whoever grades."""
    grades = campaign.content.grades
    entry, select, largest = (getattr(grades, name) for name in THRESHOLDS[grades.grader])
    target = {}
    if grades.target_error is not None:
        entry, select, largest = thresholds_for(grades.target_error, Calibration())
        target = {"target_error": grades.target_error}
    return {
        "grader": grades.grader,
        "gamma_entry": entry,
        "gamma_select": select,
        "gamma_break": largest,
        "mode": grades.mode,
        "method": grades.method,
        "per_cost": grades.per_cost,
        "cost_exponent": grades.cost_exponent,
        **target,
        **{
            name: getattr(grades, name)
            for name in ("rule", "tail_k", "tail_kind")
            if getattr(grades, name) is not None
        },
    }


def _carve(campaign: Campaign) -> dict[str, Any]:
    """Return the section that says how large frames are cut up, nothing without one."""
    carve = campaign.content.carve
    if carve is None:
        return {}
    cutoff = campaign.content.potential.cutoff
    return {"carve": {**carve.model_dump(), "smallest_radius": cutoff}}


def _label(campaign: Campaign) -> dict[str, Any]:
    label = campaign.content.label
    return {
        "workchain": workchain_of(label.calculator, label.workchain),
        "calculator": {"name": label.calculator, "settings": settings_in_job(label.settings)},
        "level_of_theory": campaign.level_of_theory,
        "batch_size": label.batch_size,
        "max_jobs": campaign.machines.label.max_jobs,
        "max_submitted": campaign.machines.label.max_submitted,
        "max_attempts": label.max_attempts,
        "min_success": label.min_success,
        "turn_deadline_hours": label.turn_deadline_hours,
        "retry_options": dict(label.retry_options),
        "sizes": [one.model_dump() for one in campaign.machines.label.sizes],
    }


def _converge(campaign: Campaign) -> dict[str, Any]:
    """Return the criterion; without targets there is nothing to audit."""
    converge = campaign.content.converge
    targets = dict(converge.targets or campaign.content.test_targets)
    return {
        "turns": converge.turns,
        "rate": converge.rate,
        "test_tolerance": converge.test_tolerance,
        "properties": [_property(entry, campaign.starts) for entry in converge.properties],
        "tolerances": [dict(entry.tolerances) for entry in converge.properties],
        "audit_labels": converge.audit_labels if targets else 0,
        "targets": targets,
    }


def _validation(campaign: Campaign) -> dict[str, Any] | None:
    content = campaign.content
    if not content.validation:
        return None
    properties = [_property(entry, campaign.starts) for entry in content.validation]
    before = [
        described
        for entry, described in zip(content.validation, properties, strict=True)
        if entry.before
    ]
    reference = None
    label = content.label
    if runs_beside_potential(label.calculator, label.workchain):
        reference = {"ase": label.calculator, "settings": settings_in_job(label.settings)}
    return {
        "properties": properties,
        "initial_properties": before,
        "reference": reference,
    }


def _property(
    entry: PropertyEntry | StationaryProperty, starts: dict[str, list[str]]
) -> dict[str, Any]:
    described = {"kind": entry.kind, **settings_of(entry)}
    if entry.structure is not None:
        described["structure"] = starts[entry.structure][0]
    return described
