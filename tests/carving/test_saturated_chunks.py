# SPDX-License-Identifier: MIT
"""Chunks whose bonds are saturated with an element that the potential does not know, in jobs."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.carving import is_carved, without_saturation, without_species
from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import SpeciesError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.mlip_files import read_potential, write_potential

CARVE = {
    "above_atoms": 110,
    "radius": 4.6,
    "vacuum": 5.0,
    "passivate": "H",
    "per_structure": 2,
    "smallest_radius": 4.0,
}


def labelled(configurations):
    structures = []
    for atoms in configurations:
        copy = atoms.copy()
        copy.calc = EMT()
        copy.info["energy"], copy.arrays["forces"] = copy.get_potential_energy(), copy.get_forces()
        structures.append(copy)
    return configurations.replace(
        energy=np.array([one.info["energy"] for one in structures]),
        forces=np.concatenate([one.arrays["forces"] for one in structures]),
    )


@pytest.fixture(scope="module")
def potential(make_potential):
    return make_potential(6, cutoff=4.0)


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(4, seed=1, repeats=(1, 2))


@pytest.fixture
def folder(tmp_path, potential, training):
    cell = bulk("Cu", "diamond", a=5.6, cubic=True).repeat(3)  # few bonds are cut in it
    del cell[50]
    cell.rattle(0.1, seed=4)
    frames = Configurations.from_atoms(
        [cell],
        identifiers=["turn_001/nvt/vacancy/000010"],
        origins=[Origin(1, "nvt", "vacancy", 10, 20.0)],
    )
    write_potential(potential, tmp_path / "potential.mtp")
    training.save(tmp_path / "training.npz")
    frames.save(tmp_path / "candidates.npz")
    return tmp_path


@pytest.fixture
def select(folder, run_job):
    def select(**keys):
        request = {
            "job": "select",
            "candidates": ["candidates.npz"],
            "potential": "potential.mtp",
            "training": ["training.npz"],
            "gate": {"max_force": None},
            "carve": CARVE,
            "mode": "neighborhood",
            "method": "projected",
        }
        result = run_job(folder, **{**request, **keys})
        return result, Configurations.load(folder / "selected.npz")

    return select


def test_labels_are_asked_for_with_the_bonds_saturated(select):
    _, chunks = select()
    assert len(chunks) == 2
    assert set(chunks.species) == {"Cu", "H"}
    assert is_carved(chunks).all()
    assert chunks.n_atoms.max() <= CARVE["above_atoms"]
    assert (chunks.numbers[chunks.force_mask] == 29).all()


def test_what_is_known_is_compared_without_the_atoms_that_saturate(select, folder, training):
    _, chunks = select()
    concatenate([training, labelled(chunks)]).save(folder / "training.npz")
    result, again = select()
    assert not set(chunks.identifier.tolist()) & set(again.identifier.tolist())
    verdicts = {one["identifier"]: one["verdict"] for one in result["candidates"]}
    assert {verdicts[name] for name in chunks.identifier.tolist() if name in verdicts} <= {"alike"}


def test_a_chunk_enters_the_active_set_as_it_is_without_them(select, folder, potential, training):
    _, chunks = select()
    known = concatenate([training, labelled(chunks)])
    known.save(folder / "training.npz")
    result, _ = select()
    bare = concatenate([training, without_species(labelled(chunks), [1])])
    grader = ExtrapolationGrader(potential, build_active_set(potential, bare))
    frame = Configurations.load(folder / "candidates.npz")
    grades = grader.grade(frame).per_atom
    told = [one["grade"] for one in result["candidates"] if one["grade"] is not None]
    assert max(told) == pytest.approx(grades.max(), rel=1e-6)


def test_a_fit_trains_on_the_central_force_of_the_chunk_without_them(
    select, folder, training, run_job
):
    _, chunks = select()
    known = labelled(chunks)
    keys = {"job": "fit", "species": ["Cu"], "level": 2, "cutoff": 4.0, "max_iterations": 5}
    made = {}
    for name, one in {"saturated": known, "bare": without_species(known, [1])}.items():
        concatenate([labelled(training), one]).save(folder / "known.npz")
        run_job(folder, training=["known.npz"], min_distance=2.0, **keys)
        made[name] = read_potential(folder / "potential.mtp")
    np.testing.assert_array_equal(made["saturated"].parameters, made["bare"].parameters)
    known.save(folder / "known.npz")
    result = run_job(folder, job="evaluate", potential="potential.mtp", configurations="known.npz")
    predicted = Configurations.load(folder / "predictions.npz")
    assert set(predicted.species) == {"Cu"}
    residual = (predicted.forces - without_species(known, [1]).forces)[predicted.force_mask]
    found = result["errors"]["forces"]["rmse_eV_per_A"]
    assert found == pytest.approx(np.sqrt((residual**2).mean()))


def test_only_rims_of_chunks_lose_atoms(select, training):
    _, chunks = select()
    both = concatenate([training, chunks])
    bare = without_saturation(both, ["Cu"])
    np.testing.assert_array_equal(bare.select(np.arange(4)).n_atoms, training.n_atoms)
    assert set(bare.species) == {"Cu"}
    np.testing.assert_array_equal(is_carved(bare), is_carved(both))
    assert without_saturation(both, ["Cu", "H"]) is both
    assert without_saturation(both, None) is both
    hydride = Configurations.from_atoms([Atoms("CuH", [[0, 0, 0], [0, 0, 1.6]])])
    assert without_saturation(hydride, ["Cu"]).species == hydride.species


def test_elsewhere_an_unknown_species_is_still_refused(folder, run_job):
    hydride = Configurations.from_atoms([Atoms("CuH", [[0, 0, 0], [0, 0, 1.6]])])
    labelled(hydride).save(folder / "hydride.npz")
    with pytest.raises(SpeciesError, match="H"):
        run_job(folder, job="evaluate", potential="potential.mtp", configurations="hydride.npz")
