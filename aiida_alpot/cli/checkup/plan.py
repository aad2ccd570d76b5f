# SPDX-License-Identifier: MIT
"""What there is to check: codes and options of a campaign, a machines file or a profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_alpot.errors import AlpotError, ServiceError

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign
    from aiida_alpot.campaign.schema import MachinesFile

JOB_SECONDS = 600
KINDS = ("alpot", "gpaw", "vasp")


@dataclass(frozen=True)
class CodeUse:
    """A code and the scheduler options that its jobs get."""

    label: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Potcars:
    """POTCAR files that labels need: a family, and the name of the file of each species."""

    family: str
    species: tuple[str, ...]
    mapping: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What there is to check beyond the profile and the daemon.

    Parameters
    ----------
    codes : tuple of CodeUse
        Codes that are there or should be.
    campaign : Campaign, optional
        Its smallest structure is labelled as the campaign would.
    potcars : Potcars, optional
        POTCAR files to look for.
    most_processes : int
        Most processes that one fan-out has at a time.
    """

    codes: tuple[CodeUse, ...] = ()
    campaign: Campaign | None = None
    potcars: Potcars | None = None
    most_processes: int = 1


def plan_for_campaign(path: Path, machines: Path | None) -> Plan:
    """Return what a campaign needs.

    Raises
    ------
    AlpotError
        If its file cannot be used.
    """
    from aiida_alpot.campaign.load import load_campaign
    from aiida_alpot.campaign.settings import code_labels, workchain_options

    campaign = load_campaign(path, machines=machines)
    options = workchain_options(campaign)
    codes = code_labels(campaign)
    roles = {"fit": codes["alpot"], "sample": codes.get("sample", codes["alpot"])}
    uses = {label: CodeUse(label, options[role]) for role, label in reversed(roles.items())}
    label = codes.get("label", codes["alpot"])
    uses.setdefault(label, CodeUse(label, options["label"]))
    if "label_gamma" in codes:
        uses.setdefault(codes["label_gamma"], CodeUse(codes["label_gamma"], options["label"]))
    return Plan(tuple(uses.values()), campaign, _potcars_of(campaign), _most_processes(campaign))


def plan_for_machines(path: Path) -> Plan:
    """Return what a machines file names.

    Raises
    ------
    CampaignFileError
        If it cannot be used.
    """
    from aiida_alpot.campaign.machines import LOCAL_CODE, job_options, load_machines

    machines: MachinesFile = load_machines(path)
    default = machines.fit.code or LOCAL_CODE
    uses: dict[str, CodeUse] = {}
    for role in (machines.sample, machines.fit, machines.label):
        label = role.code or default
        uses.setdefault(label, CodeUse(label, job_options(role)))
    return Plan(tuple(uses.values()))


def plan_for_profile() -> Plan:
    """Return the codes of the loaded profile that campaigns can use.

    Raises
    ------
    ServiceError
        If none of them runs ``alpot``.
    """
    from aiida_alpot.cli.profile import all_codes

    codes = [code for code in all_codes() if kind_of(code) is not None]
    if not any(kind_of(code) == "alpot" for code in codes):
        raise ServiceError("there is no code that runs alpot")
    return Plan(tuple(CodeUse(str(code.full_label)) for code in codes))


def kind_of(code: Any) -> str | None:
    """Return which of :data:`KINDS` a code is, by its program and its label; None if none."""
    program = Path(str(code.get_executable())).name
    names = (program, str(code.label))
    return next((kind for kind in KINDS if any(name.startswith(kind) for name in names)), None)


def short_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a job of a few seconds: those given, but on one core for minutes.

    Resources of schedulers that do not count nodes are left as they are.
    """
    limit = int(options.get("max_wallclock_seconds") or JOB_SECONDS)
    chosen = {**options, "max_wallclock_seconds": min(limit, JOB_SECONDS)}
    given = options.get("resources") or {}
    if not given or {"num_machines", "num_mpiprocs_per_machine"} & set(given):
        chosen["resources"] = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
    return chosen


def _most_processes(campaign: Campaign) -> int:
    """Return how many processes the widest fan-out of a campaign has at a time."""
    machines = campaign.machines
    of_labels = most_waiting(campaign.as_settings()) + machines.label.max_jobs
    return max(machines.sample.max_jobs, of_labels)


def most_waiting(settings: Mapping[str, Any]) -> int:
    """Return how many processes of the labels of a campaign may wait for others at a time.

    Parameters
    ----------
    settings : mapping
        Of the campaign's WorkChain.
    """
    label = settings["label"]
    if label["workchain"] in ("ase", "gpaw"):
        return 0
    # of each job: a WorkChain of the plugin, and another that it restarts
    return 2 * int(label["max_jobs"])


def _potcars_of(campaign: Campaign) -> Potcars | None:
    from aiida_alpot.campaign.calculators import VASP, check_calculator

    label = campaign.content.label
    if label.calculator != VASP or label.workchain is not None:
        return None
    try:
        settings = check_calculator(VASP, label.settings)
    except AlpotError:
        return None  # loading the campaign has said so
    species = tuple(campaign.content.species)
    return Potcars(str(settings["family"]), species, dict(settings["mapping"]))
