# SPDX-License-Identifier: MIT
"""Settings of a campaign as the WorkChains read them: sections of one Dict, checked on use.

All WorkChains of a campaign share its Dict node, so that nothing is stored twice. Each reads
the sections that it needs; one that is used alone may be given just those.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from aiida_alpot.errors import SettingError
from aiida_alpot.jobs.carve_settings import CarveSettings
from aiida_alpot.jobs.requests import Request, parse_request
from aiida_alpot.sampling.registry import SAMPLERS
from aiida_alpot.sampling.restarting import LAST_GOOD_FRAME, require_restarts

SCHEMA = 1
COMMITTEE = "committee"


@dataclass(frozen=True)
class PotentialSettings(Request):
    """Form of the potential; lengths in Angstrom."""

    level: int
    cutoff: float
    min_distance: float | None = None
    zbl: dict[str, float | bool | dict[str, tuple[float, float]] | None] | None = None


@dataclass(frozen=True)
class SamplerSettings(Request):
    """One sampler: its starts, each of which is a chain, and what goes to the job untouched."""

    name: str
    starts: tuple[str, ...]
    sampler: dict[str, Any]
    max_frames: int
    record_every: int
    starts_per_job: int = 1
    restart: Literal["start", "last_good_frame"] = "start"

    @property
    def goes_on(self) -> bool:
        """Whether a chain that its grade stopped goes on in the next turn."""
        return self.restart == LAST_GOOD_FRAME


@dataclass(frozen=True)
class ExplorationSettings(Request):
    """Samplers that run with a calculator of ASE before there is a potential."""

    calculator: dict[str, Any]
    explore: tuple[dict, ...]
    labels: int


@dataclass(frozen=True)
class GradeSettings(Request):
    """Who grades, the thresholds of its grade, and how an active set is chosen.

    Thresholds have no unit where the active set grades; of a committee they are standard deviations
    of the force on an atom, eV/A.
    """

    gamma_entry: float
    gamma_select: float
    gamma_break: float
    mode: Literal["neighborhood", "configuration"]
    method: Literal["projected", "parity"]
    grader: Literal["extrapolation", "committee"] = "extrapolation"
    per_cost: bool = False
    cost_exponent: float | None = None
    target_error: float | None = None
    rule: Literal["maxvol", "tail", "uncertainty", "farthest_points", "cur", "random"] | None = None
    tail_k: float | None = None
    tail_kind: Literal["rms", "variance"] | None = None

    @property
    def goes_by_grades(self) -> bool:
        """Whether the rule of selection needs a grade of every candidate."""
        return self.rule in ("tail", "uncertainty")


@dataclass(frozen=True)
class LabelSettings(Request):
    """Who labels, at which level of theory, and in which batches."""

    workchain: str
    calculator: dict[str, Any]
    level_of_theory: str
    batch_size: int = 50
    max_jobs: int = 4
    max_attempts: int = 2
    min_success: float = 0.5
    max_submitted: int | None = None
    turn_deadline_hours: float | None = None
    look_up: bool = True
    retry_options: dict[str, Any] = field(default_factory=dict)
    sizes: tuple[dict, ...] = ()


@dataclass(frozen=True)
class FitSettings(Request):
    """Weights, what surrounds a fit, and when it ends; see ``FitRequest`` for the keys."""

    weights: dict[str, Any]
    max_iterations: int
    tolerance: float
    weighting: dict[str, Any] | None = None
    atomic_energies: dict[str, float] | str | None = None
    robust: float | None = None
    pull: float | None = None
    pull_blocks: tuple[str, ...] | None = None
    frozen: tuple[str, ...] = ()
    train_only: tuple[str, ...] | None = None
    committee: dict[str, int | bool] | None = None
    method: str | None = None
    widen_interval: bool = False
    n_starts: int = 1


@dataclass(frozen=True)
class BudgetSettings(Request):
    """What may be spent: configurations to label in all and in a turn, turns, and hours."""

    labels: int
    labels_per_turn: int
    turns: int
    core_hours: float | None = None
    wall_hours: float | None = None


@dataclass(frozen=True)
class ConvergeSettings(Request):
    """When the loop has converged; see :mod:`aiida_alpot.campaign.convergence`."""

    turns: int = 1
    rate: float | None = None
    test_tolerance: float | str = "10 %"
    properties: tuple[dict, ...] = ()
    tolerances: tuple[dict, ...] = ()
    audit_labels: int = 0
    targets: dict[str, float] = field(default_factory=dict)

    @property
    def reserved_labels(self) -> int:
        """Labels that are kept back for the audits of the turns that end the loop."""
        return self.turns * self.audit_labels


@dataclass(frozen=True)
class ValidationSettings(Request):
    """Properties to measure at the end, and with the potential of the start alone."""

    properties: tuple[dict, ...]
    initial_properties: tuple[dict, ...] = ()
    reference: dict[str, Any] | None = None


@dataclass(frozen=True)
class ThreadSettings(Request):
    """Threads of a job by role."""

    fit: int = 1
    sample: int = 1


SECTIONS: dict[str, type[Request]] = {
    "budget": BudgetSettings,
    "carve": CarveSettings,
    "converge": ConvergeSettings,
    "exploration": ExplorationSettings,
    "fit": FitSettings,
    "grades": GradeSettings,
    "label": LabelSettings,
    "potential": PotentialSettings,
    "threads": ThreadSettings,
    "validation": ValidationSettings,
}
_MAY_BE_NULL = ("carve", "converge", "exploration", "validation")
PAUSES = ("label", "fit")
"""Steps of a turn before which it can be made to wait for a person."""
_PLAIN: dict[str, type | tuple[type, ...]] = {
    "schema": int,
    "name": str,
    "seed": int,
    "species": list,
    "max_jobs": int,
    "explore": list,
    "gate": dict,
    "test_fraction": (int, float),
}

SectionType = TypeVar("SectionType", bound=Request)


def read_section(settings: Mapping[str, Any], section: type[SectionType]) -> SectionType:
    """Return one section of the settings.

    Raises
    ------
    SettingError
        If the section is absent, or a key of it is unknown, missing or of the wrong type.
    """
    name = next(name for name, known in SECTIONS.items() if known is section)
    content = settings.get(name)
    if not isinstance(content, Mapping):
        raise SettingError(f"The settings need a section '{name}', a mapping of keys to values.")
    return _parse(section, content, name)


def read_samplers(settings: Mapping[str, Any], *, exploration: bool) -> list[SamplerSettings]:
    """Return the samplers of the loop, or those that explore before there is a potential.

    Raises
    ------
    SettingError
        If one is not usable, there are none, or two have one name; or if chains are to go on that
        cannot.
    """
    entries: Any = settings.get("explore", [])
    if exploration:
        entries = read_section(settings, ExplorationSettings).explore
    samplers = [
        _parse(SamplerSettings, entry, f"explore, entry {number}")
        for number, entry in enumerate(entries)
    ]
    for sampler in samplers:
        kind = str(sampler.sampler.get("kind"))
        if sampler.goes_on and kind in SAMPLERS:
            require_restarts(SAMPLERS[kind][0], kind)
    names = [sampler.name for sampler in samplers]
    if not names or len(set(names)) < len(names):
        raise SettingError(f"The samplers need names of their own, found {names}.")
    return samplers


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise unless the settings are those of a whole campaign.

    Raises
    ------
    SettingError
        If a key is unknown, missing, of the wrong type or out of range.
    """
    for key in sorted(set(settings) - set(SECTIONS) - set(_PLAIN) - {"pause_before"}):
        raise SettingError(f"Unknown key '{key}' in the settings of the campaign.")
    for key, expected in _PLAIN.items():
        if not isinstance(settings.get(key), expected) or isinstance(settings.get(key), bool):
            raise SettingError(f"Key '{key}' of the settings is {settings.get(key)!r}.")
    if settings["schema"] != SCHEMA:
        raise SettingError(f"The settings have schema {settings['schema']}, this reads {SCHEMA}.")
    for name, section in SECTIONS.items():
        if not (name in _MAY_BE_NULL and settings.get(name) is None):
            read_section(settings, section)
    if settings.get("pause_before") not in (None, *PAUSES):
        allowed = f"allowed are {', '.join(PAUSES)}, or null"
        raise SettingError(f"pause_before is {settings['pause_before']!r}; {allowed}.")
    _check_ranges(settings)


def _check_ranges(settings: Mapping[str, Any]) -> None:
    read_samplers(settings, exploration=False)
    if settings.get("exploration") is not None:
        read_samplers(settings, exploration=True)
    _check_grades(settings)
    CarveSettings.from_mapping(settings.get("carve"))
    counts = {
        "budget.labels": read_section(settings, BudgetSettings).labels,
        "budget.labels_per_turn": read_section(settings, BudgetSettings).labels_per_turn,
        "budget.turns": read_section(settings, BudgetSettings).turns,
        "label.batch_size": read_section(settings, LabelSettings).batch_size,
        "label.max_jobs": read_section(settings, LabelSettings).max_jobs,
        "label.max_attempts": read_section(settings, LabelSettings).max_attempts,
        "max_jobs": settings["max_jobs"],
        "converge.turns": read_criterion(settings).turns,
    }
    for key, count in counts.items():
        if count < 1:
            raise SettingError(f"{key} is {count}; it must be at least 1.")


def read_criterion(settings: Mapping[str, Any]) -> ConvergeSettings:
    """Return the criterion; without the section a turn without extrapolation ends the loop.

    Raises
    ------
    SettingError
        If a key of the section is unknown or of the wrong type.
    """
    if settings.get("converge") is None:
        return ConvergeSettings()
    return read_section(settings, ConvergeSettings)


def require_committee(settings: Mapping[str, Any], inputs: Any) -> None:
    """Raise unless the members of the committee that grades are among the inputs of a process.

    Raises
    ------
    SettingError
        If they are not.
    """
    if read_section(settings, GradeSettings).grader == COMMITTEE and COMMITTEE not in inputs:
        raise SettingError(
            "The grader is a committee: give its members as inputs `committee`, which a fit with "
            "'committee' in its settings hands out."
        )


def _check_grades(settings: Mapping[str, Any]) -> None:
    grades = read_section(settings, GradeSettings)
    is_committee = grades.grader == COMMITTEE
    if is_committee and read_section(settings, FitSettings).committee is None:
        raise SettingError(
            "The grader is a committee, and the section 'fit' has none; give 'fit' a 'committee'."
        )
    is_high_enough = grades.gamma_entry > 0 if is_committee else grades.gamma_entry >= 1
    if not (is_high_enough and grades.gamma_entry <= grades.gamma_select < grades.gamma_break):
        lowest = "positive" if is_committee else "at least 1"
        raise SettingError(
            f"gamma_entry ({grades.gamma_entry:g}), gamma_select ({grades.gamma_select:g}) and "
            f"gamma_break ({grades.gamma_break:g}) must be {lowest} and in this order."
        )


def _parse(section: type[SectionType], content: Mapping[str, Any], name: str) -> SectionType:
    try:
        return parse_request(section, content)
    except SettingError as error:
        raise SettingError(f"Settings, section '{name}': {error}") from error


def derive_seed(seed: int, turn: int, role: str, name: str = "") -> int:
    """Return the seed of a job: the same in every run of a campaign, different for each job."""
    digest = hashlib.sha256(f"{seed}/{turn}/{role}/{name}".encode()).hexdigest()
    return int(digest[:8], 16)


def link_name(name: str) -> str:
    """Return ``name`` as a link label, which may hold letters, digits and single underscores."""
    cleaned = "".join(letter if letter.isalnum() else "_" for letter in name)
    return "_".join(part for part in cleaned.split("_") if part)
