# SPDX-License-Identifier: MIT
"""From a loaded campaign to a process of AiiDA: the inputs of the WorkChain, and its submission.

Recipes call :func:`submit_campaign` from ``verdi run``, the commands of ``alpot`` do the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida_alpot.campaign.settings import code_labels, workchain_options
from aiida_alpot.cli.profile import find_code, require_daemon
from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign

GROUP = "alpot/"
EXTRA = "alpot_campaign"


def campaign_builder(
    campaign: Campaign, *, pause_before: str | None = None, cache: bool = True
) -> Any:
    """Return the inputs of the campaign's WorkChain, nothing of it stored.

    Parameters
    ----------
    campaign : Campaign
        As it was loaded.
    pause_before : str, optional
        "label" or "fit", a step before which every turn waits for a person.
    cache : bool
        Whether labels that are known are looked up, and processes taken from AiiDA's cache.

    Raises
    ------
    ServiceError
        If a code that the campaign or its machines file names is not there.
    SettingError
        If what labels is not there: its WorkChain, or a POTCAR file of VASP.
    """
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    from aiida_alpot.data import ConfigurationsData, PotentialData
    from aiida_alpot.workflows.label.builder import complete_level
    from aiida_alpot.workflows.restate import mark_forced

    level = complete_level(campaign.as_settings()["label"], list(campaign.content.species))
    campaign = campaign.at_level(level)
    builder = WorkflowFactory("alpot.campaign").get_builder()
    pause = {} if pause_before is None else {"pause_before": pause_before}
    settings = {**campaign.as_settings(), **pause}
    if not cache:
        settings["label"]["look_up"] = False
        builder.metadata.disable_cache = True
    builder.settings = orm.Dict(settings)
    builder.options = orm.Dict(workchain_options(campaign))
    builder.codes = {role: find_code(label) for role, label in code_labels(campaign).items()}
    builder.structures = ConfigurationsData.from_configurations(campaign.structures)
    if len(campaign.training):
        builder.start = ConfigurationsData.from_configurations(campaign.training)
        if any(item.level_of_theory == "force" for item in campaign.content.start.training):
            mark_forced(builder.start)
    if campaign.potential is not None:
        builder.initial = PotentialData.from_potential(campaign.potential)
    builder.test = {
        name: ConfigurationsData.from_configurations(configurations)
        for name, configurations in campaign.test_sets.items()
    }
    for name, items in campaign.content.test_sets.items():
        if any(item.level_of_theory == "force" for item in items):
            mark_forced(builder.test[name])
    builder.files = {name: orm.SinglefileData(path) for name, path in campaign.files.items()}
    builder.metadata.label = campaign.content.name
    return builder


def submit_campaign(
    campaign: Campaign, *, pause_before: str | None = None, cache: bool = True
) -> Any:
    """Submit a campaign to the daemon and return its process.

    The process joins the group ``alpot/NAME``; the campaign file as it was written and its targets
    are kept as an extra of the process.

    Raises
    ------
    ServiceError
        If the daemon is not running or has too few slots, or a code is missing; nothing is stored
        then.
    """
    builder = campaign_builder(campaign, pause_before=pause_before, cache=cache)
    return submit_builder(builder, campaign.content.name, {EXTRA: describe_campaign(campaign)})


def submit_builder(builder: Any, name: str, extras: dict[str, Any]) -> Any:
    """Submit the inputs of a campaign under its name; ``extras`` are those of the process.

    Raises
    ------
    ServiceError
        If the daemon is not running or has too few slots; nothing is stored then.
    """
    from aiida import orm
    from aiida.engine import submit
    from aiida.manage import get_manager

    from aiida_alpot.cli.checkup.daemon import require_slots
    from aiida_alpot.cli.checkup.plan import most_waiting

    profile = get_manager().get_profile()
    if profile is not None:
        require_daemon(profile)
        require_slots(profile, most_waiting(builder.settings.get_dict()))
    node = submit(builder)
    node.base.extras.set_many(extras)
    group, _ = orm.Group.collection.get_or_create(f"{GROUP}{name}")
    group.add_nodes(node)
    return node


def run_or_submit(builder: Any, *, output: str, is_submitted: bool) -> Any:
    """Run a process to its end and return it, or submit it, say so, and return None.

    Parameters
    ----------
    builder : ProcessBuilder
        The inputs.
    output : str
        Name of the output that somebody who submits will look for.
    is_submitted : bool
        Whether the daemon runs it.

    Raises
    ------
    ServiceError
        If it ran and did not end well.
    """
    import click
    from aiida.engine import run_get_node, submit

    if is_submitted:
        process = submit(builder)
        click.echo(f"submitted {process.uuid} (PK {process.pk}); its output is '{output}'")
        return None
    process = run_get_node(builder).node
    if not process.is_finished_ok:
        raise ServiceError(
            f"The process {process.uuid} (PK {process.pk}) ended with {process.exit_status}: "
            f"{process.exit_message}. 'verdi process report {process.pk}' tells more."
        )
    return process


def describe_campaign(campaign: Campaign) -> dict[str, Any]:
    """Return what reports need of the file beside the settings: its text, its targets."""
    return {
        "file": campaign.path.name,
        "text": campaign.text,
        "targets": [dict(entry.targets) for entry in campaign.content.validation],
        "test_targets": dict(campaign.content.test_targets),
        "machines": campaign.machines.model_dump(mode="json"),
    }
