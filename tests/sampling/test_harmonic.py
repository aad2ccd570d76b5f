# SPDX-License-Identifier: MIT
"""Harmonic structures hold the energy that statistical mechanics gives them."""

from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.optimize import BFGS

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.structures.force_constants import THZ, force_constants, normal_modes
from aiida_alpot.sampling.structures.harmonic import HBAR
from aiida_alpot.testing.samplers import SamplerContract


class TestHarmonic(SamplerContract):
    settings: ClassVar[dict] = {}

    def make_sampler(self):
        given = {"temperature_K": 300, "structures": 3, "fmax": 0.05}
        return make_sampler("harmonic", {**given, **self.settings})

    def make_starts(self):
        return [atoms[[0, 1, 2, 3]] for atoms in super().make_starts()]


class TestEinstein(TestHarmonic):
    settings: ClassVar = {"modes": "einstein", "temperature_K": [300, 900]}


class TestRattled(SamplerContract):
    def make_sampler(self):
        return make_sampler("rattled", {"structures": 3})


@pytest.fixture
def cluster():
    """A tetrahedron of copper at rest."""
    atoms = Atoms("Cu4", positions=np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]))
    atoms.calc = EMT()
    BFGS(atoms, logfile=None).run(fmax=1e-4)
    atoms.calc = None
    return atoms


def energies_above_minimum(start, seed=0, **settings):
    """Return the potential energies of the structures, eV, above that of their centre."""
    sampler = make_sampler("harmonic", {"structures": 120, "fmax": 1e-4, **settings})
    frames = sampler.frames([start], EMT(), np.random.default_rng(seed))
    energies = [frame.atoms.calc.results["energy"] for frame in frames]
    return np.array(energies[1:]) - energies[0]


@pytest.mark.parametrize("modes", ["phonons", "einstein"])
def test_each_classical_mode_holds_half_kt_in_the_harmonic_limit(copper, modes):
    """Equipartition: <E_pot> = (3 N - 3) / 2 kT; what is drawn alone has no less energy."""
    found = energies_above_minimum(copper, temperature_K=2.0, modes=modes)
    expected = (3 * len(copper) - 3) / 2 * units.kB * 2.0
    error = found.std() / np.sqrt(len(found))
    if modes == "phonons":
        assert found.mean() == pytest.approx(expected, abs=4 * error)
        # chi squared of 93 degrees of freedom
        assert found.std() / found.mean() == pytest.approx(np.sqrt(2 / 93), rel=0.25)
    else:
        assert found.mean() > 0.9 * expected


def test_free_clusters_have_no_energy_in_rotations(cluster):
    """A cluster has 3 N - 6 modes."""
    found = energies_above_minimum(cluster, temperature_K=2.0, structures=400)
    error = found.std() / np.sqrt(len(found))
    assert found.mean() == pytest.approx(3 * units.kB * 2.0, abs=4 * error)


def test_quantum_modes_keep_their_zero_point_energy(copper):
    """Potential energy: sum of hbar w / 4 coth(hbar w / 2 kT), far above kT / 2 at 1 K."""
    found = energies_above_minimum(copper, temperature_K=1.0, statistics="quantum")
    constants = force_constants(copper, EMT(), 0.01)
    frequencies = np.sqrt(normal_modes(copper, constants).squares)
    expected = (HBAR * frequencies / 4).sum()
    assert found.mean() == pytest.approx(expected, rel=0.05)
    hot = energies_above_minimum(copper, temperature_K=2000.0, structures=1)
    assert hot[0] > 10 * expected


def test_force_constants_predict_forces(copper, rng):
    constants = force_constants(copper, EMT(), 0.005)
    moved = copper.copy()
    displacement = 1e-4 * rng.standard_normal((len(copper), 3))
    moved.positions += displacement
    moved.calc = EMT()
    expected = -(constants @ displacement.ravel()).reshape(-1, 3)
    np.testing.assert_allclose(moved.get_forces(), expected, atol=2e-6)
    np.testing.assert_allclose(constants, constants.T, atol=1e-12)
    np.testing.assert_allclose(constants.reshape(32, 3, 32, 3).sum(axis=2), 0, atol=1e-9)


def test_frequencies_of_copper_are_those_of_copper(copper):
    """EMT was fitted to elasticity; the largest measured frequency of copper is 7.2 THz."""
    modes = normal_modes(copper, force_constants(copper, EMT(), 0.01))
    assert len(modes.squares) == 93
    assert 5 < np.sqrt(modes.squares.max()) / THZ < 9


def simple_cubic():
    """Copper on a simple cubic lattice, where no force acts and nothing holds it."""
    return bulk("Cu", "sc", a=2.4) * 2


def last_chain(start, **settings):
    sampler = make_sampler(
        "harmonic", {"temperature_K": 10, "structures": 4, "relax": False, **settings}
    )
    rng = np.random.default_rng(0)
    result = run_sampler(sampler, [start], EMT(), rng=rng)
    return result.chains[0], result.frames


def energies_of(frames):
    energies = []
    for atoms in frames:
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
    return np.array(energies)


def test_imaginary_modes_are_left_out_in_words():
    """Along what is left the energy rises."""
    chain, frames = last_chain(simple_cubic())
    assert chain.completed
    assert "of 21 modes are imaginary, down to" in chain.reason
    assert "i THz, and were left out" in chain.reason
    energies = energies_of(frames)
    assert (energies[1:] > energies[0]).all()


def test_imaginary_modes_can_be_taken_as_real_ones():
    """Along them the energy falls."""
    chain, frames = last_chain(simple_cubic(), imaginary="mirror")
    assert "were taken as if real" in chain.reason
    energies = energies_of(frames)
    assert (energies[1:] < energies[0]).any()


def test_imaginary_modes_can_be_refused():
    chain, _ = last_chain(simple_cubic(), imaginary="refuse")
    assert not chain.completed
    assert "THz: the start is no minimum" in chain.reason


def test_a_start_that_does_not_relax_is_said_so(copper):
    copper.rattle(0.1, seed=1)
    chain, _ = last_chain(copper, relax=True, relax_steps=2)
    assert "after 2 steps of relaxation the largest force is" in chain.reason


def test_structures_are_displaced_from_the_relaxed_positions(copper):
    rattled = copper.copy()
    rattled.rattle(0.05, seed=3)
    settings = {"temperature_K": 1e-6, "fmax": 1e-3}
    found = energies_above_minimum(rattled, structures=2, **settings)
    assert (found < -0.1).all()


def test_one_atom_has_no_modes(rng):
    with pytest.raises(GeometryError, match="is one atom, which has no modes; repeat it"):
        run_sampler(make_sampler("harmonic", {"temperature_K": 300}), [bulk("Cu")], EMT(), rng=rng)


def test_rattled_structures_have_their_displacement(copper, rng):
    sampler = make_sampler("rattled", {"displacement": [0.05, 0.15], "structures": 60})
    moved = [sampler.make(copper, rng).positions - copper.positions for _ in range(60)]
    deviations = [one.std() for one in moved]
    assert 0.04 < min(deviations) < 0.07
    assert 0.13 < max(deviations) < 0.17


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("harmonic", {"temperature_K": [600, 300]}, "above 0 K, lowest first"),
        ("harmonic", {"temperature_K": 300, "imaginary": "ignore"}, "skip, mirror, refuse"),
        ("rattled", {"displacement": 0}, "positive, smallest first"),
    ],
)
def test_wrong_settings_are_refused_in_words(kind, settings, message):
    with pytest.raises(SettingError) as raised:
        make_sampler(kind, settings)
    assert message in str(raised.value)


def test_one_atom_is_not_rattled(rng):
    with pytest.raises(GeometryError, match="is one atom"):
        run_sampler(make_sampler("rattled", {}), [bulk("Cu")], EMT(), rng=rng)
