# SPDX-License-Identifier: MIT
"""Exchanges of atoms visit arrangements as often as Boltzmann says, and keep the composition."""

from collections import Counter
from itertools import combinations
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.testing.samplers import SamplerContract

BOND = 0.03  # eV, of two like neighbours


class Ring(Calculator):
    """Atoms on a ring: like neighbours cost energy."""

    implemented_properties: ClassVar = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        numbers = atoms.numbers
        like = int((numbers == np.roll(numbers, 1)).sum())
        self.results = {"energy": BOND * like, "forces": np.zeros((len(atoms), 3))}


class TestLatticeMonteCarlo(SamplerContract):
    settings: ClassVar[dict] = {}

    def make_sampler(self):
        given = {"temperature_K": 800, "exchanges": 3, "relax_steps": 2}
        return make_sampler("lattice_monte_carlo", {**given, **self.settings})

    def make_starts(self):
        starts = super().make_starts()
        for start in starts:
            start.symbols[::3] = "Au"
        return starts


class TestOnTheLattice(TestLatticeMonteCarlo):
    settings: ClassVar = {"relax_steps": 0, "temperature_K": [2000, 300]}


class TestWithTheCell(TestLatticeMonteCarlo):
    settings: ClassVar = {"cell": "isotropic", "pressure_GPa": 5.0}


def ring():
    angles = 2 * np.pi * np.arange(6) / 6
    positions = 3 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    return Atoms("Cu3Au3", positions=positions)


def test_arrangements_are_visited_as_often_as_boltzmann_says():
    """All 20 arrangements of 3 + 3 atoms on a ring, by their number of like neighbours."""
    sampler = make_sampler(
        "lattice_monte_carlo", {"temperature_K": 300, "exchanges": 2500, "relax_steps": 0}
    )
    visited, current = Counter(), None
    for frame in sampler.frames([ring()], Ring(), np.random.default_rng(0)):
        if frame.atoms.info["accepted"]:
            current = round(frame.atoms.calc.results["energy"] / BOND)
        visited[current] += 1
    weights = Counter()
    for gold in combinations(range(6), 3):
        numbers = np.isin(np.arange(6), gold)
        like = int((numbers == np.roll(numbers, 1)).sum())
        weights[like] += np.exp(-BOND * like / (units.kB * 300))
    for like, weight in weights.items():
        expected = weight / sum(weights.values())
        assert visited[like] / sum(visited.values()) == pytest.approx(expected, abs=0.045)


def test_composition_and_atoms_are_conserved():
    start = TestLatticeMonteCarlo().make_starts()[0]
    sampler = make_sampler(
        "lattice_monte_carlo", {"temperature_K": 5000, "exchanges": 30, "relax_steps": 0}
    )
    arrangements = set()
    for frame in sampler.frames([start], EMT(), np.random.default_rng(0)):
        assert sorted(frame.atoms.numbers) == sorted(start.numbers)
        np.testing.assert_array_equal(frame.atoms.positions, start.positions)
        arrangements.add(frame.atoms.numbers.tobytes())
    assert len(arrangements) > 20


def short_range_order(atoms):
    """Return the Warren-Cowley parameter of nearest neighbours of gold in copper."""
    first, second = neighbor_list("ij", atoms, 3.1)
    around = atoms.numbers[second][atoms.numbers[first] == 79]
    return 1 - (around == 29).mean() / (atoms.numbers == 29).mean()


def test_copper_gold_orders_when_cold_and_not_when_hot(rng):
    """Cu3Au: at order every neighbour of gold is copper, so that the parameter is -1/3."""
    start = bulk("Cu", a=3.75, cubic=True) * (2, 2, 1)
    start.symbols[rng.permutation(16)[:4]] = "Au"
    orders = {}
    for temperature in (100.0, 1e6):
        sampler = make_sampler(
            "lattice_monte_carlo",
            {"temperature_K": temperature, "exchanges": 150, "relax_steps": 0},
        )
        found, current = [], start
        for frame in sampler.frames([start], EMT(), np.random.default_rng(1)):
            current = frame.atoms.copy() if frame.atoms.info["accepted"] else current
            found.append(short_range_order(current))
        orders[temperature] = np.mean(found[75:])
    assert orders[100.0] < -0.28
    assert abs(orders[1e6]) < 0.15


def test_relaxed_energies_are_compared_where_there_is_relaxation(rng):
    """The energy of what was accepted never rises at almost zero temperature."""
    start = TestLatticeMonteCarlo().make_starts()[0]
    sampler = make_sampler(
        "lattice_monte_carlo", {"temperature_K": 1e-3, "exchanges": 6, "relax_steps": 30}
    )
    energies = [
        frame.atoms.calc.results["energy"]
        for frame in sampler.frames([start], EMT(), rng)
        if frame.atoms.info.get("accepted")
    ]
    assert len(energies) >= 2
    assert (np.diff(energies) <= 0).all()


def test_only_atoms_of_the_named_species_are_exchanged(rng):
    start = TestLatticeMonteCarlo().make_starts()[0]
    start.symbols[1] = "Pd"
    sampler = make_sampler(
        "lattice_monte_carlo",
        {"temperature_K": 1e5, "exchanges": 20, "relax_steps": 0, "species": ["Cu", "Au"]},
    )
    for frame in sampler.frames([start], EMT(), rng):
        assert frame.atoms.symbols[1] == "Pd"


def test_the_ending_counts_what_was_accepted(rng):
    sampler = make_sampler(
        "lattice_monte_carlo", {"temperature_K": 1e9, "exchanges": 8, "relax_steps": 0}
    )
    [chain] = run_sampler(sampler, [ring()], Ring(), rng=rng).chains
    assert (chain.stop, chain.reason) == ("finished", "8 exchanges tried, 8 accepted (100%)")


def test_an_element_has_nothing_to_exchange(rng):
    sampler = make_sampler("lattice_monte_carlo", {"temperature_K": 300})
    with pytest.raises(GeometryError, match="no two species to exchange; give an alloy"):
        run_sampler(sampler, [bulk("Cu", cubic=True)], EMT(), rng=rng)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature_K": 0}, "above 0 K"),
        ({"temperature_K": 300, "exchanges": 0}, "'exchanges' is 0"),
        ({"temperature_K": 300, "relax_steps": 0, "cell": "flexible"}, "a cell that relaxes"),
        ({"temperature_K": 300, "pressure_GPa": 3}, "choose cell isotropic or flexible"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings, message):
    with pytest.raises(SettingError) as raised:
        make_sampler("lattice_monte_carlo", settings)
    assert message in str(raised.value)
