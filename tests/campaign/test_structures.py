# SPDX-License-Identifier: MIT
"""The same seed gives the same structures, bit for bit, and each change does what it says."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.campaign.schema import StructureItem
from aiida_alpot.campaign.structures import build_structures, generator_for
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError, LabelError, LevelOfTheoryError
from aiida_alpot.mtp.structure_files import write_configurations

EMT_LEVEL = '{"calculator":"EMT"}'


def build(folder=".", seed=0, species=("Cu",), level=EMT_LEVEL, **keys):
    return build_structures(
        StructureItem(**keys), generator_for(seed, "x"), species=species, folder=folder, level=level
    )


@pytest.fixture
def labelled_file(tmp_path):
    frames = []
    for scale in (0.98, 1.0, 1.02):
        atoms = bulk("Cu", a=3.6 * scale)
        atoms.calc = EMT()
        atoms.get_forces(), atoms.get_stress()
        frames.append(atoms)
    configurations = Configurations.from_atoms(frames, level_of_theory=EMT_LEVEL)
    write_configurations(configurations, tmp_path / "labelled.npz")
    return tmp_path / "labelled.npz"


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    keys = {"crystal": "fcc", "a": 3.6, "supercell": 2, "strain": 0.01, "rattle": 0.03, "copies": 2}
    first, again, other = build(seed=0, **keys), build(seed=0, **keys), build(seed=1, **keys)
    for one, two, three in zip(first, again, other, strict=True):
        assert np.array_equal(one.positions, two.positions)
        assert np.array_equal(one.cell.array, two.cell.array)
        assert not np.allclose(one.positions, three.positions)


def test_copies_differ_from_one_another():
    one, two = build(crystal="fcc", a=3.6, supercell=2, rattle=0.03, copies=2)
    assert not np.allclose(one.positions, two.positions)


def test_strain_is_symmetric_and_within_its_bound():
    (plain,) = build(crystal="fcc", a=3.6, cubic=True)
    for atoms in build(crystal="fcc", a=3.6, cubic=True, strain=0.01, copies=50):
        strain = np.linalg.solve(plain.cell.array, atoms.cell.array) - np.eye(3)
        assert np.allclose(strain, strain.T, atol=1e-12)
        assert np.abs(strain).max() <= 0.01
        assert np.allclose(atoms.get_scaled_positions(), plain.get_scaled_positions())


def test_rattle_has_the_standard_deviation_that_is_asked_for():
    (plain,) = build(crystal="fcc", a=3.6, supercell=6)
    (rattled,) = build(crystal="fcc", a=3.6, supercell=6, rattle=0.03)
    assert np.std(rattled.positions - plain.positions) == pytest.approx(0.03, rel=0.1)


def test_scales_change_the_lattice_constant():
    cells = build(crystal="fcc", a=3.6, cubic=True, scales=[0.99, 1.01])
    assert [atoms.cell.array[0, 0] for atoms in cells] == pytest.approx([3.564, 3.636])


def test_a_vacancy_leaves_107_of_108_atoms():
    (atoms,) = build(crystal="fcc", a=3.6, cubic=True, supercell=3, vacancies=1)
    assert len(atoms) == 107


def test_substitution_changes_the_share_that_is_asked_for():
    (atoms,) = build(
        formula="Cu", crystal="fcc", a=3.8, cubic=True, supercell=2,
        substitute={"Au": 0.25, "Ni": 0.5}, species=("Cu", "Au", "Ni"),
    )  # fmt: skip
    assert dict(atoms.symbols.formula.count()) == {"Cu": 8, "Au": 8, "Ni": 16}


def test_compounds_are_built_from_their_formula():
    (atoms,) = build(formula="NaCl", crystal="rocksalt", a=5.6, species=("Na", "Cl"))
    assert sorted(atoms.get_chemical_symbols()) == ["Cl", "Na"]


@pytest.mark.parametrize(
    ("index", "volumes"), [(0, [0]), (-1, [2]), ("1:", [1, 2]), ("::2", [0, 2]), (None, [0, 1, 2])]
)
def test_an_index_picks_structures_as_in_python(index, volumes, labelled_file):
    expected = [bulk("Cu", a=3.6 * (0.98, 1.0, 1.02)[i]).get_volume() for i in volumes]
    picked = build(folder=labelled_file.parent, file="labelled.npz", labels="use", index=index)
    assert [atoms.get_volume() for atoms in picked] == pytest.approx(expected)


def test_an_index_that_picks_nothing_is_refused(labelled_file):
    with pytest.raises(EmptyDataError, match="7"):
        build(folder=labelled_file.parent, file="labelled.npz", labels="drop", index=7)


def test_labels_of_a_file_need_a_word_about_their_use(labelled_file):
    with pytest.raises(LabelError, match="labels: use"):
        build(folder=labelled_file.parent, file="labelled.npz")


def test_labels_are_kept_when_used_and_gone_when_dropped_or_moved(labelled_file):
    folder = labelled_file.parent
    used = build(folder=folder, file="labelled.npz", labels="use")
    dropped = build(folder=folder, file="labelled.npz", labels="drop")
    moved = build(folder=folder, file="labelled.npz", labels="use", rattle=0.01)
    assert Configurations.from_atoms(used).labelled.all()
    assert not Configurations.from_atoms(dropped).labelled.any()
    assert not Configurations.from_atoms(moved).labelled.any()


def test_labels_of_another_level_of_theory_are_refused(labelled_file):
    with pytest.raises(LevelOfTheoryError, match="labels: drop"):
        build(folder=labelled_file.parent, file="labelled.npz", labels="use", level="other")
