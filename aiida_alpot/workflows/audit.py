# SPDX-License-Identifier: MIT
"""The audit of a turn: frames drawn at random from those that were not selected.

The jobs that sample have each drawn the frames with the smallest keys; here those with the
smallest keys of all are taken, which is a uniform sample of all frames of the turn that the grade
vouches for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_alpot.ase_structures import sampler_of_frame
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.sampling.draw_keys import draw_key

POOL, TAKEN = "pool_", "taken_"


def audit_name(turn: int) -> str:
    """Return the name of the test set that the audit of a turn becomes."""
    return f"audit_{turn:03d}"


@calcfunction
def draw_audit(request: orm.Dict, **sets: ConfigurationsData) -> ConfigurationsData:
    """Return the frames of an audit.

    Parameters
    ----------
    request : Dict
        ``count``, most frames; ``seed`` of their keys, that of the jobs.
    **sets : ConfigurationsData
        ``pool_JOB``: what a job drew; ``taken_NAME``: what has been selected, which is no audit.
    """
    pools = {name: node.get_configurations() for name, node in sets.items() if POOL in name}
    taken = {
        one
        for name, node in sets.items()
        if name.startswith(TAKEN)
        for one in node.get_configurations().hashes()
    }
    chosen = draw(pools, taken, count=request["count"], seed=request["seed"])
    return ConfigurationsData.from_configurations(chosen)


def draw(
    pools: Mapping[str, Configurations], taken: set[str], *, count: int, seed: int
) -> Configurations:
    """Return the frames with the smallest keys, each once, without those that are taken."""
    everything = concatenate([pools[name] for name in sorted(pools)])
    hashes = everything.hashes()
    keys = [
        draw_key(
            seed,
            sampler_of_frame(str(everything.sampler[i])),
            str(everything.chain[i]),
            int(everything.step[i]),
        )
        for i in range(len(everything))
    ]
    seen = set(taken)
    places = []
    for place in np.argsort(np.array(keys, dtype=np.uint64), kind="stable"):
        if hashes[place] not in seen:
            seen.add(hashes[place])
            places.append(int(place))
    return everything.select(np.array(places[:count], dtype=int))
