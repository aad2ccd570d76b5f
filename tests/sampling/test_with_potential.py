# SPDX-License-Identifier: MIT
"""Samplers on a real moment tensor potential with its active set."""

from functools import cache

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.grading import ExtrapolationGrader, build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.sampling import RecordRules, StopRules, make_sampler, run_sampler


@cache
def trained():
    """A potential of level 6 from four strained, rattled cells of 32 atoms."""
    rng = np.random.default_rng(0)
    labelled = []
    for _ in range(4):
        atoms = bulk("Cu", a=3.59, cubic=True) * (2, 2, 2)
        strain = rng.uniform(-0.01, 0.01, (3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain + strain.T), scale_atoms=True)
        atoms.rattle(0.05, rng=rng)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
        labelled.append(atoms)
    training = Configurations.from_atoms(labelled, level_of_theory='{"calculator":"EMT"}')
    initial = initial_potential(6, 4.5, species=["Cu"], min_distance=2.0, rng=rng)
    potential = fit_potential(training, initial=initial, max_iterations=60).potential
    return potential, build_active_set(potential, training)


def explore(*, skin=0.5, threads=1, **settings):
    potential, active_set = trained()
    return run_sampler(
        make_sampler("molecular_dynamics", {"temperature_K": 900, "steps": 150} | settings),
        [bulk("Cu", a=3.59, cubic=True) * (2, 2, 2)],
        MTP(potential, active_set=active_set, skin=skin, threads=threads),
        rng=np.random.default_rng(1),
        stop_rules=StopRules(gamma_break=20.0),
        record_rules=RecordRules(gamma_select=2.0, every=5),
    )


def test_recorded_grades_are_those_of_the_grader():
    result = explore()
    [chain] = result.chains
    assert (chain.stop, chain.completed) == ("gamma_break", False)
    assert chain.graded == chain.frames == chain.steps + 1
    assert len(result.frames) > 2
    grades = ExtrapolationGrader(*trained()).grade(result.frames).per_configuration
    np.testing.assert_allclose(result.frames.grade, grades, rtol=1e-7)
    assert result.frames.grade[-1] == chain.largest_grade > 20
    assert (result.frames.grade[:-1] > 2).all()


@pytest.mark.parametrize("settings", [{}, {"ensemble": "npt"}], ids=["nvt", "npt"])
def test_neither_the_age_of_the_neighbour_list_nor_threads_change_a_bit(settings):
    usual = explore(**settings).frames.to_bytes()
    assert explore(skin=0.0, **settings).frames.to_bytes() == usual
    assert explore(threads=2, **settings).frames.to_bytes() == usual
