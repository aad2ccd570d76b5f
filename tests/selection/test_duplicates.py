# SPDX-License-Identifier: MIT
"""What counts as the same configuration: fingerprints, and the rules of the gate that use them."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.selection.duplicates import find_alike, find_like_known
from aiida_alpot.selection.fingerprints import Fingerprint, fingerprints
from aiida_alpot.selection.gate import GateSettings, count_verdicts, gate


@pytest.fixture(scope="module")
def known(make_cells):
    return make_cells(4, rattle=0.03, repeats=(2,))


def copper(a=3.6, rattle=0.04, seed=11):
    atoms = bulk("Cu", "fcc", a=a, cubic=True).repeat(2)
    atoms.positions += np.random.default_rng(seed).normal(0.0, rattle, (len(atoms), 3))
    return atoms


def alloy():
    atoms = copper(seed=5)
    atoms.numbers[::3] = 28
    return atoms


def difference(first, second):
    one, other = fingerprints(Configurations.from_atoms([first, second]))
    assert one.composition == other.composition
    return float(np.abs(one.lengths - other.lengths).max())


def permuted(atoms):
    return atoms[np.random.default_rng(0).permutation(len(atoms))]


def turned(atoms):
    moved = atoms.copy()
    moved.positions += (0.3, 1.7, -0.4)
    moved.rotate(40.0, (1, 1, 2), rotate_cell=True)
    return moved


def reflected(atoms):
    return Atoms(atoms.numbers, -atoms.positions, cell=-atoms.cell.array, pbc=True)


def repeated(atoms):
    return atoms.repeat((2, 1, 3))


def sheared(atoms):
    other = atoms.copy()
    other.set_cell([[1, 0, 0], [1, 1, 0], [0, -1, 1]] @ atoms.cell.array)
    return other


def wrapped(atoms):
    moved = atoms.copy()
    moved.positions += atoms.cell[0]
    moved.positions[::2] -= atoms.cell[2]
    return moved


@pytest.mark.parametrize("change", [permuted, turned, reflected, repeated, sheared, wrapped])
@pytest.mark.parametrize("make", [copper, alloy])
def test_what_changes_no_distance_changes_no_fingerprint(make, change):
    assert difference(make(), change(make())) < 5e-6


def test_a_fingerprint_moves_by_no_more_than_twice_the_largest_displacement():
    for size in (1e-4, 1e-2, 0.3):
        for make in (copper, alloy):
            moved = make()
            steps = np.random.default_rng(3).normal(size=(32, 3))
            moved.positions += size * steps / np.linalg.norm(steps, axis=1).max()
            assert 0.05 * size < difference(make(), moved) <= 2.0 * size + 2e-6


def test_structures_with_the_same_nearest_neighbours_are_told_apart():
    fcc = bulk("Cu", "fcc", a=3.6)
    hcp = bulk("Cu", "hcp", a=3.6 / np.sqrt(2), c=3.6 / np.sqrt(2) * np.sqrt(8 / 3))
    assert difference(fcc, hcp) > 0.1


@pytest.mark.parametrize("size", [2, 4, 6])
def test_one_atom_out_of_place_shows_in_large_cells(size):
    perfect = bulk("Cu", a=3.6, cubic=True).repeat(size)
    moved = perfect.copy()
    moved.positions[0, 0] += 0.4
    assert difference(perfect, moved) > 1e-3


def test_alike_are_those_within_the_tolerance_of_one_that_was_kept():
    rows = [0.0, 0.8, 1.6, 5.0, 5.0, 0.7]
    made = [Fingerprint(((29, 1),), np.array([row, 2.0], dtype=np.float32)) for row in rows]
    made.append(Fingerprint(((28, 1),), made[0].lengths))
    assert find_alike(made, 1.0) == [None, 0, None, None, 3, 0, None]
    assert find_alike(made, 1.0, n_known=3) == [None, None, None, None, 3, 1, None]
    assert find_alike(made, 0.0) == [None, None, None, None, 3, None, None]
    assert find_alike([], 1.0) == []


def test_many_fingerprints_are_compared_as_one_by_one():
    rng = np.random.default_rng(2)
    made = [Fingerprint(((29, 1),), row) for row in rng.uniform(size=(2500, 2))]
    kept: list[int] = []
    expected = []
    for place, one in enumerate(made):
        rows = np.array([made[other].lengths for other in kept]).reshape(-1, 2)
        near = np.abs(rows - one.lengths).max(axis=1) <= 0.03
        expected.append(bool(near.any()))
        kept += [] if near.any() else [place]
    found = find_alike(made, 0.03)
    assert [one is not None for one in found] == expected
    assert set(kept) >= {one for one in found if one is not None}


def test_the_nearest_known_one_is_named():
    known = [Fingerprint(((29, 1),), np.array([row])) for row in (1.0, 2.0, 2.3)]
    sought = [Fingerprint(((29, 1),), np.array([row])) for row in (1.4, 2.2, 9.0)]
    assert find_like_known(sought, known, 0.5) == [0, 2, None]
    assert find_like_known([Fingerprint(((1, 1),), np.array([1.0]))], known, 0.5) == [None]
    assert find_like_known(sought, [], 0.5) == [None] * 3


def test_exact_and_near_duplicates_are_refused_and_named(known):
    first = copper(seed=1)
    moved = turned(permuted(first))
    rattled = first.copy()
    rattled.positions += np.random.default_rng(2).normal(0.0, 1e-5, (32, 3))
    larger = first.repeat((1, 1, 2))
    candidates = Configurations.from_atoms(
        [first, first, moved, rattled, larger, copper(seed=2)], identifiers=list("abcdef")
    )
    verdicts = gate(candidates, known)
    assert [verdict.rule for verdict in verdicts] == [
        "passed",
        "duplicate",
        "near_duplicate",
        "near_duplicate",
        "near_duplicate",
        "passed",
    ]
    assert verdicts[1].detail == "equal to a"
    assert "those of a within 0.001 A" in verdicts[2].detail
    lenient = gate(candidates, known, GateSettings(duplicate_tolerance=None))
    assert count_verdicts(lenient) == {"duplicate": 1, "passed": 5}


def test_what_is_known_is_not_labelled_again(known):
    verdicts = gate(concatenate([known, Configurations.from_atoms([copper()])]), known)
    assert count_verdicts(verdicts) == {"duplicate": 4, "passed": 1}
    assert verdicts[0].detail == f"equal to {known.identifier[0]}"


def test_other_species_at_the_same_places_are_no_duplicates(known):
    candidates = Configurations.from_atoms([copper(), copper()])
    numbers = candidates.numbers.copy()
    numbers[32] = 28
    assert count_verdicts(gate(candidates.replace(numbers=numbers), known)) == {"passed": 2}


def test_frames_of_one_trajectory_are_no_duplicates(make_cells, known):
    frames = make_cells(30, seed=4, rattle=0.1, strain=0.0, repeats=(3,))
    assert count_verdicts(gate(frames, known)) == {"passed": 30}


def test_what_is_like_a_quarantined_configuration_is_not_asked_for_again(known):
    failed = Configurations.from_atoms([copper(seed=1)], identifiers=["bad"])
    near = copper(seed=1)
    near.positions += np.random.default_rng(2).normal(0.0, 3e-3, (32, 3))
    candidates = Configurations.from_atoms([near, permuted(near), copper(seed=2)])
    verdicts = gate(candidates, known, quarantined=failed)
    assert [verdict.rule for verdict in verdicts] == ["quarantined", "quarantined", "passed"]
    assert verdicts[0].detail == "like bad, whose label failed for good"
    narrow = gate(candidates, known, GateSettings(quarantine_distance=1e-3), quarantined=failed)
    assert [verdict.rule for verdict in narrow] == ["passed", "near_duplicate", "passed"]
    off = gate(candidates, known, GateSettings(quarantine_distance=None), quarantined=failed)
    assert off == gate(candidates, known)


def test_what_is_like_one_whose_label_is_on_its_way_waits(known):
    pending = Configurations.from_atoms([copper(seed=1)], identifiers=["running"])
    candidates = Configurations.from_atoms([turned(copper(seed=1)), copper(seed=2)])
    for settings in (GateSettings(), GateSettings(duplicate_tolerance=None)):
        verdicts = gate(candidates, known, settings, pending=pending)
        assert [verdict.rule for verdict in verdicts] == ["pending", "passed"]
