# SPDX-License-Identifier: MIT
"""Laws of MAXVOL, on matrices alone."""

from __future__ import annotations

import tracemalloc
from itertools import combinations

import numpy as np
import pytest

from aiida_alpot.grading.maxvol import (
    SWAP_THRESHOLD,
    maxvol,
    maxvol_in_blocks,
    scaled_identity,
)


def largest_coefficient(rows, result):
    return np.abs(rows @ np.linalg.inv(result.matrix)).max()


def largest_log_volume(rows):
    n = rows.shape[1]
    return max(
        np.linalg.slogdet(rows[list(chosen)])[1] for chosen in combinations(range(len(rows)), n)
    )


@pytest.mark.parametrize("powers", [(0, 1), (2, 3)])
def test_d_optimal_points_of_a_two_term_fit_lie_at_the_ends_of_the_interval(powers):
    x = np.linspace(-1.0, 1.0, 41)
    result = maxvol(np.stack([x**power for power in powers], axis=1))
    assert result.chosen.tolist() == [0, 40]


def test_d_optimal_points_of_a_fit_predict_better_than_neighbouring_ones():
    # fit of x^2 + x^3 exp(-x^2 / 2) by c1 x^2 + c2 x^3 (Shapeev): passive sampling extrapolates
    x = np.linspace(-1.0, 1.0, 41)
    basis = np.stack([x**2, x**3], axis=1)
    truth = x**2 + x**3 * np.exp(-(x**2) / 2.0)

    def largest_error(points):
        fitted = np.linalg.lstsq(basis[points], truth[points], rcond=None)[0]
        return np.abs(basis @ fitted - truth).max()

    assert largest_error(maxvol(basis).chosen) < 0.5 * largest_error([22, 24])


@pytest.mark.parametrize("seed", range(3))
def test_no_row_has_a_coefficient_above_the_threshold_in_the_end(seed):
    rows = np.random.default_rng(seed).standard_normal((2000, 50))
    result = maxvol(rows)
    assert result.dominant
    assert result.n_swaps >= 50
    assert largest_coefficient(rows, result) <= SWAP_THRESHOLD


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("block_rows", [None, 100])
def test_rows_of_all_sizes_do_not_replace_each_other_for_ever(seed, block_rows):
    # twelve orders of magnitude between the directions: coefficients are known to 1e-6 only
    rng = np.random.default_rng(seed)
    n = 80
    directions = np.linalg.qr(rng.standard_normal((n, n)))[0]
    rows = 1e4 * rng.standard_normal((300, n)) * np.logspace(0, -12, n) @ directions
    result = maxvol(rows, block_rows=block_rows, max_swaps=10 * n)
    assert result.dominant
    assert largest_coefficient(rows, result) < 1.0 + 1e-4


def test_volume_is_at_least_that_of_random_submatrices():
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((2000, 50))
    result = maxvol(rows)
    random = [np.linalg.slogdet(rows[rng.choice(2000, 50, replace=False)])[1] for _ in range(300)]
    assert result.log_det > max(random)
    np.testing.assert_allclose(result.log_det, np.linalg.slogdet(rows[result.places])[1])


def test_inverse_after_many_exchanges_equals_that_by_lu():
    rng = np.random.default_rng(2)
    # columns of very different size, and more exchanges than between two refreshes
    rows = rng.standard_normal((3000, 80)) * np.logspace(-3, 3, 80)
    result = maxvol(rows, block_rows=64)
    assert result.n_swaps > 150
    exact = np.linalg.inv(rows[result.places])
    scale = np.abs(exact).max(axis=1, keepdims=True)
    assert np.abs((result.inverse - exact) / scale).max() < 1e-8


@pytest.mark.parametrize("n", [2, 3, 4])
def test_volume_of_tiny_problems_is_within_the_bound_of_the_largest_and_often_equal(n):
    shortfalls = []
    for seed in range(20):
        rows = np.random.default_rng(seed).standard_normal((10, n))
        shortfalls.append(largest_log_volume(rows) - maxvol(rows).log_det)
    assert min(shortfalls) > -1e-9
    assert max(shortfalls) <= 0.5 * n * np.log(n)
    assert np.mean(np.array(shortfalls) < 1e-9) >= 0.5


@pytest.mark.parametrize("block_rows", [1, 7, 100, 600])
def test_sweeps_over_blocks_leave_no_row_above_the_threshold(block_rows):
    rows = np.random.default_rng(3).standard_normal((600, 20))
    result = maxvol(rows, block_rows=block_rows)
    whole = maxvol(rows)
    assert result.dominant
    assert largest_coefficient(rows, result) <= SWAP_THRESHOLD
    # two submatrices that are dominant over the same rows bound each other's volume (Hadamard)
    assert abs(result.log_det - whole.log_det) <= 0.5 * 20 * np.log(20)


def test_hundred_thousand_rows_are_read_in_blocks_of_bounded_memory():
    n, block_rows, n_blocks = 40, 2000, 50

    def blocks():
        for index in range(n_blocks):
            yield np.random.default_rng(index).standard_normal((block_rows, n))

    tracemalloc.start()
    result = maxvol_in_blocks(blocks, start=scaled_identity(n))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * block_rows * n * 8  # all rows together are 50 blocks
    for block in blocks():
        assert np.abs(block @ result.inverse).max() <= SWAP_THRESHOLD


def test_a_direction_that_no_row_has_keeps_the_row_of_the_start():
    rows = np.random.default_rng(4).standard_normal((30, 4))
    rows[:, 2] = 0.0
    result = maxvol(rows, scale=1e-5)
    assert result.places[2] == -1
    assert np.sort(result.places).tolist()[0] == -1
    assert len(result.chosen) == 3
    unseen = np.array([0.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(np.abs(unseen @ result.inverse).max(), 1e5, rtol=1e-9)


def test_rows_given_as_a_start_leave_only_for_a_gain_above_the_threshold():
    rng = np.random.default_rng(5)
    first = maxvol(rng.standard_normal((200, 10)))
    start = (first.matrix, first.inverse)
    # rows inside the box that the start spans gain nothing
    inside = rng.uniform(-1.0, 1.0, (50, 10)) @ first.matrix
    assert maxvol(inside, start=start).n_swaps == 0
    slightly_outside = 1.5 * first.matrix[[3]]
    assert maxvol(slightly_outside, start=start, threshold=2.0).n_swaps == 0
    result = maxvol(slightly_outside, start=start, threshold=1.2)
    assert result.places.tolist() == [-1, -1, -1, 0, -1, -1, -1, -1, -1, -1]
    np.testing.assert_allclose(result.log_det - first.log_det, np.log(1.5))


def test_exchanges_are_recorded_in_their_order_and_stop_at_their_upper_bound():
    rows = np.random.default_rng(6).standard_normal((50, 8))
    result = maxvol(rows, max_swaps=3)
    assert result.n_swaps == 3
    assert not result.dominant
    assert result.entered == maxvol(rows).entered[:3]


def test_candidates_are_not_changed():
    rows = np.random.default_rng(7).standard_normal((50, 8))
    before = rows.copy()
    maxvol(rows)
    np.testing.assert_array_equal(rows, before)
