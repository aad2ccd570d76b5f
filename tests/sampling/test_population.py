# SPDX-License-Identifier: MIT
"""The fit survive and have children; duplicates do not."""

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.sampling.global_search.crossover import cross_clusters, cross_crystals
from aiida_alpot.sampling.global_search.mutations import displace_all, exchange, mutate, strain_cell
from aiida_alpot.sampling.global_search.population import (
    draw_parents,
    fitnesses,
    make_member,
    survivors,
)
from aiida_alpot.sampling.structures.pair_limits import make_limits

LIMITS = make_limits(0.6, None)
ALL = 2.0  # a similarity that nothing exceeds


def members(energies):
    return [
        make_member(bulk("Cu", a=3.4 + 0.1 * index), energy, number=index, width=0.05)
        for index, energy in enumerate(energies)
    ]


def test_fitness_is_the_formula_of_the_paper():
    fitness, n_duplicates = fitnesses(members([-3.0, -2.5, -2.0]), duplicate_limit=ALL)
    np.testing.assert_allclose(fitness, 0.5 * (1 - np.tanh([-1, 0, 1])))
    assert n_duplicates == 0


def test_the_worse_one_of_two_that_are_alike_loses_its_fitness():
    twins = [
        make_member(bulk("Cu"), energy, number=index, width=0.05)
        for index, energy in enumerate([-3.0, -2.999, -2.0])
    ]
    free, _ = fitnesses(twins, duplicate_limit=ALL)
    fitness, n_duplicates = fitnesses(twins, duplicate_limit=0.99)
    assert n_duplicates == 1  # the third is far off in energy
    assert fitness[0] == free[0]
    assert fitness[1] == pytest.approx(0.001 * free[1], rel=0.01)
    assert fitness[2] == free[2]


def test_the_best_survive_and_the_others_by_chance(rng):
    everyone = members([-1.0, -3.0, -2.0, -2.5, -1.5])
    counts = np.zeros(5)
    for _ in range(200):
        kept, _ = survivors(everyone, 3, best=1, duplicate_limit=ALL, rng=rng)
        assert len(kept) == 3
        assert kept[0].energy == -3.0
        assert [one.energy for one in kept] == sorted(one.energy for one in kept)
        counts[[one.number for one in kept]] += 1
    assert counts[1] == 200
    assert counts[3] > counts[2] > counts[4] > counts[0] > 0


def test_small_populations_keep_everyone(rng):
    kept, _ = survivors(members([-1.0, -2.0]), 5, best=1, duplicate_limit=ALL, rng=rng)
    assert [one.energy for one in kept] == [-2.0, -1.0]


def test_fit_members_have_more_children(rng):
    everyone = members([-3.0, -2.0])
    drawn = [draw_parents(everyone, 1, duplicate_limit=ALL, rng=rng)[0] for _ in range(400)]
    share = np.mean([one.energy == -3.0 for one in drawn])
    high, low = 0.5 * (1 - np.tanh([-1, 1]))
    assert share == pytest.approx(high / (high + low), abs=0.07)
    both = draw_parents(everyone, 2, duplicate_limit=ALL, rng=rng)
    assert {one.energy for one in both} == {-3.0, -2.0}


def parents():
    first = bulk("Cu", a=3.7, cubic=True) * (2, 1, 1)
    second = bulk("Cu", "bcc", a=2.95, cubic=True) * (2, 2, 1)
    for atoms in (first, second):
        atoms.symbols[:2] = "Au"
    return first, second


def test_children_of_crystals_have_composition_distances_and_a_volume_in_between(rng):
    first, second = parents()
    second.set_cell(second.cell.array * 1.1, scale_atoms=True)
    low, high = sorted([first.get_volume(), second.get_volume()])
    made = [cross_crystals(first, second, LIMITS, rng) for _ in range(20)]
    children = [child for child in made if child is not None]
    assert len(children) > 10
    for child in children:
        assert sorted(child.numbers) == sorted(first.numbers)
        assert low <= child.get_volume() <= high
        assert LIMITS.keeps(child)
        assert child.pbc.all()


def test_parents_that_are_alike_have_children_with_pieces_of_their_lattice(rng):
    """A crystal cut and joined with itself keeps most of its bonds."""
    first = bulk("Cu", a=3.6, cubic=True) * (2, 2, 1)
    child = cross_crystals(first, first, make_limits(0.0, None), rng)
    assert child.get_volume() == pytest.approx(first.get_volume())


def test_children_of_clusters_keep_the_composition(rng):
    first, second = (one[:7] for one in parents())
    for atoms in (first, second):
        atoms.pbc = False
    for _ in range(10):
        child = cross_clusters(first, second, LIMITS, rng)
        if child is not None:
            assert sorted(child.numbers) == sorted(first.numbers)
            assert not child.pbc.any()
            assert LIMITS.keeps(child)


def test_each_mutation_changes_what_it_is_named_after(rng):
    start, _ = parents()
    strained = start.copy()
    strain_cell(strained, rng)
    np.testing.assert_allclose(
        strained.get_scaled_positions(), start.get_scaled_positions(), atol=1e-12
    )
    assert 0.5 < strained.get_volume() / start.get_volume() < 2
    displaced = start.copy()
    displace_all(displaced, rng)
    np.testing.assert_array_equal(displaced.cell, start.cell)
    moved = np.abs(displaced.positions - start.positions)
    assert 0 < moved.max() <= 0.15 * 2 * 1.36
    exchanged = start.copy()
    exchange(exchanged, rng)
    assert sorted(exchanged.numbers) == sorted(start.numbers)
    assert (exchanged.numbers != start.numbers).any()


def test_mutants_keep_composition_and_distances(rng):
    start, _ = parents()
    for _ in range(10):
        mutant = mutate(start, LIMITS, rng)
        assert sorted(mutant.numbers) == sorted(start.numbers)
        assert LIMITS.keeps(mutant)
        assert mutant.positions.shape == start.positions.shape
