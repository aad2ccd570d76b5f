# SPDX-License-Identifier: MIT
from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.contraction_steps import contraction_steps
from aiida_alpot.mtp.contractions import (
    MomentBasis,
    moment_basis,
    recognise_level,
    scalar_keys,
)
from aiida_alpot.mtp.moment_graphs import canonical, scalar_graphs
from aiida_alpot.mtp.tensor_components import components

# level: radial functions, basic moments, scalars; and the moments and products of MLIP-2's tables
COUNTS = {
    2: (1, 1, 1, 1, 0),
    4: (1, 1, 2, 2, 1),
    6: (2, 5, 5, 8, 5),
    8: (2, 11, 9, 18, 14),
    10: (3, 25, 16, 41, 42),
    12: (3, 46, 29, 84, 117),
    14: (4, 81, 52, 174, 348),
    16: (4, 130, 92, 350, 969),
    18: (5, 201, 163, 718, 2634),
    20: (5, 295, 288, 1352, 6349),
    22: (6, 421, 500, 2621, 15431),
    24: (6, 581, 864, 4991, 36170),
}
MODERATE_LEVELS = tuple(COUNTS)  # the highest, which take longer, have tests of their own


def random_environment(seed: int, n_neighbors: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors and radial functions f_mu of the neighbours."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(n_neighbors, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return directions, rng.normal(size=(6, n_neighbors))


def all_moments(basis: MomentBasis, directions: np.ndarray, radial: np.ndarray) -> np.ndarray:
    moments = np.zeros(basis.n_moments)
    for index, (mu, *exponents) in enumerate(basis.basic):
        moments[index] = radial[mu] @ np.prod(directions**exponents, axis=1)
    for left, right, multiplicity, target in basis.products:
        moments[target] += multiplicity * moments[left] * moments[right]
    return moments


def scalar_values(basis: MomentBasis, directions: np.ndarray, radial: np.ndarray) -> np.ndarray:
    return all_moments(basis, directions, radial)[basis.scalars]


def contract_over_neighbors(key, directions: np.ndarray, radial: np.ndarray) -> float:
    """Return a contraction as a sum over tuples of neighbours: no tensors, no intermediates.

    M:M:... contracted along the edges is sum_{j1, j2, ...} prod_n f_mu_n(r_jn) prod_edges
    (rhat_j . rhat_j')^alpha.
    """
    n_nodes = len(key.radial)
    letters = "abcd"[:n_nodes]
    factors, subscripts = [], []
    for letter, mu in zip(letters, key.radial, strict=True):
        factors.append(radial[mu])
        subscripts.append(letter)
    cosines = directions @ directions.T
    for (i, j), count in zip(itertools.combinations(letters, 2), key.edges, strict=True):
        factors.append(cosines**count)
        subscripts.append(i + j)
    return float(np.einsum(",".join(subscripts) + "->", *factors))


@pytest.mark.parametrize("level", MODERATE_LEVELS)
def test_each_level_has_the_counts_of_the_published_tables_and_no_more_work(level):
    basis = moment_basis(level)
    n_radial, n_basic, n_scalars, n_moments, n_products = COUNTS[level]
    assert (basis.n_radial, basis.n_basic, basis.n_scalars) == (n_radial, n_basic, n_scalars)
    assert basis.n_moments <= n_moments
    assert basis.n_products <= n_products
    assert recognise_level(basis) == basis.level == level


@pytest.mark.parametrize(("level", "n_products"), [(14, 303), (16, 705), (20, 4201)])
def test_products_are_as_few_as_the_steps_allow(level, n_products):
    # the optimum of the integer programme, hence the same whatever solver finds it
    assert moment_basis(level).n_products <= n_products


@pytest.mark.parametrize("level", MODERATE_LEVELS)
def test_products_run_in_order_grouped_by_target(level):
    basis = moment_basis(level)
    if level == 2:
        assert basis.products.shape == (0, 4)
        return
    left, right, multiplicity, target = basis.products.T
    assert (left < target).all()
    assert (right < target).all()
    assert (multiplicity > 0).all()
    steps = np.diff(target)
    assert set(steps) <= {0, 1}, "targets stand together, without gaps"
    assert target[0] == basis.n_basic
    assert target[-1] == basis.n_moments - 1


@pytest.mark.parametrize("level", MODERATE_LEVELS)
def test_every_moment_serves_a_scalar(level):
    basis = moment_basis(level)
    needed = set(basis.scalars.tolist())
    for left, right, _, target in basis.products[::-1].tolist():
        if target in needed:
            needed |= {left, right}
    assert needed == set(range(basis.n_moments))


@pytest.mark.parametrize("level", MODERATE_LEVELS)
def test_scalars_are_the_full_contractions_with_unit_coefficient(level):
    directions, radial = random_environment(seed=level)
    values = scalar_values(moment_basis(level), directions, radial)
    expected = [contract_over_neighbors(key, directions, radial) for key in scalar_keys(level)]
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize(("lower", "higher"), [(2, 4), (8, 12), (10, 20), (16, 18), (22, 24)])
def test_a_scalar_keeps_its_key_and_its_value_in_higher_levels(lower, higher):
    place = {key: index for index, key in enumerate(scalar_keys(higher))}
    chosen = [place[key] for key in scalar_keys(lower)]
    directions, radial = random_environment(seed=7)
    np.testing.assert_allclose(
        scalar_values(moment_basis(lower), directions, radial),
        scalar_values(moment_basis(higher), directions, radial)[chosen],
        rtol=1e-10,
        atol=1e-10,
    )


@pytest.mark.parametrize(("level", "n_identities"), [(8, 0), (14, 0), (16, 1)])
def test_only_the_gram_determinant_of_four_directions_ties_scalars(level, n_identities):
    # f_mu is drawn anew in each environment, so nothing but an identity makes scalars dependent.
    # Four unit vectors in three dimensions have a vanishing Gram determinant; four M_{0,nu} with
    # eight indices reach it at level 16: a property of the published bases as well.
    basis = moment_basis(level)
    rows = [
        scalar_values(basis, *random_environment(seed=seed)) for seed in range(2 * basis.n_scalars)
    ]
    columns = np.array(rows) / np.linalg.norm(rows, axis=0)
    assert np.linalg.matrix_rank(columns, tol=1e-10) == basis.n_scalars - n_identities


@pytest.mark.parametrize("level", [12, 16])
def test_scalars_do_not_see_rotation_and_reflection(level):
    directions, radial = random_environment(seed=3)
    orthogonal, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))
    basis = moment_basis(level)
    np.testing.assert_allclose(
        scalar_values(basis, directions @ orthogonal.T, radial),
        scalar_values(basis, directions, radial),
        rtol=1e-9,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        scalar_values(basis, -directions, radial),
        scalar_values(basis, directions, radial),
        rtol=1e-9,
        atol=1e-9,
    )


def test_scalar_keys_are_distinct_and_ordered_by_level():
    keys = scalar_keys(20)
    assert len(set(keys)) == len(keys)
    levels = [key.level for key in keys]
    assert levels == sorted(levels)
    assert keys[: len(scalar_keys(12))] == scalar_keys(12)


def test_a_basis_is_the_same_in_every_process():
    code = (
        "import hashlib, numpy as np; from aiida_alpot.mtp.contractions import moment_basis;"
        "basis = moment_basis(16);"
        "print(hashlib.sha256(basis.basic.tobytes() + basis.products.tobytes()"
        " + basis.scalars.tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_arrays_of_a_basis_cannot_be_changed():
    basis = moment_basis(8)
    with pytest.raises(ValueError, match="read-only"):
        basis.products[0, 2] = 5


@pytest.mark.parametrize("level", [-2, 0, 7, 30, 1000, 8.5])
def test_a_level_that_does_not_exist_is_refused_with_those_that_do(level):
    with pytest.raises(SettingError, match=rf"level {level}\. Choose an even level from 2 to 28"):
        moment_basis(level)
    with pytest.raises(SettingError):
        scalar_keys(level)


def test_an_unknown_table_has_no_level():
    known = moment_basis(8)
    fewer = MomentBasis(known.basic, known.products, known.scalars[:-1], known.n_moments, None)
    assert recognise_level(fewer) is None


def test_the_bases_of_usual_levels_are_generated_within_two_seconds():
    for function in (moment_basis, contraction_steps, scalar_graphs, canonical, components):
        function.cache_clear()
    start = time.process_time()
    for level in range(2, 17, 2):
        moment_basis(level)
    assert time.process_time() - start < 2.0
