# SPDX-License-Identifier: MIT
"""Relaxation reaches the minimum of energy or enthalpy."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling import make_sampler, run_sampler


def last_frame(atoms, **settings):
    sampler = make_sampler("relaxation", settings)
    *_, last = sampler.frames([atoms], EMT(), np.random.default_rng(0))
    return last


@pytest.mark.parametrize("optimizer", ["BFGS", "LBFGS", "FIRE"])
def test_positions_relax_until_the_forces_are_small(copper, optimizer):
    copper.rattle(0.1, seed=1)
    last = last_frame(copper, optimizer=optimizer, fmax=0.005)
    assert last.ending.kind == "converged"
    assert np.linalg.norm(last.atoms.get_forces(), axis=1).max() <= 0.005
    np.testing.assert_array_equal(last.atoms.cell, copper.cell)


@pytest.mark.parametrize("cell", ["isotropic", "flexible"])
def test_the_cell_relaxes_to_the_lattice_constant_of_emt(copper, cell):
    copper.set_cell(copper.cell * 1.03, scale_atoms=True)
    copper.rattle(0.02, seed=1)
    last = last_frame(copper, cell=cell, fmax=0.002)
    assert last.ending.kind == "converged"
    edge = last.atoms.get_volume() ** (1 / 3)
    assert edge / 2 == pytest.approx(3.5898, abs=2e-4)


def test_under_pressure_the_cell_relaxes_to_that_pressure(copper):
    last = last_frame(copper, cell="flexible", pressure_GPa=10.0, fmax=0.001)
    np.testing.assert_allclose(
        last.atoms.get_stress() / units.GPa, [-10, -10, -10, 0, 0, 0], atol=0.02
    )


def test_steps_that_do_not_suffice_are_said_so(copper, rng):
    copper.rattle(0.1, seed=1)
    sampler = make_sampler("relaxation", {"steps": 3, "fmax": 1e-4})
    [chain] = run_sampler(sampler, [copper], EMT(), rng=rng).chains
    assert (chain.stop, chain.steps, chain.completed) == ("unconverged", 3, True)
    assert "eV/A > 0.0001 after all 3 steps" in chain.reason


def test_convergence_is_a_successful_stop(copper, rng):
    [chain] = run_sampler(make_sampler("relaxation", {}), [copper], EMT(), rng=rng).chains
    assert (chain.stop, chain.steps, chain.completed) == ("converged", 0, True)
    assert chain.reason == "forces below 0.01 eV/A after 0 steps"


def test_the_cell_of_a_cluster_cannot_relax(rng):
    cluster = Atoms("Cu2", positions=[(0, 0, 0), (0, 0, 2.3)])
    with pytest.raises(GeometryError, match=r"cannot relax\. Choose cell: fixed"):
        run_sampler(make_sampler("relaxation", {"cell": "flexible"}), [cluster], EMT(), rng=rng)
