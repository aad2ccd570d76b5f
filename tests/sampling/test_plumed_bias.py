# SPDX-License-Identifier: MIT
"""A bias of PLUMED drives the dynamics as our own hills do, and the frames stay unbiased.

PLUMED's library is on no Python index: these run where it is installed (conda-forge: py-plumed), or
where PLUMED_KERNEL names it and the module ``plumed`` is installed.
"""

import numpy as np
import pytest
from ase import units

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.testing.chain_molecule import ChainForces, make_chain, torsions

pytest.importorskip("plumed", reason="PLUMED is not installed", exc_type=ImportError)

KJ_PER_MOL = units.mol / units.kJ
DYNAMICS = {"temperature_K": 150, "timestep_fs": 1.0}
OWN_HILLS = {"variables": ["dihedral 0 1 2 3"], "widths": [20.0], "hill_every": 25}
PLUMED_HILLS = {
    "plumed": [
        "phi: TORSION ATOMS=1,2,3,4",
        f"METAD ARG=phi PACE=25 HEIGHT={0.02 * KJ_PER_MOL} SIGMA={np.radians(20.0)} "
        "BIASFACTOR=10 TEMP=150",
    ]
}


@pytest.fixture(autouse=True)
def files_of_plumed_stay_in_a_folder_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def walk(steps, **settings):
    """Return torsions in degrees and energies in eV of a chain of four atoms."""
    sampler = make_sampler("metadynamics", {**DYNAMICS, "steps": steps, **settings})
    frames = sampler.frames([make_chain(4)], ChainForces(), np.random.default_rng(0))
    seen = [(*torsions(one.atoms), one.atoms.get_potential_energy()) for one in frames]
    return np.array(seen).T


def test_hills_of_plumed_drive_as_our_own():
    own, energies = walk(200, **OWN_HILLS)
    plumed, energies_of_plumed = walk(200, **PLUMED_HILLS)
    without, _ = walk(200, variables=["dihedral 0 1 2 3"], hill_every=1000)
    assert abs(own - without).max() > 10  # degrees
    np.testing.assert_allclose(plumed, own, atol=0.3)  # PLUMED cuts hills off at 3.5 widths
    np.testing.assert_allclose(energies_of_plumed[:60], energies[:60], atol=1e-5)


def test_hills_of_plumed_find_all_conformations():
    angles, _ = walk(2500, **PLUMED_HILLS)
    assert {int(angle // 120) for angle in angles} == {0, 1, 2}


def test_the_same_seed_gives_the_same_bits():
    np.testing.assert_array_equal(walk(60, **PLUMED_HILLS), walk(60, **PLUMED_HILLS))


def test_a_restraint_pulls_and_the_energies_are_those_of_the_calculator():
    lines = ["UNITS LENGTH=A ENERGY=eV", "d: DISTANCE ATOMS=1,4", "RESTRAINT ARG=d AT=3 KAPPA=9"]
    sampler = make_sampler("metadynamics", {**DYNAMICS, "steps": 300, "plumed": lines})
    for frame in sampler.frames([make_chain(4)], ChainForces(), np.random.default_rng(0)):
        last = frame.atoms.copy()
        energy = frame.atoms.get_potential_energy()
    assert last.get_distance(0, 3) == pytest.approx(3.0, abs=0.25)
    assert make_chain(4).get_distance(0, 3) > 3.5
    last.calc = ChainForces()
    assert energy == pytest.approx(last.get_potential_energy(), abs=1e-12)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["phi: TORSON ATOMS=1,2,3,4"], "cannot understand line: TORSON"),
        (["phi: TORSION ATOMS=1,2,3,9"], "atom 9 out of range"),
    ],
)
def test_input_that_plumed_refuses_is_one_line(lines, message):
    sampler = make_sampler("metadynamics", {**DYNAMICS, "steps": 5, "plumed": lines})
    with pytest.raises(SettingError, match=f"PLUMED refuses the setting 'plumed': .*{message}"):
        run_sampler(sampler, [make_chain(4)], ChainForces(), rng=np.random.default_rng(0))
