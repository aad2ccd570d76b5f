# SPDX-License-Identifier: MIT
"""What a search was made for is handed on beside the frames that teach."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.sampling import make_sampler, run_sampler
from aiida_alpot.sampling.found import as_configurations


@pytest.fixture
def copper():
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def look(kind, start, rng, **settings):
    return run_sampler(make_sampler(kind, settings), [start], EMT(), rng=rng).found


def energy_of(atoms):
    evaluated = atoms.copy()
    evaluated.calc = EMT()
    return evaluated.get_potential_energy() / len(atoms)


def test_a_relaxation_hands_on_the_structure_in_which_it_converged(copper, rng):
    [one] = look("relaxation", copper, rng, fmax=0.001)
    assert one.name == "0"
    assert one.atoms.calc is None
    assert one.energy == pytest.approx(energy_of(one.atoms), abs=1e-9)
    moved = one.atoms.copy()
    moved.calc = EMT()
    assert np.linalg.norm(moved.get_forces(), axis=1).max() < 0.001


def test_what_did_not_converge_is_not_found(copper, rng):
    assert look("relaxation", copper, rng, steps=1, fmax=1e-6) == ()
    assert look("molecular_dynamics", copper, rng, temperature_K=300, steps=2) == ()


def test_a_search_hands_on_its_population_lowest_first_without_duplicates(copper, rng):
    found = look("evolution", copper, rng, relaxations=8, population=3, relax_steps=40)
    energies = [one.energy for one in found]
    assert 1 <= len(found) <= 3
    assert energies == sorted(energies)
    assert len({one.name for one in found}) == len(found)
    for one in found:
        assert sorted(one.atoms.symbols) == ["Cu"] * 4
        assert one.energy == pytest.approx(energy_of(one.atoms), abs=1e-6)
    made = as_configurations(found)
    assert made.identifier.tolist() == [one.name for one in found]
    assert not np.isfinite(made.energy).any(), "predictions are no labels"


def test_the_job_writes_what_was_found_where_that_is_asked_for(copper, run_job, tmp_path):
    from aiida_alpot.configurations import Configurations

    Configurations.from_atoms([copper], identifiers=["start"]).save(tmp_path / "starts.npz")
    request = {
        "calculator": {"ase": "EMT"},
        "sampler": {"kind": "relaxation", "fmax": 0.01},
        "starts": "starts.npz",
    }
    assert "found" not in run_job(tmp_path, job="sample", **request)
    assert not (tmp_path / "found.npz").exists()
    [told] = run_job(tmp_path, job="sample", found=True, **request)["found"]
    [atoms] = list(Configurations.load(tmp_path / "found.npz"))
    assert told["name"] == "start"
    assert told["energy"] == pytest.approx(energy_of(atoms), abs=1e-9)
