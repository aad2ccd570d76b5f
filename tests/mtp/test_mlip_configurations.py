# SPDX-License-Identifier: MIT
"""Configurations in MLIP's .cfg files and in whatever ASE reads."""

import dataclasses
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.errors import (
    EmptyDataError,
    InputFileError,
    LabelError,
    LevelOfTheoryError,
    SpeciesError,
)
from aiida_alpot.mtp.mlip_configurations import read_cfg, write_cfg
from aiida_alpot.mtp.structure_files import read_configurations, write_configurations

LEVEL_OF_THEORY = '{"code": "emt", "k": [1, 2]}'
FOREIGN = """BEGIN_CFG
 Size
    2
 SuperCell
         4.0      0.0      0.0
         0.0      5.0      0.0
         1.0      0.0      6.0
 AtomData:  id type     direct_x     direct_y     direct_z           fx          fy          fz
             1    1     0.000000     0.000000     0.000000     0.500000    0.000000   -1.000000
             2    0     0.500000     0.500000     0.250000    -0.500000    0.000000    1.000000
 Energy
        -7.25
 PlusStress:  xx          yy          zz          yz          xz          xy
        12.0    24.0    36.0     6.0     4.0     2.0
 Feature   EFS_by       VASP
 Feature   MV_grade     3.5
END_CFG

"""


@pytest.fixture(scope="module")
def configurations():
    crystal = bulk("Cu", cubic=True)
    crystal.rattle(0.1, seed=1)
    crystal.calc = EMT()
    crystal.get_forces()
    crystal.get_stress()
    alloy = bulk("Cu", cubic=True)
    alloy.symbols[0] = "Au"
    alloy.rattle(0.2, seed=2)
    alloy.info["weight"] = 2.5
    cluster = Atoms("CuAu", positions=[[0.1, 0.2, 0.3], [1e-9, 2.5, -1e-3]])
    cluster.calc = SinglePointCalculator(cluster, energy=-1 / 3)
    return Configurations.from_atoms(
        [crystal, alloy, cluster],
        identifiers=["x y", "T", "007"],
        origins=[Origin(1, "md", "chain 1", 40, 2.5), Origin(), Origin(0, "12", "1 2", 3)],
        level_of_theory=LEVEL_OF_THEORY,
    )


def assert_same(left, right):
    for field in dataclasses.fields(left):
        one, other = getattr(left, field.name), getattr(right, field.name)
        np.testing.assert_array_equal(one, other, err_msg=field.name)


@pytest.mark.parametrize("suffix", ["npz", "xyz", "extxyz", "cfg"])
def test_everything_is_found_again_to_the_last_bit(suffix, configurations, tmp_path):
    path = tmp_path / f"set.{suffix}"
    write_configurations(configurations, path)
    again = read_configurations(path)
    if suffix == "cfg":  # holds stress times volume
        np.testing.assert_allclose(again.stress, configurations.stress, rtol=1e-14)
        again = again.replace(stress=configurations.stress)
    assert_same(again, configurations)
    assert again.hashes() == configurations.hashes()


def test_masks_moments_and_partial_forces_travel_in_extended_xyz(tmp_path):
    atoms = bulk("Fe", cubic=True)
    atoms.set_array("force_mask", np.array([True, False]))
    forces = np.array([[0.1, 0.2, 0.3], [np.nan, np.nan, np.nan]])
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=forces, magmoms=[2.2, 0.1])
    configurations = Configurations.from_atoms([atoms])
    write_configurations(configurations, tmp_path / "a.xyz")
    assert_same(read_configurations(tmp_path / "a.xyz"), configurations)
    with pytest.raises(LabelError, match="forces for some atoms only"):
        write_configurations(configurations, tmp_path / "a.cfg")


def test_other_formats_are_left_to_ase(tmp_path):
    configurations = Configurations.from_atoms([bulk("Cu", cubic=True)])
    write_configurations(configurations, tmp_path / "POSCAR.vasp")
    again = read_configurations(tmp_path / "POSCAR.vasp")
    np.testing.assert_allclose(again.positions, configurations.positions)
    with pytest.raises(InputFileError, match=r"Cannot write .*set\.unknown"):
        write_configurations(configurations, tmp_path / "set.unknown")


def test_a_foreign_cfg_is_read_with_mlips_conventions(tmp_path):
    path = tmp_path / "foreign.cfg"
    path.write_text(FOREIGN + FOREIGN.replace("PlusStress", "Virial"))
    configurations = read_cfg(path, ["Ni", "Mo"])
    assert len(configurations) == 2
    assert configurations.atoms(0).get_chemical_symbols() == ["Mo", "Ni"]
    np.testing.assert_allclose(configurations.positions[1], [2.25, 2.5, 1.5])
    np.testing.assert_allclose(configurations.forces[0], [0.5, 0.0, -1.0])
    np.testing.assert_allclose(configurations.energy, -7.25)
    # PlusStress = -V sigma, order xx yy zz yz xz xy, V = 120
    expected = -np.array([12.0, 24.0, 36.0, 6.0, 4.0, 2.0]) / 120.0
    np.testing.assert_allclose(configurations.stress, [expected, expected])
    np.testing.assert_array_equal(configurations.grade, 3.5)


def test_periodic_directions_are_as_many_as_cell_vectors(tmp_path):
    structures = [Atoms("Ni", cell=[3.0, 4.0, 5.0], pbc=np.arange(3) < n) for n in range(4)]
    write_cfg(Configurations.from_atoms(structures), tmp_path / "a.cfg", ["Ni"])
    again = read_cfg(tmp_path / "a.cfg")
    assert [atoms.pbc.sum() for atoms in again] == [0, 1, 2, 3]
    np.testing.assert_array_equal(again.cells[3], np.diag([3.0, 4.0, 5.0]))


def test_motep_reads_our_files(tmp_path, configurations):
    from motep.io.mlip.cfg import read_cfg as read_with_motep

    crystal = configurations.select([0])
    write_cfg(crystal, tmp_path / "a.cfg", ["Au", "Cu"])
    (atoms,) = read_with_motep(tmp_path / "a.cfg", index=":", species=["Au", "Cu"])
    np.testing.assert_array_equal(atoms.positions, crystal.positions)
    np.testing.assert_allclose(atoms.calc.results["stress"], crystal.stress[0], rtol=1e-12)
    np.testing.assert_array_equal(atoms.calc.results["forces"], crystal.forces)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("PlusStress:", "Stress:", "no defined sign"),
        ("END_CFG", "", "ends within a configuration"),
        ("    2\n", "    3\n", "numbers are expected"),
        ("    2\n", "    two\n", "not a number of atoms"),
        ("-7.25", "nothing", "1 numbers are expected, not 'nothing'"),
        ("             2    0", "             3    0", "count from 1"),
        ("direct_z", "direct_w", "no column 'direct_z'"),
        ("BEGIN_CFG", "BEGIN", "'BEGIN_CFG' is expected"),
        (" Energy", " Enthalpy", "unknown key 'Enthalpy'"),
        ("         1.0      0.0      6.0\n", "", "direct coordinates need three"),
    ],
)
def test_a_damaged_cfg_is_named_with_the_line(old, new, what, tmp_path):
    path = tmp_path / "bad.cfg"
    path.write_text(FOREIGN.replace(old, new))
    with pytest.raises(InputFileError, match=rf"bad\.cfg, line \d+: .*{re.escape(what)}"):
        read_cfg(path, ["Ni", "Mo"])


def test_types_without_a_name_are_refused(tmp_path):
    path = tmp_path / "foreign.cfg"
    path.write_text(FOREIGN)
    with pytest.raises(SpeciesError, match="names no species"):
        read_cfg(path)
    with pytest.raises(SpeciesError, match="has the type 1, but only 1 species"):
        read_cfg(path, ["Ni"])
    configurations = read_cfg(path, ["Ni", "Mo"])
    with pytest.raises(SpeciesError, match="Mo is not among the types Ni"):
        write_cfg(configurations, path, ["Ni"])


@pytest.mark.parametrize("name", ["a.xyz", "a.cfg", "a.vasp"])
def test_empty_files_hold_no_configuration(name, tmp_path):
    path = tmp_path / name
    path.write_text("")
    with pytest.raises(EmptyDataError, match="holds no configuration"):
        read_configurations(path)
    assert len(read_configurations(path, allow_empty=True)) == 0


@pytest.mark.parametrize("name", ["a.xyz", "a.npz", "a.json", "a.unknown"])
def test_unreadable_files_give_one_line(name, tmp_path):
    path = tmp_path / name
    with pytest.raises(InputFileError, match="no such file"):
        read_configurations(path)
    path.write_text("3\nthis is no structure\nCu 0 0\n")
    with pytest.raises(InputFileError, match=re.escape(name)) as raised:
        read_configurations(path)
    assert "\n" not in str(raised.value)


def test_two_levels_of_theory_in_one_file_are_refused(tmp_path, configurations):
    path = tmp_path / "a.xyz"
    write_configurations(configurations, path)
    text = path.read_text()
    path.write_text(text + text.replace("emt", "gpaw"))
    with pytest.raises(LevelOfTheoryError, match="several levels of theory"):
        read_configurations(path)
