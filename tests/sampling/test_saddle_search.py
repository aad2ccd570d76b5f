# SPDX-License-Identifier: MIT
"""A dimer climbs from one start to a saddle point, or says why it did not."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.mep import DimerControl

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.own_results import with_own_results
from aiida_alpot.sampling.saddles.dimer import Dimer, DimerSettings
from aiida_alpot.testing.samplers import SamplerContract


def vacancy():
    """31 atoms of Cu around a vacancy, the neighbour that may jump, and where to."""
    cell = bulk("Cu", a=3.5898, cubic=True) * (2, 2, 2)
    distances = cell.get_distances(0, range(len(cell)), mic=True)
    neighbour = int(np.flatnonzero(np.isclose(distances, distances[1:].min()))[0])
    jump = cell.get_distance(neighbour, 0, mic=True, vector=True)
    del cell[0]
    cell.info["identifier"] = "vacancy"
    return cell, neighbour - 1, jump


def run(atoms, **settings):
    sampler = make_sampler("saddle_search", settings)
    [chain] = run_sampler(sampler, [atoms], EMT(), rng=np.random.default_rng(0)).chains
    return chain


class TestContract(SamplerContract):
    def make_sampler(self):
        return make_sampler("saddle_search", {"steps": 8, "relax_steps": 3})


class TestContractWithoutRelaxation(SamplerContract):
    is_random = False

    def make_sampler(self):
        return make_sampler(
            "saddle_search", {"steps": 6, "relax": False, "mode": [[0, 0.0, 0.0, 1.0]]}
        )


def test_an_atom_beside_a_vacancy_climbs_along_its_mode_to_the_barrier_of_its_jump():
    atoms, neighbour, jump = vacancy()
    chain = run(atoms, mode=[[neighbour, *jump]], displacement_A=1.0)
    assert chain.stop == "converged"
    assert "saddle point 0.791" in chain.reason
    assert "curvature -2" in chain.reason


def test_a_random_displacement_of_a_few_atoms_leads_to_some_saddle_point():
    atoms, _, _ = vacancy()
    given = {"displacement_A": 0.3, "displacement_radius_A": 3.0, "rotations": 4}
    chain = run(atoms, **given, steps=150, fmax=0.05)
    assert chain.stop == "converged"
    assert 0.5 < float(chain.reason.split()[2]) < 4.0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"displacement_A": 0.01, "steps": 2},
            "eV/A^2 after 2 steps of the dimer, so that it never left the basin of its start",
        ),
        ({"displacement_A": 1.0, "steps": 3}, "the largest force is still"),
        ({"displacement_A": 1.0, "relax_steps": 1}, "the start had not relaxed after 1 steps"),
    ],
)
def test_a_search_that_ends_nowhere_says_why(settings, reason):
    atoms, neighbour, jump = vacancy()
    atoms.rattle(0.05, seed=1)
    chain = run(atoms, mode=[[neighbour, *jump]], **settings)
    assert reason in chain.reason
    assert chain.completed


def test_the_centre_of_a_dimer_keeps_its_results_while_the_ends_are_evaluated():
    atoms, neighbour, jump = vacancy()
    atoms.positions[neighbour] += 0.4 * jump
    shared = EMT()
    centre = with_own_results(atoms, shared)
    mode = np.zeros((len(atoms), 3))
    mode[neighbour] = jump
    dimer = Dimer(centre, mode, DimerSettings(steps=4))
    for _ in dimer.run():
        again = centre.copy()
        again.calc = EMT()
        np.testing.assert_allclose(centre.calc.results["forces"], again.get_forces(), atol=1e-9)
        assert centre.calc.results["energy"] == pytest.approx(again.get_potential_energy())
    assert np.linalg.norm(dimer.mode) == pytest.approx(1.0)


def test_one_search_does_not_change_the_settings_of_the_next():
    before = dict(DimerControl.parameters)
    run(vacancy()[0], max_step_A=0.05, rotations=3, steps=1, relax_steps=1)
    assert before == DimerControl.parameters


def test_the_mode_must_name_atoms_that_are_there():
    sampler = make_sampler("saddle_search", {"mode": [[5, 1.0, 0.0, 0.0]]})
    with pytest.raises(GeometryError, match="has 2 atoms, this saddle search needs 6"):
        run_sampler(
            sampler,
            [Atoms("Cu2", positions=[(0, 0, 0), (0, 0, 2.3)])],
            EMT(),
            rng=np.random.default_rng(0),
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": [[0, 0, 0, 0]]}, "'mode' is"),
        ({"mode": [[0, 1, 2]]}, "'mode' of sampler 'saddle_search' is"),
        ({"fmax": 0}, "'fmax' is 0"),
        ({"displacement_radius_A": -1}, "positive or null"),
    ],
)
def test_settings_that_lead_nowhere_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        make_sampler("saddle_search", settings)


def test_a_mode_that_moves_everything_alike_is_refused_in_words(rng):
    start = bulk("Cu", cubic=True)
    mode = [[atom, 0.0, 1.0, 0.0] for atom in range(4)]
    sampler = make_sampler("saddle_search", {"mode": mode, "relax": False})
    [chain] = run_sampler(sampler, [start], EMT(), rng=rng).chains
    assert chain.stop == "calculator"
    assert "moves all atoms as one body" in chain.reason
