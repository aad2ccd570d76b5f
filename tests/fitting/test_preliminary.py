# SPDX-License-Identifier: MIT
"""Searches in a part of a large training set."""

import numpy as np
import pytest

from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.fitting.loss import LossWeights, loss_at, make_targets
from aiida_alpot.fitting.parts import part_indices, part_step, take_part
from aiida_alpot.fitting.preliminary import choose_start, exchange_function
from aiida_alpot.fitting.restraints import make_restraints
from aiida_alpot.fitting.search import MATRIX_FREE, PROJECTION
from aiida_alpot.mtp.jacobian import make_environment

from .data import emt_set, random_potential


@pytest.fixture(scope="module")
def large():
    return emt_set(400, seed=1)


def test_a_part_has_the_loss_of_its_configurations():
    training, potential = emt_set(7, seed=1), random_potential(8)
    environment = make_environment(potential, training)
    targets = make_targets(training, LossWeights())
    part = training.select(part_indices(7, 3))
    assert len(part) == 3
    found = loss_at(potential, *take_part(environment, targets, 3))
    expected = loss_at(
        potential, make_environment(potential, part), make_targets(part, LossWeights())
    )
    assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("n_labels", "n_configurations", "step"),
    [(100, 100, 1), (40_000, 200, 8), (40_000, 40, 5), (40_000, 6, 1)],
)
def test_a_part_keeps_labels_enough_for_every_parameter(n_labels, n_configurations, step):
    assert part_step(n_labels, 100, n_configurations) == step


@pytest.mark.parametrize(("n", "step"), [(10, 3), (9, 3), (100, 7), (5, 1)])
def test_a_part_has_one_configuration_of_each_run(n, step):
    indices = part_indices(n, step)
    assert np.array_equal(indices // step, np.arange(-(-n // step)))
    assert indices.max() < n
    assert np.array_equal(indices, part_indices(n, step))


def test_the_best_start_in_a_part_goes_on(large):
    starts = [start_potential(large, level=6, cutoff=4.5, seed=seed) for seed in range(3)]
    environment = make_environment(starts[0], large)
    targets = make_targets(large, LossWeights())

    def lowest(some):
        kept = []
        found = choose_start(
            iter(some), environment, targets, step=20, method=PROJECTION, keep=kept.append
        )
        assert kept[-1] is found
        return loss_at(found, *take_part(environment, targets, 20))

    alone = [lowest([start]) for start in starts]
    assert lowest(starts) == min(alone)


def test_variations_begin_at_the_best_point_so_far_and_never_end_above_it(large):
    start = start_potential(large, level=6, cutoff=4.5)
    environment = make_environment(start, large)
    targets = make_targets(large, LossWeights())
    part = take_part(environment, targets, 20)
    seen = []

    def vary(potential):
        seen.append(loss_at(potential, *part))
        return exchange_function(potential, None, rng=np.random.default_rng(len(seen)))

    found = choose_start(
        iter([start]),
        environment,
        targets,
        variations=[vary] * 3,
        step=20,
        method=PROJECTION,
        keep=lambda potential: None,
    )
    losses = [*seen, loss_at(found, *part)]
    assert losses == sorted(losses, reverse=True)


def test_one_function_is_exchanged_for_all_pairs_and_keeps_its_size():
    potential = random_potential(12, ["Au", "Cu"])
    varied = exchange_function(potential, None, rng=np.random.default_rng(0))
    before, after = potential.radial_coefficients, varied.radial_coefficients
    is_changed = (before != after).any(axis=(0, 1, 3))
    assert is_changed.sum() == 1
    (mu,) = np.flatnonzero(is_changed)
    sizes = np.linalg.norm(after[:, :, mu], axis=-1)
    np.testing.assert_allclose(sizes, np.linalg.norm(before[:, :, mu], axis=-1), rtol=1e-13)
    directions = after[:, :, mu] / sizes[..., None]
    np.testing.assert_allclose(directions, np.broadcast_to(directions[0, 0], directions.shape))
    others = slice(potential.n_radial_parameters, None)
    assert np.array_equal(varied.parameters[others], potential.parameters[others])


def test_frozen_coefficients_of_an_exchanged_function_stay():
    potential = random_potential(4)
    frozen = np.zeros(potential.n_parameters, dtype=bool)
    frozen[:3] = True
    restraints = make_restraints(potential, frozen=frozen)
    varied = exchange_function(potential, restraints, rng=np.random.default_rng(0))
    is_same = varied.parameters == potential.parameters
    assert np.array_equal(np.flatnonzero(~is_same), np.arange(3, potential.n_radial_parameters))


@pytest.mark.parametrize("method", [PROJECTION, MATRIX_FREE])
def test_a_search_that_begins_in_a_part_ends_in_the_whole_set(large, method):
    initial = start_potential(large, level=4, cutoff=4.5)
    assert part_step(400 * 19, initial.n_parameters, 400) > 1
    result = fit_potential(large, initial=initial, n_starts=3, method=method)
    assert result.converged
    assert result.loss == result.loss_history[-1]
    assert result.n_iterations == len(result.loss_history) - 1
    targets = make_targets(large, LossWeights())
    assert result.loss == pytest.approx(
        loss_at(result.potential, make_environment(initial, large), targets), rel=1e-13
    )
    again = fit_potential(large, initial=initial, n_starts=3, method=method, threads=2)
    assert np.array_equal(again.potential.parameters, result.potential.parameters)


def test_a_trained_potential_goes_on_in_the_whole_set_at_once(large):
    trained = random_potential(4)
    result = fit_potential(large, initial=trained, max_iterations=1)
    seen = []
    fit_potential(large, initial=trained, max_iterations=1, progress=seen.append)
    assert [state.iteration for state in seen] == [0, 1]
    assert result.loss_history[0] <= loss_at(
        trained, make_environment(trained, large), make_targets(large, LossWeights())
    )
