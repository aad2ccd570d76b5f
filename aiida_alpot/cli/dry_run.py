# SPDX-License-Identifier: MIT
"""What a campaign would submit: starts, samplers, label inputs, scheduler script, budget."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_alpot.campaign.fit_checks import THRESHOLDS
from aiida_alpot.campaign.kinds import settings_of
from aiida_alpot.campaign.settings import code_labels, workchain_options
from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign
    from aiida_alpot.configurations import Configurations


def dry_run_lines(campaign: Campaign, profile: str | None = None) -> list[str]:
    """Return what would be submitted, as lines of text; nothing is stored.

    Raises
    ------
    ServiceError
        If a code is not there. Without any profile the scheduler script is left out.
    """
    content = campaign.content
    potential = content.potential
    lines = [
        f"Campaign {content.name}: {', '.join(content.species)}, level {potential.level}, "
        f"cutoff {potential.cutoff:g} A, seed {content.seed}",
        *_section("Starts", _start_lines(campaign)),
        *_section("Samplers", _sampler_lines(campaign)),
        *_section("Labels", _label_lines(campaign)),
        *_section("Budget", _budget_lines(campaign)),
        *_section("Noise of labels", _noise_lines(campaign, profile)),
        *_section("Machines", _machine_lines(campaign)),
        *_section("Script of the first label job", _script_lines(campaign, profile)),
        "Nothing was submitted.",
    ]
    return lines


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)]


def _start_lines(campaign: Campaign) -> list[str]:
    lines = [f"training: {describe_set(campaign.training)}"]
    first = campaign.content.start.calculator
    if first is not None:
        lines.append(f"explored first with {first.name}, {first.labels} frames labelled")
    lines += [
        f"{name}: {describe_set(_named(campaign, identifiers))}"
        for name, identifiers in campaign.starts.items()
    ]
    lines += [f"test set {name}: {describe_set(one)}" for name, one in campaign.test_sets.items()]
    return lines


def _named(campaign: Campaign, identifiers: list[str]) -> Configurations:
    names = [str(name) for name in campaign.structures.identifier]
    return campaign.structures.select([names.index(name) for name in identifiers])


def describe_set(configurations: Configurations) -> str:
    """Return in a few words what a set holds."""
    if len(configurations) == 0:
        return "nothing"
    smallest, largest = configurations.n_atoms.min(), configurations.n_atoms.max()
    size = str(smallest) if smallest == largest else f"{smallest} to {largest}"
    labelled = int(configurations.labelled.sum())
    return f"{len(configurations)} of {size} atoms ({', '.join(configurations.species)})" + (
        f", {labelled} labelled already" if labelled else ""
    )


def _sampler_lines(campaign: Campaign) -> list[str]:
    from aiida_alpot.sampling.registry import describe

    grades = campaign.content.grades
    lines = []
    for entry in campaign.content.explore:
        chains = [name for start in entry.starts for name in campaign.starts[start]]
        told = describe(entry.kind, settings_of(entry))
        lines.append(f"{entry.name}: {told}; from {', '.join(chains)}")
    entry, select, largest = (getattr(grades, name) for name in THRESHOLDS[grades.grader])
    if grades.grader == "committee":
        members = campaign.as_settings()["fit"]["committee"]["members"]
        above, unit, how = "force deviation", " eV/A", f"committee of {members}"
    else:
        above, unit, how = "grade", "", f"{grades.mode} mode, {grades.method}"
    lines.append(
        f"a turn extrapolates above {above} {select:g}{unit} and then selects "
        f"{words_of_rule(campaign, entry)}; a chain stops at {largest:g} ({how})"
    )
    return lines


def words_of_rule(campaign: Campaign, entry: float) -> str:
    """Return what the rule of selection takes in a turn, ``entry`` being where candidates begin."""
    from aiida_alpot.selection.graded import TAIL_K

    grades = campaign.as_settings()["grades"]
    tail = f"{grades.get('tail_k') or TAIL_K:g} {grades.get('tail_kind') or 'rms'}"
    cost = ", by their gain for the cost" if grades.get("per_cost") else ""
    words = {
        "tail": f"the tail of ln({'deviation' if grades['grader'] == 'committee' else 'grade'}), "
        f"{tail} or more above its median",
        "uncertainty": f"the largest above {entry:g}",
        "farthest_points": "those farthest from what is known",
        "cur": "those of the largest leverage",
        "random": "at random",
    }
    return words.get(grades.get("rule"), f"among frames above {entry:g}{cost}")


def _label_lines(campaign: Campaign) -> list[str]:
    label = campaign.content.label
    settings = ", ".join(f"{name} = {value}" for name, value in label.settings.items())
    return [
        f"calculator {label.calculator}" + (f": {settings}" if settings else ""),
        f"level of theory {campaign.level_of_theory}",
        f"batches of at most {label.batch_size}, {label.max_attempts} attempts",
        *carve_lines(campaign),
    ]


def carve_lines(campaign: Campaign) -> list[str]:
    """Return what is labelled of frames that are too large, nothing where all are labelled."""
    carve = campaign.content.carve
    if carve is None:
        return []
    kind = "periodic chunks" if carve.kind == "periodic" else "chunks"
    kind += f" saturated with {carve.passivate}," if carve.passivate else ""
    large = int((campaign.structures.n_atoms > carve.above_atoms).sum())
    return [
        f"of frames of more than {carve.above_atoms} atoms, as of {large} starts, at most "
        f"{carve.per_structure} {kind} of {carve.radius:g} A each, for one force"
    ]


def _budget_lines(campaign: Campaign) -> list[str]:
    budget = campaign.content.budget
    first = len(campaign.training) + sum(len(one) for one in campaign.test_sets.values())
    lines = [
        f"{budget.labels} labels in all, {first} of them for start and test sets; "
        f"{budget.labels_per_turn} per turn; {budget.turns} turns"
    ]
    hours = (("core-hours", budget.core_hours), ("hours since it begins", budget.wall_hours))
    lines += [f"{limit:g} {name}" for name, limit in hours if limit is not None]
    converge = campaign.as_settings()["converge"]
    audits = converge["audit_labels"]
    kept_back = f"; {converge['turns'] * audits} labels kept back for audits" if audits else ""
    rate = "1 % or 3/N" if converge["rate"] is None else f"{100 * converge['rate']:g} %"
    criterion = f"finished when {converge['turns']} turns in a row hold, rate below {rate}"
    return [*lines, criterion + kept_back]


def _noise_lines(campaign: Campaign, profile: str | None) -> list[str]:
    from aiida_alpot.cli.campaign_commands.converge import targets_of
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.errors import AlpotError
    from aiida_alpot.reports.noise import noise_lines, target_warnings

    try:
        open_profile(profile)
        from aiida_alpot.workflows.converge import find_noise
        from aiida_alpot.workflows.label.builder import complete_level

        species = list(campaign.content.species)
        found = find_noise(complete_level(campaign.as_settings()["label"], species))
    except AlpotError:  # what is missing is told where the script should stand
        return ["not known yet"]
    if found is None:
        return [f"not measured: 'alpot converge {campaign.path.name}' does"]
    noise = found.get_dict()
    warnings = target_warnings(noise, targets_of(campaign))
    return [*noise_lines(noise), *(f"WARNING: {line}" for line in warnings)]


def _machine_lines(campaign: Campaign) -> list[str]:
    codes = code_labels(campaign)
    options = workchain_options(campaign)
    return [
        f"{role}: {codes.get(role, codes['alpot'])}, {options[role]}" for role in sorted(options)
    ]


def _script_lines(campaign: Campaign, profile: str | None) -> list[str]:
    from aiida_alpot.cli.profile import open_profile

    try:
        open_profile(profile)
    except ServiceError as error:
        if profile is not None:
            raise
        return [f"not known yet: {error}"]
    return first_job_lines(campaign)


def first_job_lines(campaign: Campaign) -> list[str]:
    """Return the script of the first label job, or what a plugin would be asked for.

    Raises
    ------
    ServiceError
        If a code is not there.
    SettingError
        If a plugin does not know its settings, or this profile lacks what they name.
    """
    from aiida_alpot.workflows.label.preview import labels_one_by_one, preview_lines

    label = campaign.as_settings()["label"]
    if not labels_one_by_one(label["workchain"]):
        return scheduler_script(campaign).splitlines()
    first = campaign.training if len(campaign.training) else campaign.structures
    return preview_lines(label, first, list(campaign.content.species))


def scheduler_script(campaign: Campaign) -> str:
    """Return the script that the scheduler would get for the first label job.

    Raises
    ------
    ServiceError
        If a code is not there.
    """
    from aiida import orm
    from aiida.engine import run

    from aiida_alpot.calculations import LabelCalculation
    from aiida_alpot.cli.profile import find_code
    from aiida_alpot.data import ConfigurationsData

    codes = code_labels(campaign)
    for name in codes.values():
        find_code(name)
    code = find_code(codes.get("label", codes["alpot"]))
    label = campaign.as_settings()["label"]
    first = campaign.training if len(campaign.training) else campaign.structures
    options: dict[str, Any] = dict(workchain_options(campaign)["label"])
    options.setdefault("withmpi", bool(code.with_mpi))
    builder = LabelCalculation.get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(first)
    builder.settings = orm.Dict(
        {
            "calculator": label["calculator"],
            "level_of_theory": label["level_of_theory"],
            "indices": list(range(min(len(first), label["batch_size"]))),
        }
    )
    builder.files = {name: orm.SinglefileData(path) for name, path in campaign.files.items()}
    builder.metadata = {"options": options, "dry_run": True, "store_provenance": False}
    with tempfile.TemporaryDirectory(prefix="alpot-") as folder, _inside(Path(folder)):
        run(builder)
        (script,) = Path(folder).glob("submit_test/*/_aiidasubmit.sh")
        return script.read_text(encoding="utf-8")


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in ``folder``, since a dry run of AiiDA writes where it stands."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
