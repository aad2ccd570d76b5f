# SPDX-License-Identifier: MIT
"""Labelled sets joined to one, each configuration once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from aiida.engine import calcfunction

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.data.configurations import fully_labelled


@calcfunction
def join_labels(**sets: ConfigurationsData) -> ConfigurationsData:
    """Return the labelled configurations of all sets, each once, in the order of the names."""
    members = [sets[name].get_configurations() for name in sorted(sets)]
    return ConfigurationsData.from_configurations(joined_labels(members))


def joined_labels(sets: Sequence[Configurations]) -> Configurations:
    """Return what has both energy and forces in any of the sets, each configuration once."""
    joined = concatenate([one.select(fully_labelled(one)) for one in sets])
    seen: set[str] = set()
    first = []
    for one in joined.hashes():
        first.append(one not in seen)
        seen.add(one)
    kept: Configurations = joined.select(np.array(first, dtype=bool))
    return kept
