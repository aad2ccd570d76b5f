# SPDX-License-Identifier: MIT
"""Random crystals have the symmetry of the group that they were made with."""

import re

import numpy as np
import pytest
import spglib
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.structures.random_cells import random_shape
from aiida_alpot.sampling.structures.space_groups import space_group
from aiida_alpot.testing.samplers import SamplerContract

# one of each crystal system and centring, screws and glides among them
GROUPS = [2, 5, 14, 43, 62, 88, 139, 148, 155, 166, 167, 176, 194, 198, 221, 225, 227, 230]


class TestRandomCrystals(SamplerContract):
    def make_sampler(self):
        return make_sampler(
            "random_crystals",
            {"structures": 3, "atoms": [4, 8], "space_groups": [14, 62, 166, 221]},
        )


@pytest.fixture
def alloy():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    return atoms


def make(start, seed=0, **settings):
    return make_sampler("random_crystals", settings).make(start, np.random.default_rng(seed))


def found_by_spglib(crystal, tolerance=1e-4):
    cell = (crystal.cell.array, crystal.get_scaled_positions(), crystal.numbers)
    return spglib.get_symmetry_dataset(cell, symprec=tolerance)


@pytest.mark.parametrize("number", GROUPS)
def test_spglib_finds_at_least_the_group_that_was_drawn(number, alloy):
    """By Lagrange: the order of the point group divides that of the group that is found."""
    crystal = make(
        alloy, formula="Cu", space_groups=[number], atoms=[4, 20], volume_factor=[1.1, 1.6]
    )
    assert crystal.info["space_group"] == number
    group = space_group(number)
    order = len(group.rotations) // len(group.centring)
    found = found_by_spglib(crystal)
    assert len(found.rotations) % order == 0
    assert found.number >= number or len(found.rotations) > order


@pytest.mark.parametrize("number", [2, 14, 62, 148, 198])
def test_many_atoms_have_just_the_group_that_was_drawn(number, alloy):
    """Atoms at general positions leave no more symmetry than was asked for."""
    crystal = make(alloy, space_groups=[number], atoms=[32, 48], volume_factor=[1.3, 1.6])
    assert found_by_spglib(crystal).number == number


def test_groups_are_drawn_with_equal_probability(alloy):
    sampler = make_sampler(
        "random_crystals", {"space_groups": [1, 2, 3], "atoms": 8, "volume_factor": [1.5, 1.5]}
    )
    rng = np.random.default_rng(0)
    drawn = [sampler.make(alloy, rng).info["space_group"] for _ in range(90)]
    counts = np.bincount(drawn, minlength=4)[1:]
    assert ((counts - 30) ** 2 / 30).sum() < 13.8  # chi squared of 2 degrees, p = 0.001


def test_composition_volume_and_distances_are_those_asked_for(alloy):
    sampler = make_sampler(
        "random_crystals",
        {"atoms": [4, 12], "volume_per_atom": [15, 18], "min_distances": {"Au-Au": 2.8}},
    )
    rng = np.random.default_rng(3)
    for _ in range(6):
        crystal = sampler.make(alloy, rng)
        count = crystal.symbols.formula.count()
        assert count["Cu"] == 3 * count["Au"]
        assert len(crystal) in (4, 8, 12)
        assert 15 - 1e-9 <= crystal.get_volume() / len(crystal) <= 18 + 1e-9
        first, second, distances = neighbor_list("ijd", crystal, 4.0)
        gold = (crystal.numbers[first] == 79) & (crystal.numbers[second] == 79)
        assert distances[gold].min(initial=9.9) >= 2.8 - 1e-9
        assert distances.min() >= 0.8 * 2 * 1.32 - 1e-9


def test_elements_find_their_simple_lattices():
    """With one atom in a primitive cubic cell there is nothing else to find."""
    copper = bulk("Cu")
    for number, coordination in [(221, 6), (229, 8), (225, 12)]:
        crystal = make(copper, space_groups=[number], atoms=1, volume_factor=[1, 1])
        distances = np.sort(neighbor_list("d", crystal, 5.0))
        assert np.isclose(distances, distances[0]).sum() == coordination


@pytest.mark.parametrize("number", GROUPS)
def test_a_cell_that_was_made_symmetric_is_left_in_place_by_the_operations(number, rng):
    group = space_group(number)
    shape = random_shape("triclinic", np.eye(3), rng) * 4
    cell = group.symmetric_cell(shape)
    assert np.linalg.det(cell) == pytest.approx(64)
    metric = cell @ cell.T
    for rotation in group.rotations:
        np.testing.assert_allclose(rotation.T @ metric @ rotation, metric, atol=1e-9)
    again = group.symmetric_cell(cell)
    np.testing.assert_allclose(again @ again.T, metric, atol=1e-9)


@pytest.mark.parametrize("number", GROUPS)
def test_special_points_have_smaller_orbits_which_the_operations_permute(number, rng):
    group = space_group(number)
    counts = []
    for count, point in group.special_points(rng):
        orbit = group.orbit(point)
        counts.append(count)
        assert len(orbit) == count == group.multiplicity(point)
        for rotation, shift in zip(group.rotations[:20], group.translations[:20], strict=True):
            moved = orbit @ rotation.T + shift
            apart = moved[:, None] - orbit
            hits = (np.abs(apart - np.round(apart)) < 1e-6).all(axis=2)
            assert (hits.sum(axis=1) == 1).all()
    assert counts[0] == len(group.rotations)
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(("number", "smallest"), [(2, 1), (62, 4), (166, 3), (225, 4), (227, 8)])
def test_the_most_special_positions_of_the_tables_are_found(number, smallest):
    """Multiplicities of the first Wyckoff position in the International Tables."""
    rng = np.random.default_rng(1)
    found = [count for _ in range(30) for count, _ in space_group(number).special_points(rng)]
    assert min(found) == smallest


def test_what_has_no_room_names_the_last_group(alloy, rng):
    sampler = make_sampler(
        "random_crystals", {"structures": 1, "space_groups": [230], "atoms": 4, "tries": 1}
    )
    [chain] = run_sampler(sampler, [alloy], EMT(), rng=rng).chains
    assert not chain.completed
    assert re.search("no room for AuCu3, the last being number 230 with .* A", chain.reason)


@pytest.mark.parametrize("groups", [[0], [231], []])
def test_groups_that_do_not_exist_are_refused(groups):
    with pytest.raises(SettingError, match="a list of numbers from 1 to 230"):
        make_sampler("random_crystals", {"space_groups": groups})
