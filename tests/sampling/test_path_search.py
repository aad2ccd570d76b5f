# SPDX-License-Identifier: MIT
"""The saddle point between two minima, by a dimer and by a climbing image."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling import RecordRules, StopRules, make_sampler, run_sampler
from aiida_alpot.testing.samplers import SamplerContract


def vacancy_jump(element="Cu", edge=3.5898, *, rattle=0.0):
    """31 atoms before and after one of them jumped into a vacancy."""
    cell = bulk(element, a=edge, cubic=True) * (2, 2, 2)
    distances = cell.get_distances(0, range(len(cell)), mic=True)
    neighbour = int(np.flatnonzero(np.isclose(distances, distances[1:].min()))[0])
    start = cell.copy()
    del start[0]
    end = start.copy()
    end.positions[neighbour - 1] = cell.positions[0]
    for seed, atoms in enumerate((start, end)):
        atoms.info["identifier"] = ("start", "end")[seed]
        if rattle:
            atoms.rattle(rattle, seed=seed)
    return [start, end]


def search(starts, calculator=None, *, rules=None, **settings):
    return run_sampler(
        make_sampler("path_search", settings),
        starts,
        calculator or EMT(),
        rng=np.random.default_rng(0),
        stop_rules=rules,
        record_rules=RecordRules(every=1, max_frames=10_000),
    )


def barrier_of(chain):
    assert chain.stop == "converged", chain.reason
    words = chain.reason.split()
    return float(words[2]), float(words[8])


class TestContract(SamplerContract):
    is_random = False

    def make_starts(self):
        return vacancy_jump(rattle=0.02)

    def make_sampler(self):
        return make_sampler(
            "path_search",
            {"steps": 3, "images": 2, "band_steps": 2, "relax_steps": 4, "relax_fmax": 0.05},
        )


@pytest.fixture(scope="module")
def jumps():
    """The jump into a vacancy of Cu, by each method."""
    return {
        method: search(vacancy_jump(), method=method, fmax=0.01) for method in ("dimer", "band")
    }


def test_dimer_and_climbing_image_agree_about_the_barrier(jumps):
    barriers = [barrier_of(one.chains[0]) for one in jumps.values()]
    np.testing.assert_allclose(barriers, 0.7915, atol=0.005)
    assert abs(barriers[0][0] - barriers[1][0]) < 0.001
    assert "by dimer" in jumps["dimer"].chains[0].reason
    assert "by climbing image" in jumps["band"].chains[0].reason


def test_a_jump_is_as_high_back_as_it_is_forth(jumps):
    for result in jumps.values():
        forth, back = barrier_of(result.chains[0])
        assert forth == pytest.approx(back, abs=5e-4)


def test_the_last_frame_of_a_path_is_the_saddle_point(jumps):
    for result in jumps.values():
        of_start = result.frames.select(result.frames.chain == "start")
        saddle = list(of_start)[-1]
        saddle.calc = EMT()
        assert np.linalg.norm(saddle.get_forces(), axis=1).max() < 0.01


def test_a_dimer_that_fails_is_followed_by_a_band():
    chain = search(vacancy_jump(), steps=1, fmax=0.02).chains[0]
    assert barrier_of(chain) == pytest.approx((0.7917, 0.7917), abs=0.003)
    assert "by climbing image" in chain.reason
    assert "(the dimer found none: " in chain.reason
    assert "after 1 steps of the dimer" in chain.reason


def test_a_search_by_both_that_ends_nowhere_says_why_of_both():
    chain = search(vacancy_jump(), steps=1, band_steps=2, fmax=0.001).chains[0]
    assert chain.stop == "unconverged"
    assert "the band with its climbing image still has forces of" in chain.reason
    assert "after 1 steps of the dimer" in chain.reason


def test_ends_that_relax_to_one_minimum_have_no_path():
    start, _ = vacancy_jump()
    other = start.copy()
    other.rattle(0.02, seed=1)
    other.info["identifier"] = "end"
    chain = search([start, other]).chains[0]
    assert chain.stop == "unconverged"
    assert "both ends are one minimum" in chain.reason


class Counting(EMT):
    """EMT that grades by the distance of atom 0 from its place and counts its evaluations."""

    def __init__(self, place, scale):
        super().__init__()
        self.place, self.scale, self.calls = place, scale, 0

    def calculate(self, *arguments, **keywords):
        super().calculate(*arguments, **keywords)
        self.calls += 1
        away = np.linalg.norm(self.atoms.positions - self.place, axis=1).max()
        self.results["grade"] = float(away / self.scale)


def test_nothing_is_spent_on_a_pair_whose_start_has_left_what_is_known():
    starts = vacancy_jump()
    calculator = Counting(starts[0].positions, scale=0.1)
    rules = StopRules(gamma_break=11.0)
    result = search(starts, calculator, rules=rules, relax_ends=False, images=3)
    assert [chain.stop for chain in result.chains] == ["gamma_break", "gamma_break"]
    # the end, the start, and the images up to the one that is beyond
    assert calculator.calls <= 5


def test_pairs_of_one_job_do_not_change_one_another():
    cu = vacancy_jump()
    other = vacancy_jump("Al", 3.9943)
    for atoms, name in zip(other, ("start Al", "end Al"), strict=True):
        atoms.info["identifier"] = name
    both = search([*other, *cu], method="dimer")
    alone = search(cu, method="dimer")
    assert both.chains[2].reason == alone.chains[0].reason
    assert barrier_of(both.chains[0])[0] == pytest.approx(0.4055, abs=0.02)


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        (vacancy_jump()[:1], "of a path search is 1; they are pairs"),
        ([vacancy_jump()[0], vacancy_jump("Al")[1]], "Starts start and end are the ends of a path"),
    ],
)
def test_starts_that_are_no_ends_of_a_path_are_refused(starts, message):
    with pytest.raises(GeometryError, match=message):
        search(starts)


def test_ends_that_differ_by_their_place_alone_are_one_minimum():
    start = bulk("Cu", cubic=True)
    end = start.copy()
    end.positions += [0.5, 0.2, 0.1]
    for name, one in (("start", start), ("end", end)):
        one.info["identifier"] = name
    chain = search([start, end]).chains[0]
    assert (chain.stop, chain.completed) == ("unconverged", True)
    assert "both ends are one minimum" in chain.reason
