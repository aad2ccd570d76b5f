# SPDX-License-Identifier: MIT
"""The evolutionary search finds what is known, and is told when a child leads nowhere."""

from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.neighborlist import neighbor_list

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import RecordRules, StopRules, make_sampler, run_sampler
from aiida_alpot.sampling.stopping import Stop
from aiida_alpot.testing.samplers import SamplerContract


class TestSearchForCrystals(SamplerContract):
    settings: ClassVar[dict] = {}

    def make_sampler(self):
        given = {"relaxations": 5, "population": 2, "best": 1, "relax_steps": 3}
        return make_sampler("evolution", {**given, **self.settings})

    def make_starts(self):
        starts = [atoms[[0, 1, 2, 3]] for atoms in super().make_starts()]
        for start in starts:
            start.symbols[0] = "Au"
        return starts


class TestSearchForClusters(TestSearchForCrystals):
    def make_starts(self):
        starts = super().make_starts()
        for start in starts:
            start.pbc = False
        return starts


class TestSearchUnderPressure(TestSearchForCrystals):
    settings: ClassVar = {"pressure_GPa": 5.0, "first_generation": "structures", "random": 0.5}


def relaxed(start, calculator, seed=0, **settings):
    """Return the last frame of each child as (energy, structure, how it was made)."""
    sampler = make_sampler("evolution", settings)
    sampler.check([start])
    last = {}
    for frame in sampler.frames([start], calculator, np.random.default_rng(seed)):
        info = frame.atoms.info
        energy = frame.atoms.calc.results["energy"]
        last[info["child"]] = (energy, frame.atoms.copy(), info["made_by"])
    return last


def coordination(atoms):
    """Return the number of neighbours of each atom within 1.2 times the shortest distance."""
    shortest = neighbor_list("d", atoms, 4.0).min()
    return np.bincount(neighbor_list("i", atoms, 1.2 * shortest), minlength=len(atoms))


def test_the_icosahedron_of_thirteen_atoms_is_found():
    """Cambridge Cluster Database: -44.326801 epsilon."""
    positions = np.random.default_rng(0).permutation(27)[:13]
    start = Atoms("Ar13", positions=1.1 * np.stack(np.unravel_index(positions, (3, 3, 3)), axis=1))
    last = relaxed(
        start,
        LennardJones(sigma=1.0, epsilon=1.0, rc=50.0),
        relaxations=45,
        population=10,
        relax_steps=150,
        fmax=0.01,
        volume_per_atom=1.5,
        min_distances={"Ar-Ar": 0.8},
    )
    assert min(energy for energy, _, _ in last.values()) == pytest.approx(-44.326801, abs=2e-4)


def test_ordered_cu3au_is_found():
    """L1_2: gold has twelve neighbours, all of them copper."""
    start = bulk("Cu", "sc", a=2.6) * (2, 2, 1)
    start.symbols[0] = "Au"
    last = relaxed(start, EMT(), seed=1, relaxations=40, population=8, relax_steps=60)
    _, best, made_by = min(last.values(), key=lambda one: one[0])
    assert made_by != "start"
    assert coordination(best).tolist() == [12] * 4
    first, second, distances = neighbor_list("ijd", best, 3.2)
    of_gold = (best.numbers[first] == 79) & (distances < 3.0)
    assert (best.numbers[second][of_gold] == 29).all()


def test_members_and_children_have_several_origins():
    start = bulk("Cu", "sc", a=2.6) * (2, 2, 1)
    last = relaxed(start, EMT(), relaxations=16, population=4, relax_steps=2, random=0.0)
    ways = [made_by for _, _, made_by in last.values()]
    assert ways[0] == "start"
    assert ways[1:4] == ["random"] * 3
    assert {"crossover", "mutation"} <= set(ways[4:]) <= {"crossover", "mutation"}


class Grading(EMT):
    """EMT whose grade is high where the volume is large."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        super().calculate(atoms, properties, system_changes)
        self.results["grade"] = 100.0 if atoms.get_volume() / len(atoms) > 14.0 else 0.0


def test_a_child_that_extrapolates_is_kept_and_given_up_and_the_search_goes_on(rng):
    start = bulk("Cu", cubic=True)
    sampler = make_sampler(
        "evolution", {"relaxations": 8, "population": 3, "best": 1, "relax_steps": 4}
    )
    seen = []
    result = run_sampler(
        sampler,
        [start],
        Grading(),
        rng=rng,
        stop_rules=StopRules(gamma_break=10.0),
        record_rules=RecordRules(gamma_select=2.0, every=1),
        observe=lambda frame: seen.append((frame.atoms.info["child"], frame.grade)),
    )
    [chain] = result.chains
    assert chain.completed
    children = [child for child, _ in seen]
    assert children == sorted(children)
    assert set(children) == set(range(8))
    beyond = [child for child, grade in seen if grade > 10]
    assert beyond
    # one frame of each child that was given up, which is kept
    assert len(beyond) == len(set(beyond)) == len(result.frames)
    for child in beyond:
        assert [grade for one, grade in seen if one == child][-1] > 10


def test_the_ending_says_how_the_search_went(rng):
    sampler = make_sampler("evolution", {"relaxations": 4, "population": 2, "relax_steps": 2})
    [chain] = run_sampler(sampler, [bulk("Cu", cubic=True)], EMT(), rng=rng).chains
    assert chain.stop == "finished"
    assert "4 structures relaxed" in chain.reason
    assert "eV/atom, found as number" in chain.reason


def test_a_search_whose_last_child_is_given_up_says_how_it_went_all_the_same(rng):
    starts = [bulk("Cu", cubic=True), bulk("Cu", cubic=True) * 1]
    for index, start in enumerate(starts):
        start.info["identifier"] = str(index)
        start.set_cell(start.cell * 1.2, scale_atoms=True)  # beyond what is known, as all children
    settings = {"relaxations": 4, "population": 2, "relax_steps": 2, "volume_factor": [1.0, 1.1]}
    sampler = make_sampler("evolution", settings)
    for chain in run_sampler(sampler, starts, Grading(), rng=rng).chains:
        assert chain.stop == "finished"
        assert "4 structures relaxed, 4 given up" in chain.reason
        assert "none of them reached a minimum" in chain.reason


def test_starts_that_do_not_belong_together_are_refused(rng):
    sampler = make_sampler("evolution", {"relaxations": 3, "population": 2})
    copper, gold = bulk("Cu", cubic=True), bulk("Au", cubic=True)
    with pytest.raises(GeometryError, match="has another composition than the first"):
        run_sampler(sampler, [copper, gold], EMT(), rng=rng)
    with pytest.raises(GeometryError, match="is one atom; a search needs two or more"):
        run_sampler(sampler, [bulk("Cu")], EMT(), rng=rng)
    cluster = copper.copy()
    cluster.pbc = False
    pressed = make_sampler("evolution", {"relaxations": 3, "population": 2, "pressure_GPa": 1})
    with pytest.raises(GeometryError, match="clusters have no volume"):
        run_sampler(pressed, [cluster], EMT(), rng=rng)
    slab = copper.copy()
    slab.pbc = (True, True, False)
    with pytest.raises(GeometryError, match="periodic in some directions only"):
        run_sampler(sampler, [slab], EMT(), rng=rng)
    with pytest.raises(GeometryError, match="raise 'relaxations'"):
        run_sampler(sampler, [copper, gold, slab, copper], EMT(), rng=rng)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"population": 1}, "'population' is 1; it must be at least 2"),
        ({"relaxations": 16}, "'relaxations' is 16; it must be more than the population (16)"),
        ({"best": 40}, "from 0 to population"),
        ({"crossover": 1.5}, "a share from 0 to 1"),
        ({"volume_factor": [2, 1]}, "the smaller end of a range first"),
        ({"min_distances": {"Cu": 1}}, "two chemical symbols joined by"),
        ({"cell": "soft"}, "one of fixed, isotropic, flexible"),
    ],
)
def test_wrong_settings_are_refused_in_words(settings, message):
    with pytest.raises(SettingError) as raised:
        make_sampler("evolution", settings)
    assert message in str(raised.value)


def test_the_lowest_energy_is_not_that_of_a_child_that_was_given_up(rng):
    start = bulk("Cu", cubic=True)
    start.set_cell(start.cell * 1.2, scale_atoms=True)
    settings = {"relaxations": 3, "population": 2, "fmax": 1e3, "volume_factor": [1.0, 1.1]}
    sampler = make_sampler("evolution", settings)
    frames = sampler.frames([start], EMT(), rng)
    next(frames)
    beyond = Stop("gamma_break", "grade 20 > 10")
    assert [frames.send(beyond).atoms.info["child"] for _ in range(2)] == [1, 2]
    with pytest.raises(StopIteration) as over:
        frames.send(beyond)
    [ending] = over.value.value.values()
    assert "3 given up" in ending.reason
    assert "none of them reached a minimum" in ending.reason
