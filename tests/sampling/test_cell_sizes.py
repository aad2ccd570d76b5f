# SPDX-License-Identifier: MIT
"""Criteria for the size of a cell, against the table that they were published with."""

import typing

import numpy as np
import pytest

from aiida_alpot.sampling.structures.cell_sizes import SPHERE_RATIOS, CellSizeCriterion, cell_size

# s, SOI over cell, unique radius, unique volume over SOI, relative volume
TABLE = {
    "inscribed_sphere": (1.0000, 0.5236, 1.0000, 1.9099, 1.0000),
    "unique_equals_soi": (1.1074, 0.7111, 0.8060, 1.0000, 0.7363),
    "cell_equals_soi": (1.2407, 1.0000, 0.6120, 0.4378, 0.5236),
    "inner_half_unique": (1.3333, 1.2411, 0.5000, 0.2387, 0.4219),
    "soi_touches_edges": (1.4142, 1.4810, 0.4142, 0.1357, 0.3536),
    "soi_circumscribes": (1.7321, 2.7207, 0.1547, 0.0071, 0.1925),
}


@pytest.mark.parametrize("criterion", TABLE)
def test_each_criterion_gives_the_row_of_the_published_table(criterion):
    size = cell_size(criterion, cutoff=5.0)
    row = (
        size.ratio,
        size.soi_per_cell,
        size.unique_radius,
        size.unique_volume_per_soi,
        size.relative_volume,
    )
    np.testing.assert_allclose(row, TABLE[criterion], atol=5.1e-5)
    assert size.width == pytest.approx(10.0 / TABLE[criterion][0], rel=1e-4)


def test_the_criteria_are_those_that_a_setting_allows():
    assert tuple(SPHERE_RATIOS) == typing.get_args(CellSizeCriterion) == tuple(TABLE)


@pytest.mark.parametrize("criterion", TABLE)
def test_the_share_of_the_cell_that_no_image_reaches_is_what_random_points_find(criterion):
    size = cell_size(criterion, cutoff=1.0)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20_000, 3)) * size.width
    images = size.width * np.vstack([np.eye(3), -np.eye(3)])
    inside = np.linalg.norm(points, axis=1) < size.unique_radius
    reach = np.linalg.norm(points[:, None] - images, axis=2).min(axis=1)
    assert reach[inside].min(initial=np.inf) >= 1.0 - 1e-12
