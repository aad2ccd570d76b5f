# SPDX-License-Identifier: MIT
"""The gate before labels: each rule, and its words."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.selection.gate import GateSettings, count_verdicts, gate


@pytest.fixture(scope="module")
def known(make_cells):
    return make_cells(4, rattle=0.03, repeats=(2,))


def copper(a=3.6, rattle=0.04, seed=11):
    atoms = bulk("Cu", "fcc", a=a, cubic=True).repeat(2)
    atoms.positions += np.random.default_rng(seed).normal(0.0, rattle, (len(atoms), 3))
    return atoms


def verdict_on(atoms, known, **settings):
    (verdict,) = gate(Configurations.from_atoms([atoms]), known, GateSettings(**settings))
    return verdict


def test_a_thermal_frame_passes(known):
    verdict = verdict_on(copper(rattle=0.12), known)
    assert verdict.passed
    assert verdict.rule == "passed"
    assert verdict.detail == ""


def test_positions_or_cells_that_are_not_finite_are_refused(known):
    atoms = copper()
    atoms.positions[5, 1] = np.nan
    verdict = verdict_on(atoms, known)
    assert (verdict.passed, verdict.rule) == (False, "finite")
    assert "atom 5" in verdict.detail
    broken = Configurations.from_atoms([copper()])
    broken = broken.replace(cells=np.full((1, 3, 3), np.inf))
    assert gate(broken, known)[0].rule == "finite"


def test_atoms_nearer_than_a_fraction_of_what_is_known_are_refused(known):
    atoms = copper()
    atoms.positions[1] = atoms.positions[0] + (1.5, 0.0, 0.0)
    verdict = verdict_on(atoms, known)
    assert verdict.rule == "distance"
    assert "Cu-Cu at 1.500 A" in verdict.detail
    assert "0.7 x the smallest known" in verdict.detail
    assert verdict_on(atoms, known, min_distance_factor=0.5).passed


def test_given_distances_replace_those_that_are_known(known):
    assert verdict_on(copper(), known, min_distances={"Cu-Cu": 2.8}).rule == "distance"
    assert verdict_on(copper(), known, min_distances={"Ni-Cu": 2.8}).passed


def test_pairs_that_are_not_known_are_measured_by_covalent_radii(known):
    atoms = copper()
    atoms.numbers[0] = 28
    assert verdict_on(atoms, known).passed
    atoms.positions[0] += (0.7, 0.7, 0.0)
    verdict = verdict_on(atoms, known)
    assert verdict.rule == "distance"
    assert "covalent radii" in verdict.detail
    first = verdict_on(copper(), Configurations.empty())
    assert first.passed


def test_cells_that_shrank_or_evaporated_are_refused(known):
    verdict = verdict_on(copper(a=2.7), known)
    assert verdict.rule == "volume"
    assert "the smallest known" in verdict.detail
    assert verdict_on(copper(a=6.5), known).rule == "volume"
    assert verdict_on(copper(a=6.5), known, max_volume_factor=None).passed
    flat = copper()
    flat.set_cell(flat.cell.array * [[1], [1], [1e-9]])
    assert verdict_on(flat, known).rule == "volume"
    cluster = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.4]])
    assert verdict_on(cluster, known).passed


def test_cells_that_are_too_large_or_empty_are_refused(known):
    verdict = verdict_on(copper(), known, max_atoms=31)
    assert (verdict.rule, verdict.detail) == ("size", "32 atoms, at most 31 are labelled")
    assert verdict_on(Atoms(), known).rule == "size"


def test_large_predicted_forces_are_refused_where_there_are_forces(known):
    configurations = Configurations.from_atoms([copper()])
    forces = np.zeros((32, 3))
    forces[7] = (0.0, 30.0, 40.0)
    verdict = gate(configurations.replace(forces=forces), known)[0]
    assert verdict.rule == "force"
    assert "50.0 eV/A" in verdict.detail
    off = GateSettings(max_force=None)
    assert gate(configurations.replace(forces=forces), known, off)[0].passed


def test_exact_and_near_duplicates_are_refused_and_named(known):
    first = copper(seed=1)
    moved = first[np.random.default_rng(0).permutation(len(first))]
    moved.positions += (0.3, 1.7, -0.4)
    moved.rotate(40.0, (1, 1, 2), rotate_cell=True)
    rattled = first.copy()
    rattled.positions += np.random.default_rng(2).normal(0.0, 1e-5, (32, 3))
    candidates = Configurations.from_atoms(
        [first, first, moved, rattled, copper(seed=2)], identifiers=list("abcde")
    )
    verdicts = gate(candidates, known)
    assert [verdict.rule for verdict in verdicts] == [
        "passed",
        "duplicate",
        "near_duplicate",
        "near_duplicate",
        "passed",
    ]
    assert verdicts[1].detail == "equal to a"
    assert "those of a within 0.001 A" in verdicts[2].detail
    lenient = gate(candidates, known, GateSettings(duplicate_tolerance=None))
    assert count_verdicts(lenient) == {"duplicate": 1, "passed": 4}


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_atoms": 0}, "max_atoms of the gate is 0"),
        ({"min_distance_factor": -0.1}, "min_distance_factor"),
        ({"min_distances": {"Cu": 2.0}}, "'Cu' of the gate"),
        ({"min_distances": {"Cu-Xx9": 2.0}}, "two chemical symbols"),
        ({"min_distances": {"Cu-Cu": -2.0}}, "smallest distance of Cu-Cu"),
        ({"min_distance": 2.0}, "Unknown key 'min_distance'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        GateSettings.from_mapping(settings)
