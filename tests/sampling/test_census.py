# SPDX-License-Identifier: MIT
"""Frames are counted once per block of steps, and drawn alike whatever else runs."""

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling.census import FrameCensus
from aiida_alpot.sampling.draw_keys import draw_key
from aiida_alpot.sampling.stopping import Observation

CELL = bulk("Cu", cubic=True)
KNOWN = 2.0


def seen(step, grade, chain="bulk"):
    return Observation(CELL, step, 0.0, np.zeros((4, 3)), grade, chain)


def census(**settings):
    return FrameCensus(**({"sampler": "nvt", "turn": 3, "every": 10, "known": KNOWN} | settings))


def test_a_block_of_steps_is_one_independent_frame():
    one = census()
    for step in range(100):
        one.observe(seen(step, 1.0))
    assert one.counts("bulk") == {"independent_frames": 10, "extrapolating_frames": 0}


@pytest.mark.parametrize(
    ("beyond", "extrapolating"),
    [([25], 1), ([20, 21, 29], 1), ([29, 30], 2), (list(range(100)), 10)],
)
def test_a_block_extrapolates_once_however_many_of_its_frames_do(beyond, extrapolating):
    one = census()
    for step in range(100):
        one.observe(seen(step, 2.5 if step in beyond else KNOWN))
    assert one.counts("bulk")["extrapolating_frames"] == extrapolating


def test_frames_without_a_grade_are_no_evidence():
    one = census(n_drawn=5)
    for step in range(100):
        one.observe(seen(step, np.nan))
    assert one.counts("bulk")["independent_frames"] == 0
    assert len(one.drawn()) == 0


def test_chains_that_run_side_by_side_are_counted_apart():
    one = census()
    for step in range(40):
        one.observe(seen(step, 1.0, "a"))
        one.observe(seen(step, 9.0, "b"))
    assert one.counts("a") == {"independent_frames": 4, "extrapolating_frames": 0}
    assert one.counts("b") == {"independent_frames": 4, "extrapolating_frames": 4}


def test_only_frames_that_the_grade_vouches_for_are_drawn():
    one = census(n_drawn=100, every=1)
    for step in range(50):
        one.observe(seen(step, 1.0 + step / 10))
    drawn = one.drawn()
    assert sorted(drawn.step) == list(range(1, 11))  # the start is no news
    assert drawn.grade.max() <= KNOWN
    assert drawn.identifier[0].startswith("turn_003/nvt/bulk/")


def test_those_with_the_smallest_keys_of_all_are_among_those_of_each_job():
    together = census(n_drawn=4)
    apart = [census(n_drawn=4), census(n_drawn=4)]
    for step in range(0, 1000, 10):
        for place, chain in enumerate("ab"):
            together.observe(seen(step, 1.0, chain))
            apart[place].observe(seen(step, 1.0, chain))
    pool = [(str(name), one) for one in apart for name in one.drawn().identifier]

    def key(name):
        *_, chain, step = name.split("/")
        return draw_key(0, "nvt", chain, int(step))

    smallest = sorted((name for name, _ in pool), key=key)[:4]
    assert list(together.drawn().identifier) == smallest


def test_every_frame_is_drawn_as_often_as_any_other():
    counts = np.zeros(100)
    for seed in range(2000):
        keys = [draw_key(seed, "nvt", "bulk", step) for step in range(100)]
        counts[np.argsort(keys)[:10]] += 1
    chi_square = ((counts - 200) ** 2 / 200).sum() / (1 - 0.1)  # drawn without replacement
    assert 60 < chi_square < 145  # 99 degrees of freedom


@pytest.mark.parametrize("wrong", [{"every": 0}, {"known": 0.0}, {"n_drawn": -1}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingError):
        census(**wrong)


def test_the_job_writes_what_it_drew_and_counts_each_chain(tmp_path, run_job, copper):
    from aiida_alpot.configurations import Configurations

    Configurations.from_atoms([copper], identifiers=["bulk"]).save(tmp_path / "starts.npz")
    dynamics = {"kind": "molecular_dynamics", "temperature_K": 300, "steps": 40}
    keys = {"calculator": {"ase": "EMT"}, "sampler": dynamics, "starts": "starts.npz"}
    result = run_job(tmp_path, job="sample", gamma_known=2.0, audit_frames=3, **keys)
    (chain,) = result["chains"]
    assert chain["frames"] == 41
    assert chain["independent_frames"] == 0  # nothing graded
    assert len(Configurations.load(tmp_path / "audit.npz")) == 0
