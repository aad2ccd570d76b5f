# SPDX-License-Identifier: MIT
"""Random structures have the composition, the density and the distances that were asked for."""

from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.geometry import minkowski_reduce
from ase.neighborlist import neighbor_list

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.structures.cell_sizes import SPHERE_RATIOS, cell_size
from aiida_alpot.sampling.structures.contents import GRAMS_PER_CM3
from aiida_alpot.sampling.structures.pair_limits import PairLimits, Placement
from aiida_alpot.sampling.structures.random_cells import random_shape, smallest_width
from aiida_alpot.testing.samplers import SamplerContract


class TestRandomStructures(SamplerContract):
    settings: ClassVar[dict] = {}

    def make_sampler(self):
        return make_sampler("random_structures", {"structures": 4, **self.settings})


class TestRandomAlloysInCubes(TestRandomStructures):
    settings: ClassVar = {
        "formula": "Cu3Au",
        "atoms": [4, 12],
        "cell": "cubic",
        "density_g_cm3": [8, 11],
    }


def made(start, seed=0, **settings):
    sampler = make_sampler("random_structures", settings)
    frames = sampler.frames([start], EMT(), np.random.default_rng(seed))
    return [frame.atoms.copy() for frame in frames][1:]


@pytest.fixture
def alloy():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    return atoms


def distances_by_pair(atoms):
    i, j, d = neighbor_list("ijd", atoms, 5.0)
    pairs = np.sort(np.stack([atoms.symbols[i], atoms.symbols[j]]), axis=0)
    return {pair: d[(pair == pairs.T).all(axis=1)] for pair in {*map(tuple, pairs.T)}}


def test_volumes_fill_the_range_that_was_asked_for(alloy):
    volumes = [
        one.get_volume() / len(one)
        for one in made(alloy, structures=60, volume_per_atom=[14, 20], atoms=4)
    ]
    assert 14 <= min(volumes) < 15
    assert 19 < max(volumes) <= 20


def test_densities_lie_in_the_range_that_was_asked_for(alloy):
    for one in made(alloy, structures=20, density_g_cm3=[9, 10]):
        assert 9 - 1e-9 <= one.get_masses().sum() / one.get_volume() / GRAMS_PER_CM3 <= 10 + 1e-9


def test_without_a_volume_it_is_that_of_the_start_by_a_factor(alloy):
    for one in made(alloy, structures=20, volume_factor=[1.1, 1.3]):
        assert 1.1 <= one.get_volume() / alloy.get_volume() <= 1.3


@pytest.mark.parametrize("cell", ["triclinic", "orthorhombic", "cubic", "start"])
def test_pairs_keep_their_smallest_distances_through_all_boundaries(alloy, cell):
    limits = {"Cu-Cu": 2.0, "Au-Cu": 2.3, "Au-Au": 2.6}
    smallest = {}
    for one in made(
        alloy, structures=20, cell=cell, min_distances=limits, volume_per_atom=18, atoms=8
    ):
        for pair, distances in distances_by_pair(one).items():
            smallest[pair] = min(smallest.get(pair, np.inf), distances.min())
    for pair, found in smallest.items():
        limit = limits["-".join(pair)]
        assert limit <= found < 1.2 * limit


def test_the_composition_is_kept_and_every_multiple_occurs(alloy):
    counts = [one.symbols.formula.count() for one in made(alloy, structures=20, atoms=[5, 17])]
    assert {count["Au"] for count in counts} == {2, 3, 4}
    assert all(count["Cu"] == 3 * count["Au"] for count in counts)


def test_mixing_draws_each_atom_with_the_shares_of_the_formula(alloy):
    found = np.concatenate(
        [one.numbers for one in made(alloy, mixing=True, atoms=[6, 9], structures=60)]
    )
    share = (found == 79).mean()
    assert share == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / len(found)))


@pytest.mark.parametrize("criterion", SPHERE_RATIOS)
@pytest.mark.parametrize("cell", ["triclinic", "cubic"])
def test_cells_are_as_wide_as_the_range_of_the_interaction_asks(alloy, criterion, cell):
    width = cell_size(criterion, 2.5).width
    sized = {"cell_size_criterion": criterion, "interaction_range": 2.5}
    for one in made(alloy, structures=2, cell=cell, **sized):
        assert smallest_width(one.cell.array) >= width - 1e-9
        unit = one.get_volume() * 4 / len(one)
        n_smaller = len(one) - 4
        assert n_smaller * unit / 4 <= one.get_volume() * (width / smallest_width(one.cell)) ** 3


def test_even_dense_metals_find_room(alloy):
    [one] = made(alloy, structures=1, volume_factor=[0.75, 0.75], atoms=32, tries=10)
    smallest = min(distances.min() for distances in distances_by_pair(one).values())
    assert smallest >= 0.8 * 2 * 1.32 - 1e-9  # both radii are 1.32 and 1.36 A


def test_random_cells_are_not_flat(rng):
    for _ in range(200):
        cell = random_shape("triclinic", np.eye(3), rng)
        assert np.linalg.det(cell) == pytest.approx(1)
        directions = cell / np.linalg.norm(cell, axis=1, keepdims=True)
        assert np.linalg.det(directions) >= 0.4


def test_the_shape_of_the_start_is_kept_where_that_is_asked_for(alloy):
    alloy.set_cell(alloy.cell.array @ np.diag([1, 1.2, 1.5]), scale_atoms=True)
    for one in made(alloy, structures=3, cell="start"):
        ratio = one.cell.array / np.linalg.det(one.cell) ** (1 / 3)
        expected = alloy.cell.array / np.linalg.det(alloy.cell) ** (1 / 3)
        np.testing.assert_allclose(ratio, expected, atol=1e-12)


def test_the_shortest_lattice_vector_counts_as_a_distance(alloy):
    settings = {"atoms": 4, "volume_per_atom": 12, "min_distances": {"Cu-Cu": 2.4}}
    for one in made(alloy, structures=20, min_distance_factor=0.5, **settings):
        reduced, _ = minkowski_reduce(one.cell)
        assert np.linalg.norm(reduced, axis=1).min() >= 2.4


def test_what_has_no_room_is_given_up_in_words(alloy, rng):
    sampler = make_sampler(
        "random_structures", {"volume_per_atom": 5, "tries": 3, "structures": 7, "atoms": 8}
    )
    [chain] = run_sampler(sampler, [alloy], EMT(), rng=rng).chains
    assert not chain.completed
    assert "None of 7 structures could be made: 7 x no room for" in chain.reason
    assert "of 5 A^3 per atom (raise the volume, or lower min_distance_factor" in chain.reason


def test_a_start_without_volume_needs_one_in_the_settings(rng):
    cluster = Atoms("Cu2", positions=[(0, 0, 0), (0, 0, 2.3)])
    with pytest.raises(GeometryError, match=r"no volume to go by; give volume_per_atom"):
        run_sampler(make_sampler("random_structures", {}), [cluster], EMT(), rng=rng)
    [one] = made(cluster, structures=1, volume_per_atom=15, atoms=6)
    assert one.pbc.all()


def test_a_range_without_a_multiple_of_the_formula_is_refused(alloy, rng):
    sampler = make_sampler("random_structures", {"atoms": [5, 7]})
    with pytest.raises(GeometryError, match="from 5 to 7 is a multiple of the 4 atoms of AuCu3"):
        run_sampler(sampler, [alloy], EMT(), rng=rng)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"structures": 0}, "'structures' is 0"),
        ({"atoms": [8, 4]}, "the smaller end of a range first"),
        ({"formula": "Xy2"}, "'formula' is 'Xy2'; write chemical symbols"),
        ({"volume_per_atom": 10, "density_g_cm3": 5}, "left out where volume_per_atom is given"),
        ({"min_distances": {"Cu": 2.0}}, "has the pair 'Cu'; write two chemical symbols"),
        ({"min_distances": {"Cu-Au": "far"}}, "it must be a mapping of names to a number"),
        ({"cell_size_criterion": "cell_equals_soi"}, "a positive number with cell_size_criterion"),
        ({"interaction_range": 5}, "left out without it"),
        ({"cell": "round"}, "one of triclinic, orthorhombic, cubic, start"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings, message):
    with pytest.raises(SettingError) as raised:
        make_sampler("random_structures", settings)
    assert message in str(raised.value)


@pytest.mark.parametrize("kind", ["random_structures", "random_crystals"])
def test_no_search_is_made_for_room_that_no_packing_has(kind, rng, monkeypatch):
    def place(*_, **__):
        raise AssertionError("closest packing has no room either")

    monkeypatch.setattr(Placement, "__init__", place)
    settings = {"formula": "Cu", "atoms": 500, "volume_per_atom": 4.0, "structures": 1}
    [chain] = run_sampler(make_sampler(kind, settings), [bulk("Cu")], EMT(), rng=rng).chains
    assert "no room for Cu500" in chain.reason


def test_closest_packing_leaves_room_and_nothing_denser_does():
    limits, numbers = PairLimits(1.0, {(29, 29): 2.0}), np.full(4, 29)
    fcc = 4 * 2.0**3 / np.sqrt(2)
    assert limits.leave_room(numbers, 1.0001 * fcc)
    assert not limits.leave_room(numbers, 0.9999 * fcc)
    assert limits.keeps(bulk("Cu", a=1.0001 * 2.0 * np.sqrt(2), cubic=True))
