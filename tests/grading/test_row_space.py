# SPDX-License-Identifier: MIT
"""The space that rows can span, whatever the environment."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aiida_alpot.grading import build_active_set
from aiida_alpot.grading.row_space import (
    structural_projection,
    structural_rank,
    with_generic_coefficients,
)
from aiida_alpot.grading.rows import iterate_rows
from aiida_alpot.mtp.evaluate import energy_rows, evaluate


@pytest.mark.parametrize(
    ("level", "species", "n_parameters", "rank"),
    [
        (2, ("Cu",), 10, 9),
        (8, ("Cu",), 26, 23),
        (8, ("Cu", "Ni"), 75, 72),
        (16, ("Cu",), 125, 114),
        (20, ("Cu",), 329, 308),
    ],
)
def test_rank_is_below_the_number_of_parameters_by_the_gauge_freedom(
    make_potential, level, species, n_parameters, rank
):
    potential = make_potential(level, species)
    assert potential.n_parameters == n_parameters
    assert structural_rank(potential) == rank


@pytest.mark.parametrize("species", [("Cu",), ("Ni", "Cu")])
def test_rows_of_crystals_lie_in_the_space_of_random_environments(
    make_potential, make_cells, species
):
    potential = make_potential(12, species)
    projection = structural_projection(potential)
    (block,) = iterate_rows(potential, make_cells(6), mode="neighborhood")
    reference = np.concatenate([block.rows, random_rows(potential)])
    scale = np.linalg.norm(reference, axis=0)
    scale[scale == 0.0] = 1.0
    singular = np.linalg.svd(reference / scale, compute_uv=False)
    assert (singular > 1e-12 * singular[0]).sum() == projection.shape[1]


def random_rows(potential):
    from aiida_alpot.grading.row_space import _rows_of_random_environments

    return _rows_of_random_environments(potential)


def test_coordinates_of_random_environments_have_mean_square_one(make_potential):
    potential = make_potential(8)
    rows = random_rows(potential)
    scale = np.linalg.norm(rows, axis=0)
    lengths = np.linalg.norm(rows / scale, axis=1)
    coordinates = rows @ structural_projection(potential) / lengths[:, None]
    np.testing.assert_allclose((coordinates**2).mean(axis=0), 1.0, rtol=1e-8)
    overlap = coordinates.T @ coordinates / len(rows)
    np.testing.assert_allclose(overlap, np.eye(23), atol=1e-8)


def test_projection_is_the_same_every_time(make_potential):
    potential = make_potential(8, ("Cu", "Ni"))
    np.testing.assert_array_equal(
        structural_projection(potential), structural_projection(potential)
    )


def test_names_of_species_do_not_matter(make_potential):
    potential = make_potential(8, ("Cu", "Ni"))
    unnamed = dataclasses.replace(potential, species=())
    np.testing.assert_array_equal(structural_projection(unnamed), structural_projection(potential))


def test_an_untrained_potential_gets_generic_coefficients_and_a_trained_one_keeps_its_own(
    make_potential,
):
    trained = make_potential(8)
    assert with_generic_coefficients(trained) is trained
    untrained = trained.with_parameters(np.zeros(trained.n_parameters))
    generic = with_generic_coefficients(untrained)
    assert generic.moment_coefficients.all()
    assert generic.radial_coefficients.all()
    assert structural_rank(untrained) == structural_rank(trained)


def test_grades_by_given_atoms_do_not_see_how_radial_functions_are_mixed(
    make_potential, make_cells
):
    potential, others = make_potential(8), make_cells(5, rattle=0.2, seed=1)
    training = make_cells(30, rattle=0.2, strain=0.15)
    active_set = build_active_set(potential, training)
    assert active_set.initialized.all()
    same = with_mixed_radial_functions(potential, training)
    np.testing.assert_allclose(
        evaluate(same, others).site_energies, evaluate(potential, others).site_energies, rtol=1e-9
    )
    places = {content: index for index, content in enumerate(training.hashes())}
    chosen = [
        training.offsets[places[content]] + atom
        for content, atom in zip(active_set.hash.tolist(), active_set.atom, strict=True)
    ]
    projection = structural_projection(same)
    active = energy_rows(same, training)[chosen] @ projection
    coefficients = np.linalg.solve(active.T, (energy_rows(same, others) @ projection).T)
    grades = active_set.grades(energy_rows(potential, others))
    np.testing.assert_allclose(np.abs(coefficients).max(axis=0), grades, rtol=1e-6)


def with_mixed_radial_functions(potential, configurations):
    """Return the same potential with f_1 mixed with f_0, which linear coefficients undo."""
    mixed = potential.radial_coefficients.copy()
    mixed[..., 1, :] = 0.6 * (mixed[..., 1, :] + 0.8 * mixed[..., 0, :])
    mixed[..., 0, :] *= 1.7
    other = dataclasses.replace(potential, radial_coefficients=mixed)
    n_moments = len(potential.moment_coefficients)
    basis = energy_rows(other, configurations)[:, -n_moments:]
    energies = evaluate(potential, configurations).site_energies
    energies = energies - potential.species_coefficients[0]
    linear = np.linalg.lstsq(basis, energies, rcond=None)[0]
    return dataclasses.replace(other, moment_coefficients=linear)
