# SPDX-License-Identifier: MIT
"""Starts that relax together relax as they would alone, each to its own end."""

import numpy as np
import pytest
from ase.calculators.emt import EMT

from aiida_alpot.errors import SettingError
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp import MTP
from aiida_alpot.sampling import RecordRules, StopRules, make_sampler, run_sampler
from aiida_alpot.testing.samplers import SamplerContract


@pytest.fixture(scope="module")
def starts(make_cells):
    cells = list(make_cells(6, seed=3))
    for index, atoms in enumerate(cells):
        atoms.calc = None
        atoms.info = {"identifier": f"start {index}"}
    return cells


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(3, seed=1)


class TestContract(SamplerContract):
    is_random = False

    @pytest.fixture(autouse=True)
    def _parts(self, potential, starts):
        self.potential, self.two = potential, starts[:2]

    def run(self, **rules):
        # the potential is one of random numbers, with energies to match
        return super().run(max_energy_change=None, **rules)

    def make_starts(self):
        return [atoms.copy() for atoms in self.two]

    def make_calculator(self):
        return MTP(self.potential)

    def make_sampler(self):
        return make_sampler("batched_relaxation", {"steps": 12, "fmax": 1e-5})


def run(starts, calculator, *, rules=None, **settings):
    return run_sampler(
        make_sampler("batched_relaxation", settings),
        starts,
        calculator,
        rng=np.random.default_rng(0),
        stop_rules=rules or StopRules(gamma_break=None),
        record_rules=RecordRules(gamma_select=1e-6, every=1, max_frames=1000),
    )


def test_each_structure_relaxes_as_it_would_alone(potential, starts):
    together = run(starts, MTP(potential), steps=40, fmax=1e-3)
    for start, chain in zip(starts, together.chains, strict=True):
        [alone] = run([start], MTP(potential), steps=40, fmax=1e-3).chains
        assert (alone.steps, alone.stop, alone.reason) == (chain.steps, chain.stop, chain.reason)
        assert alone.final_energy == pytest.approx(chain.final_energy, abs=1e-9)


def test_grades_are_those_of_the_calculator(potential, starts, training):
    active_set = build_active_set(potential, training)
    frames = run(starts, MTP(potential, active_set=active_set), steps=5).frames
    calculator = MTP(potential, active_set=active_set)
    for atoms, grade in zip(frames, frames.grade, strict=True):
        atoms.calc = calculator
        atoms.get_potential_energy()
        assert calculator.results["grade"] == pytest.approx(grade, rel=1e-6)


def test_a_structure_that_is_stopped_is_evaluated_no_more(potential, starts, training):
    calculator = MTP(potential, active_set=build_active_set(potential, training))
    free = run(starts, calculator, steps=20, fmax=1e-6)
    limit = float(np.median([chain.largest_grade for chain in free.chains]))
    stopped = run(starts, calculator, steps=20, fmax=1e-6, rules=StopRules(gamma_break=limit))
    broken = [chain for chain in stopped.chains if chain.stop == "gamma_break"]
    assert broken
    assert len(broken) < len(starts)
    for one, other in zip(stopped.chains, free.chains, strict=True):
        if one.stop != "gamma_break":
            assert (one.steps, one.reason) == (other.steps, other.reason)


def test_another_calculator_is_refused_with_what_to_choose(starts):
    with pytest.raises(SettingError, match=r"not by EMT\. Choose the sampler 'relaxation'"):
        run(starts, EMT())
