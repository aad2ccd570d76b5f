# SPDX-License-Identifier: MIT
"""Each operation does to a parent what its name says, and no more."""

from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.structures.cuts import cut_cluster, cut_slab
from aiida_alpot.sampling.structures.derived_structures import OPERATIONS
from aiida_alpot.testing.samplers import SamplerContract

NEAREST = 3.61 / np.sqrt(2)


class TestDerivedMetals(SamplerContract):
    settings: ClassVar[dict] = {}

    def make_sampler(self):
        return make_sampler("derived_structures", {"structures": 4, **self.settings})


class TestEveryOperationOfTheOxides(TestDerivedMetals):
    settings: ClassVar = {
        "protocol": "oxides",
        "probabilities": dict.fromkeys(OPERATIONS, 0.5),
        "species": ["Cu", "Au"],
        "interstitial_species": ["O"],
    }


@pytest.fixture
def alloy():
    """32 atoms of fcc, 8 of them gold."""
    atoms = bulk("Cu", a=3.61, cubic=True) * 2
    atoms.symbols[::4] = "Au"
    return atoms


def made(start, *operations, seed=0, structures=1, **settings):
    probabilities = {name: float(name in operations) for name in OPERATIONS}
    sampler = make_sampler(
        "derived_structures",
        {"structures": structures, "probabilities": probabilities, **settings},
    )
    rng = np.random.default_rng(seed)
    return [sampler.make(start, rng) for _ in range(structures)]


def test_without_operations_the_parent_comes_back(alloy):
    [one] = made(alloy)
    assert one == alloy


def test_displacements_are_gaussian_where_distances_allow_them(alloy):
    structures = made(
        alloy, "displacement", structures=40, displacement=0.2, min_distance_factor=0.0
    )
    moved = np.array([one.positions - alloy.positions for one in structures])
    assert moved.std() == pytest.approx(0.2, rel=0.03)
    assert (moved**4).mean() / moved.var() ** 2 == pytest.approx(3.0, abs=0.2)
    assert abs(moved.mean()) < 0.01


@pytest.mark.parametrize(("protocol", "deviation"), [("metals", 0.4), ("oxides", 0.3)])
def test_each_protocol_has_its_displacement(alloy, protocol, deviation):
    structures = made(
        alloy, "displacement", structures=20, protocol=protocol, min_distance_factor=0.0
    )
    moved = np.array([one.positions - alloy.positions for one in structures])
    assert moved.std() == pytest.approx(deviation, rel=0.05)


def test_displaced_atoms_keep_their_distances(alloy):
    for one in made(alloy, "displacement", structures=10):
        first, second, distances = neighbor_list("ijd", one, 3.0)
        radii = np.where(one.numbers == 79, 1.36, 1.32)
        assert (distances >= 0.7 * (radii[first] + radii[second]) - 1e-9).all()


def test_deletion_takes_each_atom_with_its_probability(alloy):
    left = [len(one) for one in made(alloy, "deletion", structures=200)]
    assert np.mean(left) == pytest.approx(32 * 0.95, abs=4 * np.sqrt(32 * 0.05 * 0.95 / 200))


def test_substitution_changes_its_share_and_leaves_foreign_species(alloy):
    alloy.symbols[5] = "O"
    changed = []
    for one in made(alloy, "substitution", structures=100, species=["Cu", "Au", "Ag"]):
        assert one.symbols[5] == "O"
        assert set(one.symbols) <= {"Cu", "Au", "Ag", "O"}
        changed.append((np.delete(one.numbers, 5) != np.delete(alloy.numbers, 5)).mean())
        np.testing.assert_array_equal(one.positions, alloy.positions)
    assert np.mean(changed) == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 3100))


def test_vacancies_are_as_many_as_asked_for(alloy):
    sites = {tuple(position) for position in alloy.positions}
    for one in made(alloy, "vacancies", structures=5, vacancies=3):
        assert len(one) == 29
        assert {tuple(position) for position in one.positions} < sites


def test_small_interstitials_leave_the_crystal_where_it_is(alloy):
    for one in made(alloy, "interstitials", structures=5, interstitial_species=["H"]):
        assert one.symbols[-1] == "H"
        np.testing.assert_array_equal(one.positions[:-1], alloy.positions)


def test_an_interstitial_of_the_metal_pushes_its_neighbours_away(alloy):
    for one in made(alloy, "interstitials", structures=5, min_distance_factor=0.75):
        assert len(one) == 33
        assert neighbor_list("d", one, 3.0).min() >= 0.75 * 2 * 1.32 - 1e-9
        assert np.abs(one.positions[:-1] - alloy.positions).max() > 0.05


@pytest.mark.parametrize("miller", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 1)])
def test_a_slab_is_as_thick_as_asked_for_with_the_bonds_of_the_crystal(miller, rng):
    crystal = bulk("Cu", a=3.61, cubic=True)
    slab = cut_slab(crystal, miller, thickness=8.0, vacuum=10.0, rng=rng)
    heights = slab.positions @ np.cross(slab.cell[0], slab.cell[1])
    heights /= np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    # layers of atoms lie within the thickness of the material, of which each end lacks a part
    assert 8.0 - 3.61 < np.ptp(heights) < 8.0 + 3.61
    assert slab.pbc.all()
    assert neighbor_list("d", slab, 3.0).min() == pytest.approx(NEAREST)
    counts = Counter(neighbor_list("i", slab, 3.0).tolist())
    assert max(counts.values()) == 12
    assert min(counts.values()) < 12
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    height = slab.get_volume() / area
    assert height - np.ptp(heights) == pytest.approx(10.0)
    assert len(slab) * 3.61**3 / 4 / area >= 8.0 - 1e-6


def test_where_a_slab_ends_is_drawn(rng):
    layered = Atoms("AuCu", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5)], cell=[3, 3, 3], pbc=True)
    ends = set()
    for _ in range(20):
        slab = cut_slab(layered, (0, 0, 1), thickness=6.0, vacuum=10.0, rng=rng)
        ends.add(slab.symbols[slab.positions[:, 2].argmax()])
    assert ends == {"Au", "Cu"}


def test_slabs_of_too_many_atoms_are_given_up_in_words(alloy):
    [why] = made(alloy, "surface", max_atoms=10, tries=3)
    assert "in 3 tries, last after surface" in why


def test_a_cluster_is_what_lies_nearest_to_a_point(rng):
    crystal = bulk("Cu", a=3.61)
    for _ in range(10):
        cluster = cut_cluster(crystal, 13, vacuum=5.0, rng=rng)
        assert len(cluster) == 13
        assert not cluster.pbc.any()
        assert neighbor_list("d", cluster, 3.0).min() == pytest.approx(NEAREST)
        # 13 atoms of this density fill a ball of 3.3 A; none is far outside
        centre = cluster.positions.mean(axis=0)
        assert np.linalg.norm(cluster.positions - centre, axis=1).max() < 4.5
        np.testing.assert_allclose(cluster.positions.min(axis=0), 5.0)


def test_clusters_have_numbers_of_atoms_from_their_range(alloy):
    sizes = {len(one) for one in made(alloy, "cluster", structures=40, cluster_atoms=[5, 8])}
    assert sizes == {5, 6, 7, 8}


def test_strains_follow_the_settings(alloy):
    for one in made(alloy, "volume_strain", structures=10, volume_strain=[0.1, 0.2]):
        assert 1.1 <= one.get_volume() / alloy.get_volume() <= 1.2
    [one] = made(alloy, "von_mises_strain")
    assert one.get_volume() == pytest.approx(alloy.get_volume())
    assert np.abs(one.cell.array - alloy.cell.array).max() > 0.01


def test_what_cannot_be_made_is_said_in_the_ending(rng, alloy):
    sampler = make_sampler(
        "derived_structures", {"structures": 3, "min_distance_factor": 1.2, "tries": 2}
    )
    [chain] = run_sampler(sampler, [alloy], EMT(), rng=rng).chains
    assert "None of 3 structures could be made: 3 x atoms too near" in chain.reason
    assert "lower the amplitudes, min_distance_factor or min_distances" in chain.reason


def test_nothing_is_cut_of_a_molecule(rng):
    molecule = Atoms("Cu2", positions=[(0, 0, 0), (0, 0, 2.3)])
    sampler = make_sampler("derived_structures", {"probabilities": {"cluster": 0.5}})
    with pytest.raises(GeometryError, match="no cluster can be cut of it"):
        run_sampler(sampler, [molecule], EMT(), rng=rng)
    harmless = make_sampler("derived_structures", {"structures": 2, "displacement": 0.05})
    [chain] = run_sampler(harmless, [molecule], EMT(), rng=rng).chains
    assert chain.frames == 3


def test_the_sentence_of_a_sampler_names_its_operations():
    sampler = make_sampler(
        "derived_structures", {"probabilities": {"surface": 0.1, "substitution": 0}}
    )
    assert str(sampler) == (
        "50 structures derived by surface, deletion, volume_strain, von_mises_strain, displacement"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probabilities": {"twist": 1}}, "a mapping of substitution, interstitials, surface"),
        ({"probabilities": {"surface": 2}}, "'probabilities.surface' is 2.0"),
        ({"species": ["Xx1"]}, "a list of chemical symbols"),
        ({"species": ["X"]}, "'species' is 'X'"),
        ({"species": []}, "null or a list of chemical symbols"),
        ({"vacancies": 3}, "left out where 'probabilities' has no vacancies"),
        ({"cluster_atoms": [5, 9]}, "{cluster: 0.2}"),
        ({"deletion": 1.5}, "a share from 0 to 1"),
        ({"volume_strain": [0.1, -0.1]}, "smaller first"),
        ({"miller": [[0, 0, 0]]}, "not all of them zero"),
        ({"cluster_atoms": [5, 2]}, "[fewest, most]"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings, message):
    with pytest.raises(SettingError) as raised:
        make_sampler("derived_structures", settings)
    assert message in str(raised.value)


def test_interstitials_need_a_cell_to_be_put_into(rng):
    molecule = Atoms("Cu2", positions=[[0, 0, 0], [2.5, 0, 0]])
    settings = {"probabilities": {"interstitials": 1}}
    with pytest.raises(GeometryError, match="no cell with a volume, in which interstitials"):
        run_sampler(make_sampler("derived_structures", settings), [molecule], EMT(), rng=rng)


def test_a_cluster_of_a_flat_cell_is_cut_of_a_block_no_longer_than_it_is_wide(rng, monkeypatch):
    repeated = []
    repeat = Atoms.repeat

    def remember(atoms, counts):
        repeated.append(counts)
        return repeat(atoms, counts)

    monkeypatch.setattr(Atoms, "repeat", remember)
    flat = Atoms("Cu", cell=[[25.0, 0, 0], [0, 25.0, 0], [0, 0, 2.5]], pbc=True)
    assert len(cut_cluster(flat, 30, vacuum=5.0, rng=rng)) == 30
    [(along, across, up)] = repeated
    assert along == across
    assert 25.0 * along == pytest.approx(2.5 * up, rel=0.5)
