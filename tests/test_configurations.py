# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.configuration_checks import check_geometry, check_labels
from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import (
    EmptyDataError,
    GeometryError,
    InputFileError,
    LabelError,
    LevelOfTheoryError,
)


def labelled_copper(*, scale: float = 1.0) -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell * scale, scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    atoms.get_potential_energy()
    atoms.get_stress()
    return atoms


@pytest.fixture
def mixed() -> Configurations:
    cluster = molecule("H2O")
    slab = Atoms("Cu2", [[0, 0, 0], [1.8, 1.8, 0]], cell=[3.6, 3.6, 0], pbc=(True, True, False))
    origins = [Origin(1, "nvt", "bulk", 7, 3.5), Origin(), Origin()]
    return Configurations.from_atoms(
        [labelled_copper(), cluster, slab], origins=origins, level_of_theory='{"calculator":"EMT"}'
    )


def assert_same(one: Configurations, other: Configurations) -> None:
    assert one.to_bytes() == other.to_bytes()


def test_structures_come_back_as_they_were_given(mixed):
    copper = labelled_copper()
    back = mixed.atoms(0)
    assert back == copper
    assert back.get_potential_energy() == copper.get_potential_energy()
    np.testing.assert_array_equal(back.get_forces(), copper.get_forces())
    np.testing.assert_array_equal(back.get_stress(), copper.get_stress())
    assert mixed.atoms(1) == molecule("H2O")
    assert mixed.origin(0) == Origin(1, "nvt", "bulk", 7, 3.5)


def test_a_set_survives_the_way_through_atoms(mixed):
    assert_same(
        Configurations.from_atoms(list(mixed), level_of_theory=mixed.level_of_theory), mixed
    )


def test_the_same_content_gives_the_same_bytes(mixed, tmp_path):
    mixed.save(tmp_path / "one.npz")
    Configurations.load(tmp_path / "one.npz").save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_the_empty_set_can_be_stored_selected_and_joined(mixed):
    empty = Configurations.empty()
    assert len(Configurations.from_bytes(empty.to_bytes())) == 0
    assert len(empty.select([])) == 0
    assert len(empty.labelled) == 0
    assert_same(concatenate([empty, mixed, empty]), mixed)


def test_selecting_everything_in_parts_and_joining_gives_the_set_back(mixed):
    assert_same(concatenate([mixed.select([0]), mixed.select([1, 2])]), mixed)
    assert_same(mixed.select(np.array([True, True, True])), mixed)


def test_labels_count_as_present_with_an_energy_or_with_forces(mixed):
    np.testing.assert_array_equal(mixed.labelled, [True, False, False])
    chunk = labelled_copper()
    chunk.calc = SinglePointCalculator(chunk, forces=np.ones((4, 3)))
    chunk.set_array("force_mask", np.array([True, False, False, False]))
    only_force = Configurations.from_atoms([chunk])
    assert only_force.labelled.all()
    assert np.isnan(only_force.energy).all()
    np.testing.assert_array_equal(only_force.force_mask, [True, False, False, False])


def test_the_free_energy_is_the_label_and_the_extrapolated_energy_stays_beside_it():
    atoms = bulk("Al")
    atoms.calc = SinglePointCalculator(atoms, energy=-3.9)
    atoms.calc.results["free_energy"] = -4.0
    configurations = Configurations.from_atoms([atoms])
    assert configurations.energy[0] == -4.0
    assert configurations.energy_extrapolated[0] == -3.9


def test_results_of_another_geometry_are_not_taken_for_labels():
    atoms = labelled_copper()
    atoms.positions[0, 0] += 0.1
    assert not Configurations.from_atoms([atoms]).labelled.any()


def test_the_hash_depends_on_the_structure_alone(mixed):
    renamed = mixed.without_labels().replace(identifier=np.array(["a", "b", "c"]))
    assert renamed.hashes() == mixed.hashes()
    moved = mixed.positions.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], 1)
    assert mixed.replace(positions=moved).hashes()[0] != mixed.hashes()[0]
    assert mixed.replace(positions=moved).hashes()[1:] == mixed.hashes()[1:]


def test_two_levels_of_theory_never_meet_in_one_set(mixed):
    other = mixed.replace(level_of_theory='{"calculator":"LennardJones"}')
    with pytest.raises(LevelOfTheoryError, match=r"EMT.*LennardJones"):
        concatenate([mixed, other])
    assert len(concatenate([mixed, other.without_labels()])) == 6


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "not a readable"), (b"PK\x03\x04 cut", "not a readable")]
)
def test_a_broken_file_is_refused_in_one_line(tmp_path, content, reason):
    (tmp_path / "broken.npz").write_bytes(content)
    with pytest.raises(InputFileError, match=reason) as error:
        Configurations.load(tmp_path / "broken.npz")
    assert "\n" not in str(error.value)


def test_a_truncated_file_and_a_missing_one_are_refused(mixed, tmp_path):
    content = mixed.to_bytes()
    with pytest.raises(InputFileError, match="truncated"):
        Configurations.from_bytes(content[: len(content) // 2])
    with pytest.raises(InputFileError, match="No such file"):
        Configurations.load(tmp_path / "absent.npz")


def test_a_pickle_inside_the_file_is_never_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", numbers=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputFileError):
        Configurations.load(tmp_path / "evil.npz")


def with_nan_position() -> Atoms:
    atoms = bulk("Cu")
    atoms.positions[0, 1] = np.nan
    return atoms


@pytest.mark.parametrize(
    ("atoms", "reason"),
    [
        (with_nan_position(), "position of atom 0 is not finite"),
        (Atoms("Cu2", [[0, 0, 0], [0, 0, 0.1]]), "atoms 0 and 1 overlap"),
        (Atoms("Cu", cell=[3, 3, 0], pbc=True), "no volume"),
        (Atoms(), "has no atom"),
    ],
)
def test_a_structure_that_cannot_be_used_is_named(atoms, reason):
    with pytest.raises(GeometryError, match=reason):
        check_geometry(Configurations.from_atoms([atoms]))


def test_usable_structures_pass_and_nothing_is_refused(mixed):
    check_geometry(mixed)
    with pytest.raises(EmptyDataError):
        check_geometry(Configurations.empty())


def test_labels_that_are_not_numbers_are_refused(mixed):
    with pytest.raises(LabelError, match="Configuration 1 has no energy"):
        check_labels(mixed)
    only_copper = mixed.select([0])
    check_labels(only_copper)
    forces = only_copper.forces.copy()
    forces[2, 1] = np.nan
    with pytest.raises(LabelError, match="NaN"):
        check_labels(only_copper.replace(forces=forces))
    with pytest.raises(LabelError, match="infinite"):
        check_labels(only_copper.replace(energy=np.array([np.inf])))
