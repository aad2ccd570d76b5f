# SPDX-License-Identifier: MIT
"""Submitting the campaign that goes on from another one, as it is or with changes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_alpot.campaign.amendment import amend_text, list_changes, merge
from aiida_alpot.cli.importing import group_reader
from aiida_alpot.cli.launch import EXTRA, campaign_builder, describe_campaign, submit_builder
from aiida_alpot.errors import CampaignFileError, LevelOfTheoryError, ServiceError, SettingError
from aiida_alpot.reports.successors import PREDECESSOR_EXTRA

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign

LEVEL = "level_of_theory"
"""The name by which labels of two levels of theory are forced into one campaign."""


def submit_successor(node: Any, *, budget: Mapping[str, int] | None = None) -> Any:
    """Submit a campaign that goes on from one that has ended, and return its process.

    Parameters
    ----------
    node : WorkChainNode
        The predecessor.
    budget : mapping, optional
        New limits, as in the section ``budget`` of the settings.

    Raises
    ------
    ServiceError
        If the daemon is not running.
    """
    from aiida_alpot.workflows.successor import read_state, successor_builder

    described = copy.deepcopy(node.base.extras.get(EXTRA, {}))
    state = read_state(node)
    if not budget:
        builder = successor_builder(node, state=state)
        return _submit(builder, node, described)
    before = node.inputs.settings.get_dict()
    settings = merge(before, {"budget": budget})
    changes = {"budget": dict(budget)}
    if "text" in described:
        described["text"] = amend_text(described["text"], changes, source="the new budget")
    amendment = {"changes": changes, "settings": list_changes(before, settings), "forced": []}
    builder = successor_builder(node, settings=settings, amendment=amendment, state=state)
    return _submit(builder, node, described)


def amend_campaign(
    node: Any,
    changes: Mapping[str, Any],
    path: Path,
    *,
    machines: Path | None = None,
    forced: Iterable[str] = (),
) -> tuple[Any, dict[str, Any]]:
    """Return the inputs of a campaign that goes on with changed settings, and its extra.

    Parameters
    ----------
    node : WorkChainNode
        The predecessor, which has ended.
    changes : mapping
        Keys of the campaign file with their new values.
    path : Path
        File of the changes; names of files in the campaign count from its folder.
    machines : Path, optional
        A machines file, in place of the one that the predecessor had.
    forced : iterable of str
        What is done although it mixes levels of theory: ``"level_of_theory"``.

    Raises
    ------
    SettingError
        If the predecessor was not submitted from a campaign file.
    CampaignFileError
        If the changes, or the campaign with them, are not usable.
    LevelOfTheoryError
        If the changes give another level of theory, and that is not forced.
    """
    from aiida_alpot.workflows.label.builder import complete_level
    from aiida_alpot.workflows.successor import read_state, successor_builder

    forced = sorted(set(forced))
    campaign = _load_amended(node, changes, path, machines)
    level = complete_level(campaign.as_settings()["label"], list(campaign.content.species))
    campaign = campaign.at_level(level)
    before, settings = node.inputs.settings.get_dict(), campaign.as_settings()
    amendment = {
        "changes": dict(changes),
        "settings": list_changes(before, settings),
        "forced": forced,
    }
    state = read_state(node, keep_unfinished=True)
    if state.potential is None:  # nothing to go on from: the whole campaign, labels looked up
        from aiida import orm

        builder = campaign_builder(campaign)
        builder.amendment = orm.Dict(amendment)
        return builder, describe_campaign(campaign)
    _settle_level(state, before["label"][LEVEL], level, forced)
    new = _inputs_of(campaign, node, state)
    builder = successor_builder(node, settings=settings, amendment=amendment, state=state, **new)
    return builder, describe_campaign(campaign)


def submit_amended(builder: Any, node: Any, described: Mapping[str, Any]) -> Any:
    """Submit what :func:`amend_campaign` returned."""
    return _submit(builder, node, described)


def _submit(builder: Any, node: Any, described: Mapping[str, Any]) -> Any:
    extras: dict[str, Any] = {PREDECESSOR_EXTRA: node.uuid}
    if described:
        extras[EXTRA] = dict(described)
    name = str(builder.settings.get_dict()["name"])
    return submit_builder(builder, name, extras)


def _load_amended(
    node: Any, changes: Mapping[str, Any], path: Path, machines: Path | None
) -> Campaign:
    from aiida_alpot.campaign.load import load_campaign
    from aiida_alpot.campaign.schema import MachinesFile

    described = node.base.extras.get(EXTRA, {})
    if "text" not in described:
        raise SettingError(
            f"The campaign with PK {node.pk} was not submitted from a campaign file, so there is "
            "no file to change. Use 'successor_builder' of aiida_alpot.workflows.successor."
        )
    text = amend_text(described["text"], changes, source=str(path))
    chosen: Any = machines
    if machines is None and "machines" not in changes and "machines" in described:
        chosen = MachinesFile.model_validate(described["machines"])
    return load_campaign(path, machines=chosen, text=text, read_group=group_reader(None))


def _settle_level(state: Any, before: str, level: str, forced: list[str]) -> None:
    """Refuse labels of another level of theory, or restate them where that is forced."""
    if before == level:
        return
    if LEVEL not in forced:
        raise LevelOfTheoryError(
            f"The changes make labels of {level}, the campaign has labels of {before}. Submit a "
            f"new campaign, or add '--force {LEVEL}' if both may be trained on together."
        )
    from aiida_alpot.workflows.restate import force_level

    for name in ("training", "test"):
        sets = {key: force_level(one, level) for key, one in getattr(state, name).items()}
        setattr(state, name, sets)
    state.outstanding = None  # was asked for at the old level


def _inputs_of(campaign: Campaign, node: Any, state: Any) -> dict[str, Any]:
    """Return the inputs that changed; a node that holds the same is taken again."""
    from aiida import orm

    from aiida_alpot.campaign.settings import code_labels, workchain_options
    from aiida_alpot.cli.profile import find_code
    from aiida_alpot.data import ConfigurationsData

    new: dict[str, Any] = {
        "codes": {role: find_code(label) for role, label in code_labels(campaign).items()}
    }
    structures = ConfigurationsData.from_configurations(campaign.structures)
    if structures.content != node.inputs.structures.content:
        new["structures"] = structures
    options = workchain_options(campaign)
    if "options" not in node.inputs or node.inputs.options.get_dict() != options:
        new["options"] = orm.Dict(options)
    given = dict(node.inputs.files.items()) if "files" in node.inputs else {}
    new["files"] = {
        name: _same_file(given.get(name), path) for name, path in campaign.files.items()
    }
    added = _new_training(campaign, node, state)
    if len(added):
        new["start"] = ConfigurationsData.from_configurations(added)
    new["test"] = _new_tests(campaign, node, state)
    return new


def _same_file(given: Any, path: Path) -> Any:
    from aiida import orm

    is_same = (
        given is not None
        and given.filename == path.name
        and given.get_content("rb") == path.read_bytes()
    )
    return given if is_same else orm.SinglefileData(path)


def _new_training(campaign: Campaign, node: Any, state: Any) -> Any:
    """Return the first training structures that the predecessor had not."""
    sets = [*state.training.values(), *state.test.values(), *state.unlabelled.values()]
    if "start" in node.inputs:
        sets.append(node.inputs.start)
    known = {one for each in sets for one in each.get_configurations().hashes()}
    fresh = np.array([one not in known for one in campaign.training.hashes()], dtype=bool)
    return campaign.training.select(fresh)


def _new_tests(campaign: Campaign, node: Any, state: Any) -> dict[str, Any]:
    """Return the test sets that the predecessor had not; those that it had stay as they are."""
    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.workflows.ports import PREDECESSOR

    given = dict(node.inputs.test.items()) if "test" in node.inputs else {}
    if PREDECESSOR in node.inputs:
        given |= state.test
    new = {}
    for name, configurations in campaign.test_sets.items():
        if name not in given:
            new[name] = ConfigurationsData.from_configurations(configurations)
        elif given[name].get_configurations().hashes() != configurations.hashes():
            raise CampaignFileError(
                f"test_sets.{name} holds other structures than before. A test set stays as it is; "
                "give the new one a name of its own."
            )
    return new


def require_ended(node: Any) -> None:
    """Raise unless a campaign has ended.

    Raises
    ------
    ServiceError
        With what to do.
    """
    if not node.is_terminated:
        raise ServiceError(
            f"The campaign with PK {node.pk} is running. Stop it first: 'alpot stop {node.pk}', or "
            "call this with --stop, which waits until the running turn has ended."
        )
