# SPDX-License-Identifier: MIT
"""Of a chunk one force is trained on, graded and judged, and nothing else."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.carving import (
    carve_chunk,
    chunks_as_configurations,
    is_carved,
    keep_central_forces,
    passivate,
    without_species,
)
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.loss import LossWeights, loss, make_targets
from aiida_alpot.fitting.loss_gradient import loss_and_gradient
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.training import train_potential
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.force_rows import LENGTH, force_rows, iterate_label_rows
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.evaluate import energy_rows, evaluate
from aiida_alpot.mtp.jacobian import make_environment
from aiida_alpot.mtp.structure_files import read_configurations, write_configurations
from aiida_alpot.selection import select


def labelled_by_emt(atoms):
    copy = atoms.copy()
    copy.calc = EMT()
    results = {"energy": copy.get_potential_energy(), "forces": copy.get_forces()}
    if copy.pbc.all():
        results["stress"] = copy.get_stress()
    copy.calc = SinglePointCalculator(copy, **results)
    return copy


@pytest.fixture(scope="module")
def cell():
    atoms = bulk("Cu", cubic=True).repeat(3)
    atoms.rattle(0.08, seed=1)
    return atoms


@pytest.fixture(scope="module")
def chunks(cell):
    """Three chunks with all labels that EMT gives them."""
    carved = [carve_chunk(cell, centre, radius=4.5) for centre in (0, 40, 77)]
    bare = chunks_as_configurations(carved, names=["bulk"] * 3, uncertainties=[0.3, 0.2, 0.1])
    labels = Configurations.from_atoms([labelled_by_emt(chunk.atoms) for chunk in carved])
    return bare.replace(energy=labels.energy, forces=labels.forces, level_of_theory="emt")


@pytest.fixture(scope="module")
def bulk_cells(make_cells):
    made = [labelled_by_emt(atoms) for atoms in make_cells(3, seed=2)]
    return Configurations.from_atoms(made, level_of_theory="emt")


def test_a_chunk_says_where_it_comes_from(chunks):
    assert chunks.identifier.tolist() == ["bulk_chunk_0", "bulk_chunk_40", "bulk_chunk_77"]
    assert chunks.origin(1)[1:] == ("carve", "bulk", 40, 0.2)
    assert is_carved(chunks).all()
    assert chunks.force_mask.sum() == 3


def test_energies_and_other_forces_of_chunks_are_taken_out(chunks, bulk_cells):
    both = concatenate([bulk_cells, chunks])
    kept = keep_central_forces(both)
    np.testing.assert_array_equal(is_carved(both), [False] * 3 + [True] * 3)
    assert np.isnan(kept.energy[3:]).all()
    assert np.isfinite(kept.forces[: bulk_cells.offsets[-1]]).all()
    finite = np.isfinite(kept.forces).all(axis=1)[bulk_cells.offsets[-1] :]
    np.testing.assert_array_equal(finite, chunks.force_mask)
    np.testing.assert_array_equal(kept.energy[:3], bulk_cells.energy)


@pytest.mark.parametrize("suffix", ["npz", "xyz"])
def test_what_is_written_and_read_again_is_still_a_chunk(chunks, tmp_path, suffix):
    write_configurations(chunks, tmp_path / f"chunks.{suffix}")
    again = read_configurations(tmp_path / f"chunks.{suffix}")
    assert is_carved(again).all()
    np.testing.assert_array_equal(again.force_mask, chunks.force_mask)


def test_only_three_components_of_each_chunk_are_in_the_loss(chunks, bulk_cells):
    targets = make_targets(chunks, LossWeights())
    assert targets.n_rows == 9
    both = make_targets(concatenate([bulk_cells, chunks]), LossWeights())
    assert both.n_rows == 9 + make_targets(bulk_cells, LossWeights()).n_rows


def test_the_masked_loss_has_its_gradient(chunks, bulk_cells, make_potential):
    training = concatenate([bulk_cells, chunks])
    potential = make_potential(4, seed=3)
    environment = make_environment(potential, training)
    targets = make_targets(training, LossWeights(force=1.0))
    _, gradient = loss_and_gradient(potential, environment, targets)
    rng = np.random.default_rng(0)
    for _ in range(4):
        direction = rng.standard_normal(len(gradient))
        step = 1e-5 * direction
        values = [
            loss(
                potential.with_parameters(potential.parameters + sign * step),
                training,
                LossWeights(force=1.0),
            )
            for sign in (1, -1)
        ]
        slope = (values[0] - values[1]) / 2e-5
        assert slope == pytest.approx(gradient @ direction, rel=1e-5)


def test_a_fit_to_chunks_alone_matches_the_central_forces_in_the_chunks(chunks, make_potential):
    weights = LossWeights(force=1.0)
    fit = fit_potential(chunks, initial=make_potential(6, seed=0), weights=weights)
    found = errors(chunks, evaluate(fit.potential, chunks))
    assert found.forces_rmse < 0.02
    others = np.linalg.norm(evaluate(fit.potential, chunks).forces - chunks.forces, axis=1)
    assert others[~chunks.force_mask].max() > 0.1


def test_energies_of_chunks_leave_no_trace_in_a_training(chunks, bulk_cells, make_potential):
    initial = make_potential(4, seed=0)
    spoilt = chunks.replace(
        energy=chunks.energy + 1e3, forces=np.where(chunks.force_mask[:, None], chunks.forces, 50.0)
    )
    found = [
        train_potential(concatenate([bulk_cells, one]), initial=initial).fit.potential.parameters
        for one in (chunks, spoilt)
    ]
    np.testing.assert_array_equal(*found)


def test_errors_count_the_central_forces_of_chunks_alone(chunks, make_potential):
    potential = make_potential(4)
    prediction = evaluate(potential, chunks)
    found = errors(chunks, prediction)
    residual = (prediction.forces - chunks.forces)[chunks.force_mask]
    assert found.forces_rmse == pytest.approx(np.sqrt((residual**2).mean()))
    assert np.isnan(found.energy_rmse)


def test_force_rows_are_the_derivatives_of_the_central_forces(chunks, make_potential):
    potential = make_potential(6, seed=2)
    rows = force_rows(potential, chunks)
    assert rows.shape == (9, potential.n_parameters)
    rng = np.random.default_rng(0)
    step = 1e-6 * rng.standard_normal(potential.n_parameters)
    forces = [
        evaluate(potential.with_parameters(potential.parameters + sign * step), chunks).forces
        for sign in (1, -1)
    ]
    change = (0.5 * (forces[0] - forces[1]))[chunks.force_mask].ravel()
    np.testing.assert_allclose(rows @ step, change, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("mode", ["neighborhood", "configuration"])
def test_a_chunk_enters_an_active_set_by_the_rows_of_its_central_atom_alone(
    chunks, bulk_cells, make_potential, mode
):
    """Those of its force and, by neighbourhood, that of its energy."""
    potential = make_potential(6, seed=2)
    both = concatenate([bulk_cells, chunks])
    active_set = build_active_set(potential, both, mode=mode)
    digests = chunks.hashes()
    rows = {
        (digests[index], 0): LENGTH * force_rows(potential, chunks.select([index]))
        for index in range(3)
    }
    if mode == "neighborhood":
        energies = energy_rows(potential, chunks)[chunks.force_mask]
        for digest, row in zip(digests, energies, strict=True):
            rows[digest, 0] = np.concatenate([rows[digest, 0], row[None]])
    found = 0
    for place in range(active_set.rank):
        origin = active_set.origin(place)
        if origin.hash in digests:
            found += 1
            assert origin.atom == 0
            expected = active_set.coordinates(rows[origin.hash, 0])
            assert np.abs(expected - active_set.rows[place]).max(axis=1).min() < 1e-9
    assert found > 0


def test_label_rows_of_all_else_are_the_energy_rows(chunks, bulk_cells, make_potential):
    potential = make_potential(6)
    both = concatenate([chunks.select([0]), bulk_cells, chunks.select([1, 2])])
    blocks = list(iterate_label_rows(potential, both, mode="neighborhood"))
    owners = np.concatenate([block.configuration for block in blocks])
    counts = np.bincount(owners, minlength=6)
    np.testing.assert_array_equal(counts, [4, *bulk_cells.n_atoms, 4, 4])
    assert (np.diff(owners) >= 0).all()
    by_mode = list(iterate_label_rows(potential, both, mode="configuration"))
    owners = np.concatenate([block.configuration for block in by_mode])
    np.testing.assert_array_equal(np.bincount(owners, minlength=6), [3, 1, 1, 1, 3, 3])


def test_the_environment_in_which_a_force_was_taught_is_known(chunks, bulk_cells, make_potential):
    potential = make_potential(6, seed=2)
    known = build_active_set(potential, concatenate([bulk_cells, chunks]))
    grades = ExtrapolationGrader(potential, known).grade(chunks).per_atom
    assert grades[chunks.force_mask].max() <= 1.0 + 1e-6
    assert grades[~chunks.force_mask].max() > 2.0


def test_a_structure_like_the_surface_of_a_chunk_is_still_unknown(
    chunks, bulk_cells, make_potential
):
    """The force in the middle says nothing about site energies at the rim."""
    potential = make_potential(6, seed=2)
    known = ExtrapolationGrader(
        potential, build_active_set(potential, concatenate([bulk_cells, chunks]))
    )
    as_energies = chunks.replace(force_mask=np.ones(len(chunks.numbers), dtype=bool))
    with_energies = ExtrapolationGrader(
        potential, build_active_set(potential, concatenate([bulk_cells, as_energies]))
    )
    bare = chunks.without_labels()
    assert with_energies.grade(bare).per_configuration.max() <= 1.0 + 1e-6
    assert known.grade(bare).per_configuration.max() > 2.0


def test_chunks_compete_for_labels_by_what_they_teach(chunks, bulk_cells, make_potential):
    potential = make_potential(6, seed=2)
    found = select(potential, chunks.without_labels(), training=bulk_cells, threshold=1.0)
    assert 0 < len(found.indices) <= 3
    assert set(found.active_set.hash.tolist()) & set(chunks.hashes())


def test_atoms_that_saturated_bonds_can_be_taken_out_again():
    crystal = bulk("Si", cubic=True).repeat(2)
    chunk = passivate(carve_chunk(crystal, 0, radius=3.0), crystal, vacuum=5.0)
    with_hydrogen = chunks_as_configurations([chunk], names=["si"])
    labelled = with_hydrogen.replace(forces=np.arange(51.0).reshape(17, 3), energy=np.array([1.0]))
    bare = without_species(labelled, [1])
    assert bare.n_atoms.tolist() == [5]
    np.testing.assert_array_equal(bare.forces, labelled.forces[:5])
    assert np.isnan(bare.energy[0])
    assert is_carved(bare).all()
    again = without_species(labelled, [6])
    assert again.to_bytes() == labelled.to_bytes()
