# SPDX-License-Identifier: MIT
"""Active sets of training configurations, and the grades by them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import (
    ActiveSetError,
    EmptyDataError,
    InputFileError,
    SettingError,
    SpeciesError,
)
from aiida_alpot.grading import candidate_rows
from aiida_alpot.grading.active_set import (
    ActiveSet,
    build_active_set,
    empty_active_set,
    extend_active_set,
    potential_hash,
)
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.grading.rows import MODES, iterate_rows

METHODS = ("projected", "parity")


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(40)


@pytest.fixture(scope="module", params=[(mode, method) for mode in MODES for method in METHODS])
def active_set(request, potential, training):
    mode, method = request.param
    return build_active_set(potential, training, mode=mode, method=method)


def rows_of(potential, configurations, mode):
    return np.concatenate([b.rows for b in iterate_rows(potential, configurations, mode=mode)])


def test_training_configurations_interpolate(active_set, potential, training):
    grades = ExtrapolationGrader(potential, active_set).grade(training).per_configuration
    assert grades.max() <= 1.0 + 1e-6
    np.testing.assert_allclose(grades.max(), 1.0, atol=1e-6)


def test_a_cell_compressed_by_five_percent_extrapolates(active_set, potential, make_cells):
    atoms = make_cells(1, rattle=0.05, strain=0.0, seed=9, repeats=(2,)).atoms(0)
    grader = ExtrapolationGrader(potential, active_set)
    before = grader.grade(Configurations.from_atoms([atoms])).per_configuration[0]
    atoms.set_cell(0.95 * atoms.cell.array, scale_atoms=True)
    after = grader.grade(Configurations.from_atoms([atoms])).per_configuration[0]
    assert after > 10.0
    assert after > 5.0 * before


def test_rows_and_inverse_belong_together(active_set):
    product = active_set.rows @ active_set.inverse
    np.testing.assert_allclose(product, np.eye(active_set.rank), atol=1e-6)


def test_each_active_row_is_found_at_its_origin(active_set, potential, training):
    hashes = training.hashes()
    for place in np.flatnonzero(active_set.initialized):
        origin = active_set.origin(place)
        index = hashes.index(origin.hash)
        assert origin.identifier == training.identifier[index]
        rows = rows_of(potential, training.select([index]), active_set.mode)
        row = rows[origin.atom] if active_set.mode == "neighborhood" else rows[0]
        np.testing.assert_allclose(
            active_set.coordinates(row[None])[0], active_set.rows[place], rtol=1e-12
        )
    assert len(active_set.origins) == active_set.rank
    assert active_set.n_initialized > 15


def test_grades_are_the_largest_coefficient_of_the_matrix(active_set, potential, make_cells):
    rows = rows_of(potential, make_cells(3, seed=5), active_set.mode)
    expected = np.abs(rows @ active_set.coefficient_matrix).max(axis=1)
    np.testing.assert_array_equal(active_set.grades(rows), expected)


def test_grades_by_a_fixed_active_set_do_not_depend_on_the_scale_of_columns(
    active_set, potential, make_cells
):
    rows = rows_of(potential, make_cells(5, seed=5, rattle=0.1), active_set.mode)
    coordinates = active_set.coordinates(rows)
    rng = np.random.default_rng(0)
    mixing = np.linalg.qr(rng.standard_normal((active_set.rank, active_set.rank)))[0]
    mixing = mixing * rng.uniform(0.5, 2.0, active_set.rank)
    mixed = dataclasses.replace(
        active_set,
        rows=active_set.rows @ mixing,
        inverse=np.linalg.inv(active_set.rows @ mixing),
        projection=np.eye(active_set.rank),
    )
    np.testing.assert_allclose(
        mixed.grades(coordinates @ mixing), active_set.grades(rows), rtol=1e-5
    )


def test_equal_active_sets_are_equal_files_and_come_back_unchanged(
    active_set, potential, training, tmp_path
):
    path = tmp_path / "active_set.npz"
    active_set.save(path)
    again = build_active_set(potential, training, mode=active_set.mode, method=active_set.method)
    assert path.read_bytes() == again.to_bytes()
    loaded = ActiveSet.load(path)
    assert loaded.to_bytes() == active_set.to_bytes()
    assert (loaded.mode, loaded.method) == (active_set.mode, active_set.method)
    assert loaded.origins == active_set.origins
    assert [entry.name for entry in tmp_path.iterdir()] == ["active_set.npz"]


def test_another_potential_is_refused(active_set, potential, make_potential, training):
    other = make_potential(8, seed=1)
    with pytest.raises(ActiveSetError, match="another potential"):
        active_set.check_potential(other)
    with pytest.raises(ActiveSetError, match="another potential"):
        ExtrapolationGrader(other, active_set)
    with pytest.raises(ActiveSetError, match="another potential"):
        extend_active_set(active_set, other, training)
    active_set.check_potential(dataclasses.replace(potential, name="the same by another name"))


def test_rows_of_another_length_are_refused(active_set):
    with pytest.raises(ActiveSetError, match="27 columns"):
        active_set.grades(np.zeros((1, 27)))


def test_a_hash_of_a_potential_names_all_that_decides_its_energies(potential):
    names = {potential_hash(potential)}
    for change in (
        {"cutoff": 5.1},
        {"min_distance": 1.8},
        {"scaling": 2.0},
        {"species": ("Ni",)},
        {"moment_coefficients": potential.moment_coefficients + 1e-15},
    ):
        names.add(potential_hash(dataclasses.replace(potential, **change)))
    assert len(names) == 6


@pytest.mark.parametrize("damage", ["truncated", "text", "other"])
def test_files_that_hold_no_active_set_are_refused(potential, training, tmp_path, damage):
    path = tmp_path / "active_set.npz"
    content = build_active_set(potential, training).to_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        path.write_text("not an active set")
    else:
        training.save(path)
    with pytest.raises(InputFileError, match="active set"):
        ActiveSet.load(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputFileError, match="Cannot read"):
        ActiveSet.load(tmp_path / "nowhere.npz")


def test_wrong_settings_and_data_are_refused(potential, training, make_cells):
    with pytest.raises(SettingError, match="mode 'atoms'"):
        build_active_set(potential, training, mode="atoms")
    with pytest.raises(SettingError, match="method 'exact'"):
        build_active_set(potential, training, method="exact")
    with pytest.raises(SettingError, match="at least 1"):
        build_active_set(potential, training, threshold=0.5)
    with pytest.raises(EmptyDataError, match="no configuration"):
        build_active_set(potential, Configurations.empty())
    with pytest.raises(SpeciesError, match="Al"):
        build_active_set(potential, make_cells(2, symbol="Al"))


def test_extending_keeps_origins_and_says_which_candidates_entered(potential, make_cells):
    known, candidates = make_cells(3), make_cells(12, seed=3, rattle=0.15)
    start = build_active_set(potential, known)
    extension = extend_active_set(start, potential, candidates, threshold=2.0)
    assert len(extension.configurations) > 0
    final = extension.active_set
    names = {origin.identifier for origin in final.origins if origin.identifier}
    entered = {str(name) for name in candidates.identifier[extension.configurations]}
    assert entered <= names <= entered | {str(name) for name in known.identifier}
    assert final.log_det > start.log_det
    grades = ExtrapolationGrader(potential, final).grade(candidates).per_configuration
    assert grades.max() <= 2.0 + 1e-9
    again = extend_active_set(final, potential, candidates, threshold=2.0)
    assert again.maxvol.n_swaps == 0
    assert len(again.configurations) == 0
    assert again.active_set.to_bytes() == final.to_bytes()


def test_everything_extrapolates_before_anything_is_known(potential, make_cells):
    start = empty_active_set(potential)
    assert start.n_initialized == 0
    grades = ExtrapolationGrader(potential, start).grade(make_cells(2)).per_configuration
    assert grades.min() > 1e3


@pytest.mark.parametrize("mode", MODES)
def test_rows_come_the_same_whatever_the_size_of_blocks(potential, training, mode):
    (whole,) = iterate_rows(potential, training, mode=mode, atoms_per_block=10**6)
    blocks = list(iterate_rows(potential, training, mode=mode, atoms_per_block=30))
    assert len(blocks) > 10
    for name in ("configuration", "atom"):
        joined = np.concatenate([getattr(block, name) for block in blocks])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    joined = np.concatenate([block.rows for block in blocks])
    np.testing.assert_allclose(joined, whole.rows, rtol=1e-12, atol=1e-12)


def test_rows_of_a_configuration_are_the_mean_over_its_atoms(potential, training):
    per_atom = rows_of(potential, training, "neighborhood")
    means = [per_atom[training.atoms_slice(index)].mean(axis=0) for index in range(len(training))]
    np.testing.assert_allclose(rows_of(potential, training, "configuration"), means, rtol=1e-12)


def test_rows_that_do_not_fit_into_memory_are_computed_again(potential, training, monkeypatch):
    remembered = build_active_set(potential, training)
    monkeypatch.setattr(candidate_rows, "REMEMBERED_BYTES", 0)
    assert build_active_set(potential, training).to_bytes() == remembered.to_bytes()


def test_a_training_set_in_two_parts_spans_as_much_as_in_one(potential, make_cells):
    first, second = make_cells(20), make_cells(20, seed=1)
    whole = concatenate([first, second])
    start = build_active_set(potential, first)
    final = extend_active_set(start, potential, second).active_set
    for _ in range(5):
        final = extend_active_set(final, potential, first).active_set
        final = extend_active_set(final, potential, second).active_set
    grades = ExtrapolationGrader(potential, final).grade(whole).per_configuration
    assert grades.max() <= 1.0 + 1e-6
    rank = final.rank
    difference = abs(final.log_det - build_active_set(potential, whole).log_det)
    assert difference <= 0.5 * rank * np.log(rank)
