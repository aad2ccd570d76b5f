# SPDX-License-Identifier: MIT
"""Decorations of a lattice are all there are, none twice, with the volume of their species."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.selection.duplicates import find_alike
from aiida_alpot.selection.fingerprints import fingerprints
from aiida_alpot.testing.samplers import SamplerContract


class TestAllDecorations(SamplerContract):
    is_random = False

    def make_sampler(self):
        return make_sampler("decorations", {"species": ["Cu", "Au"], "sizes": [1, 3]})

    def make_starts(self):
        starts = []
        for lattice, a in (("fcc", 3.7), ("bcc", 3.0)):
            atoms = bulk("Cu", lattice, a=a, cubic=True)
            atoms.info["identifier"] = lattice
            starts.append(atoms)
        return starts


class TestSomeDecorations(TestAllDecorations):
    is_random = True

    def make_sampler(self):
        return make_sampler(
            "decorations", {"species": ["Cu", "Au"], "sizes": [1, 4], "structures": 5}
        )


def enumerated(start, **settings):
    return list(make_sampler("decorations", settings).enumerated(start))


@pytest.mark.parametrize(("lattice", "counts"), [("fcc", [2, 2, 6, 19]), ("bcc", [2, 2, 6, 19])])
def test_binary_decorations_are_as_many_as_hart_and_forcade_count(lattice, counts):
    """Table IV of Phys. Rev. B 77, 224115: 2, 3, 10 and 29 less the smaller cells."""
    start = bulk("Cu", lattice, a=3.6, cubic=True)
    made = enumerated(start, species=["Cu", "Au"], sizes=[1, 4])
    assert np.bincount([len(one) for one in made])[1:].tolist() == counts


def test_no_decoration_is_made_twice():
    made = enumerated(bulk("Cu", a=3.7), species=["Cu", "Au"], sizes=[2, 4])
    assert not any(
        found is not None
        for found in find_alike(fingerprints(Configurations.from_atoms(made)), 1e-4)
    )


def test_a_supercell_gives_what_its_primitive_cell_gives(copper):
    copper.symbols[::3] = "Au"
    made = enumerated(copper, species=["Cu", "Au"], sizes=[1, 3])
    assert len(made) == 10
    volumes = [one.get_volume() / len(one) for one in made]
    np.testing.assert_allclose(volumes, copper.get_volume() / 32)


def test_shares_lie_within_the_concentrations():
    made = enumerated(
        bulk("Cu"), species=["Cu", "Au"], sizes=[1, 4], concentrations={"Au": [0.2, 0.3]}
    )
    assert {(one.numbers == 79).mean() for one in made} == {0.25}
    assert len(made) == 7  # of 19 structures of four atoms, by exchange of the species 7, 5, 7


def test_other_sublattices_stay():
    salt = bulk("NiO", "rocksalt", a=4.2)
    for one in enumerated(salt, species=["Ni", "Co"], sizes=[1, 2]):
        assert (one.numbers == 8).sum() == len(one) / 2
        assert set(one.symbols) <= {"Ni", "Co", "O"}


def test_foreign_sites_can_be_chosen():
    salt = bulk("NaCl", "rocksalt", a=5.6)
    made = enumerated(salt, species=["Ni", "Co"], sites=["Na"], sizes=[1, 1])
    assert sorted(one.get_chemical_formula() for one in made) == ["ClCo", "ClNi"]


def test_volumes_follow_vegard():
    volumes = {"Cu": 11.8, "Au": 17.0}
    for one in enumerated(bulk("Cu"), species=["Cu", "Au"], sizes=[1, 3], volumes=volumes):
        expected = sum(volumes[symbol] for symbol in one.symbols)
        assert one.get_volume() == pytest.approx(expected)


def run(start, **settings):
    sampler = make_sampler("decorations", settings)
    return run_sampler(sampler, [start], EMT(), rng=np.random.default_rng(0)).chains[0]


def test_the_chain_counts_its_decorations():
    chain = run(bulk("Cu"), species=["Cu", "Au"], sizes=[1, 2])
    assert (chain.stop, chain.reason, chain.frames) == ("finished", "all 4 structures made", 5)


def test_concentrations_that_no_cell_has_are_said_so():
    chain = run(bulk("Cu"), species=["Cu", "Au"], sizes=[1, 2], concentrations={"Au": [0.1, 0.2]})
    assert not chain.completed
    assert "no decoration has the concentrations asked for" in chain.reason


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "lacks the key 'species'"),
        ({"species": ["Cu", "Cu"]}, "two or more different species"),
        ({"species": ["Cu", "X"]}, "'species' is 'X'"),
        ({"species": ["Cu"]}, "a list of two or more"),
        ({"species": ["Cu", "Au"], "sizes": [0, 2]}, "[fewest, most], from 1"),
        ({"species": ["Cu", "Au"], "concentrations": {"Au": [0.5, 0.1]}}, "within 0 and 1"),
        ({"species": ["Cu", "Au"], "concentrations": {"Au": 0.5}}, "mapping of names to a list"),
        ({"species": ["Cu", "Au"], "volumes": {"Cu": 0}}, "a positive number"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings, message):
    with pytest.raises(SettingError) as raised:
        make_sampler("decorations", settings)
    assert message in str(raised.value)


def test_starts_that_cannot_be_decorated_are_refused():
    with pytest.raises(SettingError, match="'volumes' lacks Au, Cu"):
        run(bulk("Cu"), species=["Cu", "Au"], volumes={})
    with pytest.raises(GeometryError, match="is no crystal"):
        run(Atoms("Cu"), species=["Cu", "Au"])
    with pytest.raises(GeometryError, match="has no atom of Pd; change 'sites'"):
        run(bulk("Cu"), species=["Cu", "Au"], sites=["Pd"])
    with pytest.raises(SettingError, match="'volumes' lacks Au"):
        run(bulk("Cu"), species=["Cu", "Au"], volumes={"Cu": 12})
