# SPDX-License-Identifier: MIT
"""The gate before labels: each rule, and its words."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.selection.gate import GateSettings, gate, judge
from aiida_alpot.selection.gate.cells import _wrong_shape, face_distances, find_wrong_shapes


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
    lenient = {"max_volume_factor": None, "fragment_factor": None}
    assert verdict_on(copper(a=6.5), known, **lenient).passed
    flat = copper()
    flat.set_cell(flat.cell.array * [[1], [1], [1e-9]])
    assert verdict_on(flat, known).rule == "volume"
    cluster = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.4]])
    assert verdict_on(cluster, known).passed


def test_cells_that_are_too_large_or_empty_are_refused(known):
    verdict = verdict_on(copper(), known, max_atoms=31)
    assert (verdict.rule, verdict.detail) == ("size", "32 atoms, at most 31 are labelled")
    assert verdict_on(Atoms(), known).rule == "size"


def test_atoms_that_flew_away_are_refused_before_distances_are_looked_for(known):
    atoms = copper()
    atoms.positions[4, 2] = 1e12
    verdict = verdict_on(atoms, known)
    assert verdict.rule == "finite"
    assert "atom 4 is 1e+12 A away" in verdict.detail


def test_densities_are_in_grams_per_cubic_centimetre(known):
    a = 3.615  # of copper: 4 atoms of 63.546 u in a^3
    assert verdict_on(copper(a=a), known, min_density=8.9, max_density=9.0).passed
    verdict = verdict_on(copper(a=a), known, min_density=9.0)
    assert (verdict.rule, verdict.detail) == ("volume", "8.93 g/cm^3, less than 9")
    assert verdict_on(copper(a=a), known, max_density=8.9).rule == "volume"


def test_skewed_elongated_and_thin_cells_are_refused(known):
    skewed = copper()
    skewed.cell[1] += 5.0 * skewed.cell[0]
    verdict = verdict_on(skewed, known)
    assert verdict.rule == "shape"
    assert "11.3 degrees from parallel" in verdict.detail
    assert verdict_on(skewed, known, min_cell_angle=11.0).passed
    chain = bulk("Cu", cubic=True).repeat((40, 1, 1))
    assert "40.0 times as long" in verdict_on(chain, known).detail
    assert verdict_on(chain, known, max_aspect_ratio=40.1).passed
    verdict = verdict_on(copper(), known, min_thickness=7.3)
    assert (verdict.rule, verdict.detail[:24]) == ("shape", "opposite faces of the ce")


def test_cells_are_refused_by_their_shapes_whether_they_come_alone_or_together():
    rng = np.random.default_rng(5)
    atoms = []
    for _ in range(300):
        one = Atoms("Cu", cell=rng.normal(size=(3, 3)) * rng.uniform(0.5, 6.0, (3, 1)), pbc=True)
        one.cell[2] *= rng.choice([1.0, 20.0])
        atoms.append(one)
    atoms[7].cell[1] = atoms[7].cell[0]
    atoms[8].pbc = (True, False, True)
    cells = Configurations.from_atoms(atoms)
    every = {}
    for keys in ({}, {"min_thickness": None, "min_cell_angle": None, "max_aspect_ratio": None}):
        settings = GateSettings(**keys)
        together = find_wrong_shapes(cells, np.arange(300), settings)
        alone = {
            place: reason
            for place, one in enumerate(atoms)
            for reason in [_wrong_shape(one.cell.array[one.pbc], settings)]
            if reason
        }
        assert together == alone
        every[len(keys)] = len(together)
    assert 100 < every[0] < 280
    assert 1 <= every[3] < 10


def test_without_limits_no_distance_is_looked_at(known, monkeypatch):
    def refuse(*_):
        raise AssertionError("distances were computed")

    monkeypatch.setattr(judge, "pair_blocks", refuse)
    nothing = {"min_distance_factor": 0.0, "fragment_factor": None, "duplicate_tolerance": None}
    pair = Configurations.from_atoms([copper(), copper()])
    rules = [one.rule for one in gate(pair, known, GateSettings(**nothing))]
    assert rules == ["passed", "duplicate"]


def test_shapes_are_judged_along_periodic_directions_alone(known):
    slab = fcc111("Cu", (2, 2, 4), a=3.6, vacuum=60.0)
    slab.pbc = (True, True, False)
    slab.cell[2] = 0.0
    assert verdict_on(slab, known).passed
    slab.cell[1] = 1e-5 * slab.cell[1]
    assert verdict_on(slab, known, min_thickness=None).rule == "shape"


def test_face_distances_are_volumes_over_areas():
    vectors = np.random.default_rng(1).normal(size=(3, 3))
    volume = abs(np.linalg.det(vectors))
    areas = [np.linalg.norm(np.cross(vectors[i - 2], vectors[i - 1])) for i in range(3)]
    np.testing.assert_allclose(face_distances(vectors), volume / np.array(areas))
    np.testing.assert_allclose(face_distances(vectors[:1]), np.linalg.norm(vectors[0]))
    assert (face_distances(np.ones((2, 3))) == 0.0).all()


def test_atoms_that_left_a_slab_are_refused(known):
    slab = fcc111("Cu", (2, 2, 4), a=3.6, vacuum=8.0, periodic=True)
    labelled = concatenate([known, Configurations.from_atoms([slab])])
    hot = slab.copy()
    hot.rattle(0.1, seed=3)
    assert verdict_on(hot, labelled).passed
    left = hot.copy()
    left.positions[-1, 2] += 4.5
    verdict = verdict_on(left, labelled)
    assert verdict.rule == "fragments"
    assert verdict.detail == "2 pieces, known configurations have at most 1"
    assert verdict_on(left, labelled, fragment_factor=None).passed
    through_the_vacuum = hot.copy()  # the piece is next to the image of the slab
    through_the_vacuum.positions[-1, 2] += 8.0 + 8.0 - 2.4
    assert verdict_on(through_the_vacuum, labelled).passed


def test_molecules_may_be_as_many_pieces_as_known_ones_of_their_composition():
    water = molecule("H2O")
    box = [water.copy() for _ in range(2)]
    box[1].positions += (0.0, 3.5, 0.0)
    pair = box[0] + box[1]
    pair.set_cell([9, 9, 9])
    pair.pbc = True
    known = Configurations.from_atoms([pair])
    assert verdict_on(pair_moved(pair, 0.02), known).passed
    broken = pair.copy()
    broken.positions[1] -= (0.0, 0.0, 3.0)
    assert "3 pieces" in verdict_on(broken, known).detail


def pair_moved(atoms, size):
    moved = atoms.copy()
    moved.rattle(size, seed=1)
    return moved


def test_other_compositions_may_fall_apart_no_more_per_atom_than_known_ones(known):
    water = molecule("H2O")
    gas = sum((shifted(water, 4.0 * n) for n in range(1, 4)), shifted(water, 0.0))
    gas.set_cell([9, 9, 16])
    gas.pbc = True
    smaller = gas[:6]
    both = Configurations.from_atoms([gas, molecule("H2")])
    assert verdict_on(smaller, both).passed
    only_one_piece = Configurations.from_atoms([water])
    assert verdict_on(smaller, only_one_piece).rule == "fragments"


def shifted(atoms, height):
    moved = atoms.copy()
    moved.positions[:, 2] += height
    return moved


def test_a_chain_may_keep_the_pieces_that_it_started_from(known):
    apart = copper()
    del apart[2:]
    apart.set_cell([20, 20, 20])
    apart.positions[:] = [[1, 1, 1], [1, 1, 9]]
    later = apart.copy()
    later.positions[1] += 0.3
    broken = copper()
    candidates = Configurations.from_atoms(
        [later, apart, broken],
        origins=[
            Origin(1, "nvt", chain, step, 3.0) for chain, step in (("a", 9), ("a", 0), ("b", 5))
        ],
    )
    settings = GateSettings(max_volume_factor=None, duplicate_tolerance=None)
    assert [verdict.passed for verdict in gate(candidates, known, settings)] == [True] * 3
    not_the_start = candidates.replace(step=candidates.step + 1)
    rules = [verdict.rule for verdict in gate(not_the_start, known, settings)]
    assert rules == ["fragments", "fragments", "passed"]
    first = gate(not_the_start, Configurations.empty(), settings)
    assert [verdict.passed for verdict in first] == [True] * 3


def test_cores_that_overlap_are_refused(known):
    nearest = copper().get_all_distances(mic=True)[np.triu_indices(32, 1)].min()
    radius = 0.5 * nearest
    assert verdict_on(copper(), known, core_radii={"Cu": 0.999 * radius}, core_overlap=0).passed
    verdict = verdict_on(copper(), known, core_radii={"Cu": 1.001 * radius}, core_overlap=0)
    assert verdict.rule == "core"
    assert "their cores reach" in verdict.detail
    lenient = {"core_radii": {"Cu": 1.2 * radius}, "core_overlap": 0.2}
    assert verdict_on(copper(), known, **lenient).passed
    assert verdict_on(copper(), known, core_radii={"Ni": 9.0}, core_overlap=0).passed


def test_grades_above_a_cap_are_refused_where_there_are_grades(known):
    candidates = Configurations.from_atoms([copper(seed=seed) for seed in range(3)])
    graded = candidates.replace(grade=np.array([5.0, 1e6, np.nan]))
    verdicts = gate(graded, known, GateSettings(max_grade=1e3))
    assert [verdict.rule for verdict in verdicts] == ["passed", "grade", "passed"]
    assert verdicts[1].detail == "grade 1e+06, more than 1000"


def test_large_predicted_forces_are_refused_where_there_are_forces(known):
    configurations = Configurations.from_atoms([copper()])
    forces = np.zeros((32, 3))
    forces[7] = (0.0, 30.0, 40.0)
    verdict = gate(configurations.replace(forces=forces), known)[0]
    assert verdict.rule == "force"
    assert "50.0 eV/A" in verdict.detail
    off = GateSettings(max_force=None)
    assert gate(configurations.replace(forces=forces), known, off)[0].passed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_atoms": 0}, "max_atoms of the gate is 0"),
        ({"min_distance_factor": -0.1}, "min_distance_factor"),
        ({"min_distances": {"Cu": 2.0}}, "'Cu' of the gate"),
        ({"min_distances": {"Cu-Xx9": 2.0}}, "two chemical symbols"),
        ({"min_distances": {"Cu-Cu": -2.0}}, "smallest distance of Cu-Cu"),
        ({"min_distance": 2.0}, "Unknown key 'min_distance'"),
        ({"max_aspect_ratio": 0.5}, "at least 1"),
        ({"core_overlap": 1.0}, "core_overlap of the gate is 1.0"),
        ({"core_radii": {"Xx": 1.0}}, "chemical symbols with radii"),
        ({"core_radii": {"Cu": 0.0}}, "core_radii of the gate has 0.0 for 'Cu'"),
        ({"min_thickness": -1.0}, "min_thickness of the gate is -1.0"),
        ({"min_distance_factor": "nan"}, "'min_distance_factor' of the gate is 'nan'"),
        ({"duplicate_tolerance": "1e-3"}, "it must be a number"),
        ({"core_radii": [1.0]}, "'core_radii' of the gate"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        GateSettings.from_mapping(settings)
