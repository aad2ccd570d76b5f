# SPDX-License-Identifier: MIT
"""The driver grades, records and stops, and says why."""

import math
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from aiida_alpot.errors import EmptyDataError, GeometryError, SettingError
from aiida_alpot.sampling import (
    Ending,
    Frame,
    RecordRules,
    StopRules,
    make_sampler,
    run_sampler,
)
from aiida_alpot.sampling.collisions import CollisionWatch

EVERY_FRAME = {"every": 1, "growth": 1.0, "max_frames": 10_000}


def dynamics(**settings):
    return make_sampler(
        "molecular_dynamics", {"temperature_K": 900, "steps": 60, "thermostat": "bussi"} | settings
    )


class Scripted:
    """A sampler that yields one atom at given positions: what the driver sees is known."""

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = False
    settings = None

    def __init__(self, steps):
        self.steps = steps

    def check(self, starts):
        pass

    def frames(self, starts, calculator, rng):
        for chain, start in enumerate(starts):
            atoms = start.copy()
            atoms.calc = calculator
            for step in range(self.steps):
                atoms.positions[0, 0] = step
                atoms.get_forces()
                ending = Ending("finished", "done") if step == self.steps - 1 else None
                yield Frame(atoms, chain, step, ending)


class GradeByStep(Calculator):
    """The grade (or energy) of step n, which is the x coordinate of the only atom."""

    implemented_properties = ("energy", "forces", "grade")

    def __init__(self, grades=None, energies=None):
        super().__init__()
        self.grades, self.energies = grades, energies

    def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
        super().calculate(atoms, properties, system_changes)
        step = round(atoms.positions[0, 0])
        self.results = {"energy": 0.0, "forces": np.zeros((1, 3))}
        if self.grades is not None:
            self.results["grade"] = self.grades[step]
        if self.energies is not None:
            self.results["energy"] = self.energies[step]


def run_script(grades=None, energies=None, steps=None, stop=None, record=None):
    steps = steps or len(grades if grades is not None else energies)
    return run_sampler(
        Scripted(steps),
        [Atoms("Cu", positions=[(0, 0, 0)])],
        GradeByStep(grades, energies),
        rng=np.random.default_rng(0),
        stop_rules=StopRules(**(stop or {})),
        record_rules=RecordRules(**(record or {})),
    )


def test_recorded_frames_are_those_with_a_grade_above_gamma_select(copper, graded, rng):
    sampler = dynamics()
    seen = [
        (frame.step, frame.atoms.calc.results["grade"])
        for frame in sampler.frames([copper], graded, rng.spawn(1)[0])
    ]
    above = [(step, grade) for step, grade in seen if grade > 2.5]
    assert 5 < len(above) < 55
    result = run_sampler(
        sampler,
        [copper],
        graded,
        rng=np.random.default_rng(0),
        stop_rules=StopRules(gamma_break=100.0),
        record_rules=RecordRules(gamma_select=2.5, **EVERY_FRAME),
    )
    assert [(int(s), float(g)) for s, g in zip(result.frames.step, result.frames.grade)] == above  # noqa: B905
    [chain] = result.chains
    assert (chain.frames, chain.graded, chain.kept) == (61, 61, len(above))
    assert chain.largest_grade == max(grade for _, grade in seen)
    assert (chain.stop, chain.completed, chain.reason) == ("finished", True, "all 60 steps done")


def test_recorded_frames_know_where_they_came_from_and_carry_no_label(copper, graded, rng):
    result = run_sampler(
        dynamics(),
        [copper],
        graded,
        rng=rng,
        record_rules=RecordRules(gamma_select=2.0),
        name="hot",
        turn=3,
    )
    frames = result.frames
    origin = frames.origin(0)
    assert (origin.turn, origin.sampler, origin.chain) == (3, "hot", "copper")
    assert frames.identifier[0] == f"turn_003/hot/copper/{origin.step:06d}"
    assert origin.grade > 2.0
    assert not frames.labelled.any()
    assert graded.grade_of(frames.atoms(0)) == pytest.approx(origin.grade)


def test_the_frame_that_breaks_a_chain_is_recorded_and_the_last(copper, graded, rng):
    result = run_sampler(
        dynamics(),
        [copper],
        graded,
        rng=rng,
        stop_rules=StopRules(gamma_break=3.0),
        record_rules=RecordRules(gamma_select=2.0, every=1000, growth=1000.0),
    )
    [chain] = result.chains
    assert (chain.stop, chain.completed) == ("gamma_break", False)
    assert 0 < chain.steps < 60
    assert result.frames.step[-1] == chain.steps
    assert result.frames.grade[-1] == chain.largest_grade > 3.0
    assert chain.reason == (
        f"grade {chain.largest_grade:.4g} > gamma_break 3 at step {chain.steps}"
    )


def test_a_start_above_gamma_break_stops_at_once_and_is_recorded(copper, graded, rng):
    copper.positions[0] += 0.5
    result = run_sampler(
        dynamics(), [copper], graded, rng=rng, stop_rules=StopRules(gamma_break=3.0)
    )
    [chain] = result.chains
    assert (chain.stop, chain.steps, chain.frames, chain.kept) == ("gamma_break", 0, 1, 1)
    np.testing.assert_array_equal(result.frames.positions, copper.positions)


def test_a_chain_that_breaks_does_not_stop_the_others(copper, graded, rng):
    broken, good = copper.copy(), copper.copy()
    broken.positions[0] += 0.5
    broken.info["identifier"], good.info["identifier"] = "broken", "good"
    result = run_sampler(
        dynamics(steps=5), [broken, good], graded, rng=rng, stop_rules=StopRules(gamma_break=4.0)
    )
    assert [(chain.chain, chain.stop) for chain in result.chains] == [
        ("broken", "gamma_break"),
        ("good", "finished"),
    ]


def test_an_excursion_is_thinned_by_steps_and_by_growth_of_the_grade():
    grades = [1, 3, 3, 3, 3, 5, 5, 1, 2.5, 2.5, 2.5]
    result = run_script(grades, record={"gamma_select": 2.0, "every": 4, "growth": 1.5})
    # 1: begins; 5: four steps later and grown; 8: a new excursion
    assert result.frames.step.tolist() == [1, 5, 8]


def test_of_a_window_of_an_excursion_the_highest_grade_is_kept():
    grades = [1.86, 1.9, 2.75, 2.6, 1.2, 1.3, 1.25, 1.0, 1.3, 1.2]
    result = run_script(grades, record={"gamma_select": 1.1, "every": 4, "growth": 1.5})
    # 2 takes the place of 0; 5 that of 4, which began the next window; 8 a new excursion
    assert result.frames.step.tolist() == [2, 5, 8]


def test_the_largest_grade_of_a_chain_is_always_kept(rng):
    for max_frames in (1, 3, 50):
        for _ in range(50):
            grades = 1.0 + rng.gamma(1.0, 0.7, size=40)
            record = {"gamma_select": 1.1, "every": 10, "max_frames": max_frames}
            result = run_script(grades, record=record)
            assert result.frames.grade.max() == result.chains[0].largest_grade == grades.max()
            assert len(result.frames) <= max_frames


def test_of_too_many_frames_the_highest_grades_stay():
    grades = [3, 9, 4, 8, 5, 7, 6]
    result = run_script(grades, record={"every": 1, "max_frames": 3})
    assert result.frames.grade.tolist() == [9, 8, 7]
    assert result.chains[0].kept == 3


def test_without_grades_frames_are_recorded_at_equal_intervals(copper, rng):
    result = run_sampler(
        dynamics(steps=25), [copper], EMT(), rng=rng, record_rules=RecordRules(every=10)
    )
    assert result.frames.step.tolist() == [0, 10, 20]
    assert np.isnan(result.frames.grade).all()
    [chain] = result.chains
    assert chain.graded == 0
    assert math.isnan(chain.largest_grade)


def test_without_grades_too_many_frames_are_spread_over_the_whole_chain():
    result = run_script(energies=[0.0] * 100, record={"every": 1, "max_frames": 10})
    steps = result.frames.step.tolist()
    assert len(steps) <= 10
    assert {after - before for before, after in pairwise(steps)} == {16}
    assert steps[-1] > 80


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_not_finite_stops_the_chain_unrecorded(bad):
    result = run_script(energies=[0.0, 0.0, bad, 0.0], record={"every": 1})
    [chain] = result.chains
    assert (chain.stop, chain.steps, chain.completed) == ("not_finite", 2, False)
    assert chain.reason == "energy is not finite at step 2"
    assert result.frames.step.tolist() == [0, 1]


def test_a_runaway_energy_stops_the_chain():
    [chain] = run_script(energies=[1.0, 2.0, -5.0], stop={"max_energy_change": 3.0}).chains
    assert chain.stop == "energy"
    assert chain.reason == (
        "the energy changed by -6 eV/atom from the start, more than 3, at step 2"
    )


def test_a_runaway_temperature_stops_the_chain(copper, rng):
    rules = StopRules(max_temperature_K=1000.0, max_energy_change=None)
    [chain] = run_sampler(
        dynamics(temperature_K=[500, 5000], steps=300), [copper], EMT(), rng=rng, stop_rules=rules
    ).chains
    assert chain.stop == "temperature"
    assert chain.final_temperature > 1000
    assert f"> 1000 K at step {chain.steps}" in chain.reason


def test_colliding_atoms_stop_the_chain_unrecorded(rng):
    atoms = Atoms("Ar2", positions=[(0, 0, 0), (3.3, 0, 0)])
    attraction = LennardJones(sigma=0.5, epsilon=5e4, rc=20.0)
    sampler = make_sampler("relaxation", {"steps": 100, "max_step": 0.3, "optimizer": "FIRE"})
    result = run_sampler(
        sampler,
        [atoms],
        attraction,
        rng=rng,
        stop_rules=StopRules(max_energy_change=None, collision_distance=2.0),
        record_rules=RecordRules(every=1),
    )
    [chain] = result.chains
    assert (chain.stop, chain.completed) == ("collision", False)
    assert "atoms 0 (Ar) and 1 (Ar) are 1." in chain.reason
    assert f"nearer than 2 A, at step {chain.steps}" in chain.reason
    assert result.frames.step.tolist() == list(range(chain.steps))


def test_a_budget_stops_the_chain(copper, rng):
    [chain] = run_sampler(
        dynamics(), [copper], EMT(), rng=rng, stop_rules=StopRules(max_steps=7)
    ).chains
    assert (chain.stop, chain.steps) == ("budget", 7)
    assert chain.reason == "the budget of 7 steps is used up"


def test_a_calculator_that_fails_stops_its_chain_with_the_message(copper, rng):
    class FailsOnceHot(EMT):
        def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
            super().calculate(atoms, properties, system_changes)
            if np.abs(self.results["forces"]).max() > 0.5:
                raise CalculationFailed("no convergence\nafter 60 cycles")

    [chain] = run_sampler(dynamics(), [copper], FailsOnceHot(), rng=rng).chains
    assert (chain.stop, chain.completed) == ("calculator", False)
    assert 0 < chain.steps < 60
    assert chain.reason == (
        f"no result at step {chain.steps + 1}: CalculationFailed: no convergence after 60 cycles"
    )


def test_a_fault_of_the_program_is_not_taken_for_a_stop(copper, rng):
    class Faulty(EMT):
        def calculate(self, atoms=None, properties=("energy",), system_changes=("positions",)):
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_sampler(dynamics(), [copper], Faulty(), rng=rng)


def test_chains_that_depend_on_one_another_are_run_together(rng):
    class Together(Scripted):
        joint: ClassVar[bool] = True

        def frames(self, starts, calculator, rng):
            assert len(starts) == 2
            parts = [Scripted.frames(self, [start], calculator, rng) for start in starts]
            for pair in zip(*parts, strict=True):
                for chain, frame in enumerate(pair):
                    yield frame._replace(chain=chain)

    starts = [Atoms("Cu", positions=[(0, y, 0)]) for y in (0, 1)]
    result = run_sampler(
        Together(4), starts, GradeByStep([0.5, 0.5, 12.0, 0.5]), rng=rng, name="band"
    )
    assert [(c.stop, c.steps, c.kept) for c in result.chains] == [("gamma_break", 2, 1)] * 2
    assert result.frames.chain.tolist() == ["0", "1"]


def test_frames_that_are_independent_end_no_chain_and_are_judged_alone(rng):
    class Independent(Scripted):
        independent: ClassVar[bool] = True

    grades = [0.5, 12.0, 0.5, math.inf, 3.0, 3.0, 0.5]
    energies = [0.0, 0.0, 0.0, math.nan, 99.0, 0.0, 0.0]
    seen = []
    result = run_sampler(
        Independent(7),
        [Atoms("Cu", positions=[(0, 0, 0)])],
        GradeByStep(grades, energies),
        rng=rng,
        record_rules=RecordRules(every=10),
        observe=lambda one: seen.append(one.step),
    )
    [chain] = result.chains
    assert (chain.stop, chain.steps, chain.discarded) == ("finished", 6, 1)
    assert result.frames.step.tolist() == [1, 4, 5]
    assert seen == [0, 1, 2, 4, 5, 6]


def test_a_structure_of_other_atoms_is_searched_for_collisions_anew():
    watch = CollisionWatch()
    assert watch.find(Atoms("H2", positions=[(0, 0, 0), (0, 0, 0.8)])) is None
    found = watch.find(Atoms("Au2", positions=[(0, 0, 0), (0, 0, 0.8)]))
    assert found is not None
    assert watch.find(Atoms("H3", positions=[(0, 0, 0), (0, 0, 0.8), (0, 0, 0.9)])) is not None


def test_no_start_is_refused(rng):
    with pytest.raises(EmptyDataError):
        run_sampler(dynamics(), [], EMT(), rng=rng)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda atoms: atoms.positions.__setitem__((0, 0), math.nan), "not finite"),
        (lambda atoms: atoms.positions.__setitem__(0, atoms.positions[1] + 0.1), "overlap"),
        (lambda atoms: atoms.set_cell([0, 0, 0]), "no volume"),
    ],
    ids=["NaN", "overlap", "zero volume"],
)
def test_a_start_that_is_no_structure_is_refused_by_name(copper, rng, change, message):
    change(copper)
    with pytest.raises(GeometryError, match=rf"copper.*{message}"):
        run_sampler(dynamics(), [copper], EMT(), rng=rng)


def test_two_starts_of_one_name_are_refused(copper, rng):
    with pytest.raises(SettingError, match="Two starts have the identifier 'copper'"):
        run_sampler(dynamics(), [copper, copper], EMT(), rng=rng)


def test_thresholds_out_of_order_are_refused(copper, rng):
    with pytest.raises(SettingError, match=r"gamma_break \(1\.5\) is below gamma_select \(2\)"):
        run_sampler(dynamics(), [copper], EMT(), rng=rng, stop_rules=StopRules(gamma_break=1.5))
