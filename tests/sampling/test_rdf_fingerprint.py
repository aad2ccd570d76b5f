# SPDX-License-Identifier: MIT
"""The fingerprint of pair distributions: the published value, and what it does not see."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.sampling.global_search.rdf_fingerprint import pair_fingerprint, similarity


def silver_copper(cell):
    return Atoms("CuAg", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5)], cell=cell, pbc=True)


def test_the_published_pair_of_structures_has_the_published_product():
    """Example 02-cmp of MAISE."""
    first = pair_fingerprint(silver_copper([3, 3, 3]))
    second = pair_fingerprint(silver_copper([[3.03, 0, 0], [0.002, 3, 0], [0, 0, 3]]))
    assert first.product(second) == pytest.approx(0.760837, abs=1e-4)


@pytest.mark.parametrize("width", [0.008, 0.05])
def test_choice_of_cell_translation_rotation_and_order_do_not_matter(width, rng):
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.symbols[:3] = "Au"
    atoms.rattle(0.1, seed=1)
    other = atoms * (1, 2, 1)
    other.rotate(37, (1, 2, 3), rotate_cell=True)
    other.positions += 0.3
    other = other[rng.permutation(len(other))]
    first, second = (pair_fingerprint(one, width=width) for one in (atoms, other))
    assert first.product(first) == pytest.approx(1)
    assert first.product(second) == pytest.approx(1, abs=1e-6)


def test_a_wider_peak_forgives_larger_strains():
    first, second = silver_copper([3, 3, 3]), silver_copper([3.03, 3, 3])
    products = [
        pair_fingerprint(first, width=width).product(pair_fingerprint(second, width=width))
        for width in (0.008, 0.05, 0.1)
    ]
    assert products == sorted(products)
    assert products[2] > 0.99


def test_structures_without_common_pairs_have_nothing_in_common():
    copper = pair_fingerprint(bulk("Cu"))
    assert copper.product(pair_fingerprint(bulk("Ag"))) == 0
    assert similarity(copper, copper, energies=(-3, -3), volumes=(11, 11)) == pytest.approx(1)
    # energy and volume count a tenth each
    assert similarity(copper, copper, energies=(-3, 0), volumes=(11, 11)) == pytest.approx(0.9)
    assert similarity(copper, copper, energies=(-3, -3), volumes=(11, 33)) == pytest.approx(0.9)
    assert similarity(copper, copper, energies=(-3, -3.05), volumes=(0, 0)) == pytest.approx(
        0.9 + 0.1 * np.exp(-0.5)
    )


def test_distances_beyond_the_cutoff_do_not_count():
    pair = Atoms("Cu2", positions=[(0, 0, 0), (2.5, 0, 0)])
    farther = pair + Atoms("Cu", positions=[(0, 20, 0)])
    assert pair_fingerprint(pair).product(pair_fingerprint(farther)) == pytest.approx(1)
