# SPDX-License-Identifier: MIT
"""Selection by information per cost: small cells first where they teach as much."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import build_active_set, extend_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.selection.cost_aware import rows_of_each, volume_gain
from aiida_alpot.selection.maxvol_selection import fill_by_configuration, select


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(6, seed=1)


@pytest.fixture(scope="module")
def candidates(make_cells):
    """Twenty small cells and twenty large ones, as far from the training set."""
    arguments = {"rattle": 0.12, "strain": 0.05}
    small = make_cells(20, seed=3, repeats=(1,), **arguments)
    return concatenate([small, make_cells(20, seed=4, repeats=(2,), **arguments)])


def cubic(configurations):
    return configurations.n_atoms.astype(float) ** 3


def test_the_gain_of_a_configuration_is_that_of_the_active_set_with_it(
    potential, training, candidates
):
    start = build_active_set(potential, training)
    rows = rows_of_each(start, potential, candidates)
    for index in (0, 7, 25):
        extension = extend_active_set(start, potential, candidates.select([index]))
        gained = extension.maxvol.log_det - start.log_det
        assert gained > 0.0
        assert volume_gain(rows[index] @ start.inverse) == pytest.approx(gained, rel=1e-6)


def test_rows_within_the_volume_gain_nothing():
    rng = np.random.default_rng(0)
    assert volume_gain(rng.uniform(-1.0, 1.0, (20, 5)) / 5.0) == 0.0
    assert volume_gain(np.zeros((0, 5))) == 0.0


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_with_the_selected_ones_known_no_candidate_extrapolates(
    potential, training, candidates, mode
):
    selection = select(
        potential,
        candidates,
        training=training,
        mode=mode,
        threshold=2.0,
        entry=1.3,
        costs=cubic(candidates),
    )
    assert 0 < len(selection.indices) < len(candidates)
    assert len(set(selection.indices.tolist())) == len(selection.indices)
    final = ExtrapolationGrader(potential, selection.active_set).grade(candidates)
    assert final.per_configuration.max() <= 2.0 + 1e-9


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_what_is_selected_costs_no_more_than_without_costs(potential, training, candidates, power):
    costs = candidates.n_atoms.astype(float) ** power
    plain = select(potential, candidates, training=training)
    frugal = select(potential, candidates, training=training, costs=costs)
    assert costs[frugal.indices].sum() <= costs[plain.indices].sum()


def test_where_small_cells_teach_as_much_no_large_one_is_taken(potential, training, candidates):
    small = candidates.select(np.flatnonzero(candidates.n_atoms == 4))
    large = Configurations.from_atoms([small.atoms(k).repeat(2) for k in range(len(small))])
    both = concatenate([large, small])  # the same environments in each
    costs = cubic(both)
    selection = select(potential, both, training=training, costs=costs)
    assert set(both.n_atoms[selection.indices].tolist()) == {4}


def test_a_small_cell_comes_first_and_gains_what_it_is_said_to(potential, training, candidates):
    start = build_active_set(potential, training)
    rows = rows_of_each(start, potential, candidates)
    costs = cubic(candidates)
    worth = [volume_gain(one @ start.inverse) / cost for one, cost in zip(rows, costs, strict=True)]
    selection = select(potential, candidates, training=training, costs=costs)
    first = selection.indices[0]
    assert candidates.n_atoms[first] == 4
    assert selection.gains[0] == pytest.approx(worth[first] * costs[first], rel=1e-6)


def test_the_unit_of_the_costs_does_not_matter(potential, training, candidates):
    first, second = (
        select(potential, candidates, training=training, costs=factor * cubic(candidates))
        for factor in (1.0, 2.0**-20)
    )
    assert first.indices.tolist() == second.indices.tolist()


def test_a_limit_keeps_those_that_gain_most_for_their_cost(potential, training, candidates):
    costs = cubic(candidates)
    every = select(potential, candidates, training=training, costs=costs)
    few = select(potential, candidates, training=training, costs=costs, limit=3)
    assert few.indices.tolist() == every.indices[:3].tolist()
    assert few.over_limit.tolist() == every.indices[3:].tolist()


def test_what_is_known_or_stands_twice_is_taken_once_at_most(potential, training, candidates):
    twice = concatenate([candidates, candidates.select([0, 1, 2]), training])
    selection = select(potential, twice, training=training, costs=cubic(twice))
    assert selection.indices.max() < len(candidates)


def test_the_threshold_decides_whether_anything_is_selected(potential, training, candidates):
    every = select(potential, candidates, training=training, costs=cubic(candidates))
    high = 1.01 * every.largest_grade
    none = select(potential, candidates, training=training, costs=cubic(candidates), threshold=high)
    assert len(none.indices) == 0


def test_more_are_filled_in_by_configuration_at_the_least_cost(potential, candidates):
    nothing = Configurations.empty()
    costs = cubic(candidates)
    few = select(potential, candidates, limit=1, costs=costs)
    more = fill_by_configuration(few, potential, candidates, training=nothing, limit=8, costs=costs)
    assert len(more.indices) == 8
    assert set(candidates.n_atoms[more.indices].tolist()) == {4}


@pytest.mark.parametrize("wrong", [[1.0], [0.0] * 40, [np.nan] * 40, [-1.0] * 40])
def test_costs_that_make_no_sense_are_refused(potential, training, candidates, wrong):
    with pytest.raises(SettingError, match="cost"):
        select(potential, candidates, training=training, costs=np.array(wrong))


def test_parity_with_mlip_knows_no_costs(potential, training, candidates):
    with pytest.raises(SettingError, match="parity"):
        select(potential, candidates, training=training, method="parity", costs=cubic(candidates))
