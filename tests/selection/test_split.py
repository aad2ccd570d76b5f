# SPDX-License-Identifier: MIT
"""Test sets are whole chains."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.selection.split import chain_indices, split_by_chain


def frames(lengths, turn=0):
    origins = [
        Origin(turn, "nvt", f"chain_{chain}", step)
        for chain, length in enumerate(lengths)
        for step in range(length)
    ]
    return Configurations.from_atoms([Atoms("Cu")] * len(origins), origins=origins)


@pytest.mark.parametrize("seed", range(5))
def test_no_chain_is_on_both_sides_and_nothing_is_lost(seed):
    configurations = frames([5, 8, 2, 7, 9, 4])
    training, test = split_by_chain(configurations, 0.3, np.random.default_rng(seed))
    assert sorted([*training, *test]) == list(range(35))
    chains = configurations.chain
    assert not set(chains[training]) & set(chains[test])
    assert abs(len(test) - 0.3 * 35) <= 4.5


def test_chains_of_different_turns_or_samplers_are_different_chains():
    one = frames([2, 2])
    other = one.replace(turn=one.turn + 1)
    third = one.replace(sampler=np.array(["relax"] * 4))
    joined = concatenate([one, other, third, one])
    assert chain_indices(joined).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0, 0, 1, 1]


def test_one_chain_is_never_held_out_whole():
    training, test = split_by_chain(frames([10]), 0.5, np.random.default_rng(0))
    assert (len(training), len(test)) == (10, 0)


def test_configurations_from_outside_count_as_one_chain():
    outside = Configurations.from_atoms([Atoms("Cu")] * 6)
    training, test = split_by_chain(outside, 0.5, np.random.default_rng(0))
    assert (len(training), len(test)) == (6, 0)


def test_a_positive_fraction_holds_out_at_least_one_chain():
    training, test = split_by_chain(frames([10, 10]), 0.01, np.random.default_rng(0))
    assert (len(training), len(test)) == (10, 10)


def test_nothing_is_held_out_unless_asked_for():
    training, test = split_by_chain(frames([3, 3]), 0.0, np.random.default_rng(0))
    assert (len(training), len(test)) == (6, 0)
    training, test = split_by_chain(Configurations.empty(), 0.2, np.random.default_rng(0))
    assert (len(training), len(test)) == (0, 0)


def test_the_generator_decides():
    configurations = frames([4] * 10)
    first = split_by_chain(configurations, 0.3, np.random.default_rng(1))
    again = split_by_chain(configurations, 0.3, np.random.default_rng(1))
    other = split_by_chain(configurations, 0.3, np.random.default_rng(2))
    np.testing.assert_array_equal(first[1], again[1])
    assert first[1].tolist() != other[1].tolist()


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(SettingError, match=f"{fraction:g}"):
        split_by_chain(frames([2, 2]), fraction, np.random.default_rng(0))
