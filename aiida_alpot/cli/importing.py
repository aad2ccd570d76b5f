# SPDX-License-Identifier: MIT
"""Labels made elsewhere as nodes: one set of configurations per import, in a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_alpot.errors import EmptyDataError, LevelOfTheoryError, ServiceError

if TYPE_CHECKING:
    from aiida_alpot.campaign.schema.label import LabelSection
    from aiida_alpot.configurations import Configurations

GROUP = "alpot-imported"


def level_in_profile(path: Path, species: list[str]) -> str:
    """Return the level of theory that a file says, with what only the profile knows."""
    from aiida_alpot.campaign.calculators import workchain_of
    from aiida_alpot.campaign.foreign_labels import level_of_file, read_level
    from aiida_alpot.workflows.label.builder import complete_level

    content = read_level(path)
    name = str(content["calculator"])
    label = {
        "workchain": workchain_of(name, content.get("workchain")),
        "calculator": {"name": name, "settings": dict(content.get("settings") or {})},
        "level_of_theory": level_of_file(path),
    }
    return complete_level(label, species)


def store_labels(configurations: Configurations, group: str, sources: Sequence[str]) -> Any:
    """Store labels as one node in a group; ``sources`` are the names of their files.

    Where the group holds the same labels already, their node is returned.
    """
    from aiida import orm

    from aiida_alpot.data import ConfigurationsData

    node = ConfigurationsData.from_configurations(configurations)
    node.label = f"imported: {', '.join(sources)}"[:250]
    node.base.extras.set("alpot_imported_from", list(sources))
    found, _ = orm.Group.collection.get_or_create(group)
    for other in found.nodes:
        if isinstance(other, ConfigurationsData) and other.content == node.content:
            return other
    found.add_nodes(node.store())
    return node


def import_group(source: str, group: str) -> Any:
    """Join the labelled sets of a group of AiiDA as one node in another group.

    Raises
    ------
    ServiceError
        If there is no such group.
    EmptyDataError
        If it holds no labels.
    LevelOfTheoryError
        If it holds labels of several levels.
    """
    from aiida import orm

    from aiida_alpot.workflows.label.joining import join_labels

    nodes = labelled_nodes(source)
    metadata = {"label": f"labels of the group {source}"[:250]}
    sets = {f"set_{number:04d}": node for number, node in enumerate(nodes)}
    joined = join_labels(metadata=metadata, **sets)
    joined.label = f"imported: group {source}"[:250]
    found, _ = orm.Group.collection.get_or_create(group)
    found.add_nodes(joined)
    return joined


def labelled_nodes(group: str) -> list[Any]:
    """Return the sets with labels that a group of AiiDA holds, the oldest first; see above."""
    from aiida import orm
    from aiida.common import exceptions

    from aiida_alpot.data import ConfigurationsData

    try:
        found = orm.load_group(group)
    except exceptions.NotExistent as error:
        there = orm.QueryBuilder().append(orm.Group, project="label").all(flat=True)
        raise ServiceError(
            f"There is no group '{group}' in this profile; groups there: "
            f"{', '.join(sorted(there)[:20]) or 'none'}."
        ) from error
    nodes = [
        node for node in found.nodes if isinstance(node, ConfigurationsData) and node.n_labelled > 0
    ]
    if not nodes:
        raise EmptyDataError(f"The group '{group}' holds no configurations with labels.")
    levels = sorted({node.level_of_theory for node in nodes})
    if len(levels) > 1:
        raise LevelOfTheoryError(
            f"The group '{group}' holds labels of {len(levels)} levels of theory: "
            f"{', '.join(levels)}. Put each level into a group of its own."
        )
    return sorted(nodes, key=lambda node: int(node.pk))


def group_reader(profile: str | None) -> Callable[[str, LabelSection, str], Configurations]:
    """Return what reads the labels of a group, for a campaign file that names one.

    It takes the label of the group, the section ``label`` of the campaign and its level, as
    far as the file tells it. Labels of the level that this is in the profile get that text.
    """

    def read(group: str, section: LabelSection, level: str) -> Configurations:
        from aiida.manage import get_manager

        from aiida_alpot.cli.profile import open_profile
        from aiida_alpot.workflows.label.joining import joined_labels

        if get_manager().get_profile() is None:
            open_profile(profile)
        found = joined_labels([node.get_configurations() for node in labelled_nodes(group)])
        if found.level_of_theory == level:
            return found
        if found.level_of_theory == _settled(section, level, list(found.species)):
            return found.replace(level_of_theory=level)
        return found

    return read


def _settled(section: LabelSection, level: str, species: list[str]) -> str:
    from aiida_alpot.campaign.calculator_files import settings_in_job
    from aiida_alpot.campaign.calculators import workchain_of
    from aiida_alpot.workflows.label.builder import complete_level

    label = {
        "workchain": workchain_of(section.calculator, section.workchain),
        "calculator": {
            "name": section.calculator,
            "settings": settings_in_job(section.settings),
        },
        "level_of_theory": level,
    }
    return complete_level(label, species)
