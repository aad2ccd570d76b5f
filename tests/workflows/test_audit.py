# SPDX-License-Identifier: MIT
"""The draw of an audit: random, the same for everybody, and never what was selected."""

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.sampling.draw_keys import draw_key
from aiida_alpot.workflows.audit import draw


@pytest.fixture
def pools():
    """Two jobs that drew five frames each."""
    rng = np.random.default_rng(0)

    def pool(chain):
        cells = [bulk("Cu", cubic=True) for _ in range(5)]
        for cell in cells:
            cell.rattle(0.1, rng=rng)
        origins = [Origin(2, "nvt", chain, 10 * (i + 1), 1.2) for i in range(5)]
        names = [f"turn_002/nvt/{chain}/{one.step:06d}" for one in origins]
        return Configurations.from_atoms(cells, identifiers=names, origins=origins)

    return {"pool_nvt_000": pool("a"), "pool_nvt_001": pool("b")}


def keys_of(frames, seed):
    return [
        draw_key(seed, "nvt", str(c), int(s))
        for c, s in zip(frames.chain, frames.step, strict=True)
    ]


def test_the_frames_with_the_smallest_keys_are_drawn(pools):
    drawn = draw(pools, set(), count=4, seed=7)
    everything = [key for pool in pools.values() for key in keys_of(pool, 7)]
    assert keys_of(drawn, 7) == sorted(everything)[:4]


def test_what_was_selected_is_never_audited(pools):
    first = draw(pools, set(), count=4, seed=7)
    taken = set(first.hashes()[:2])
    second = draw(pools, taken, count=4, seed=7)
    assert len(second) == 4
    assert not taken & set(second.hashes())
    assert second.hashes()[:2] == first.hashes()[2:]


def test_another_seed_draws_other_frames(pools):
    names = {tuple(draw(pools, set(), count=3, seed=seed).identifier) for seed in range(5)}
    assert len(names) > 1


def test_there_may_be_fewer_frames_than_are_asked_for(pools):
    assert len(draw(pools, set(), count=99, seed=0)) == 10
