# SPDX-License-Identifier: MIT
"""Labels of one level of theory that stand for those of another, because a person forced it.

What is restated here says in the provenance where it came from and is marked, so that no look-up
ever takes it for a label of the level it stands for.
"""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_alpot.data import ConfigurationsData

FORCED = "alpot_forced_level"
"""Extra of a set whose labels were made at another level of theory than it says."""


@calcfunction
def restate_level(configurations: ConfigurationsData, level: orm.Str) -> ConfigurationsData:
    """Return the configurations with their labels said to be of another level of theory."""
    content = configurations.get_configurations().replace(level_of_theory=level.value)
    return ConfigurationsData.from_configurations(content)


def force_level(configurations: ConfigurationsData, level: str) -> ConfigurationsData:
    """Return a set with labels of ``level``: itself, or one restated and marked."""
    if not configurations.n_labelled or configurations.level_of_theory == level:
        return configurations
    metadata = {"call_link_label": "restate_level", "label": "labels forced to another level"}
    restated: ConfigurationsData = restate_level(configurations, orm.Str(level), metadata=metadata)
    mark_forced(restated)
    return restated


def mark_forced(configurations: ConfigurationsData) -> None:
    """Keep the labels of a set from being looked up."""
    configurations.base.extras.set(FORCED, True)


def is_forced(node: orm.Data) -> bool:
    """Return whether labels of a set were forced to the level that it says."""
    return bool(node.base.extras.get(FORCED, False))
