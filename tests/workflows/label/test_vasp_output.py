# SPDX-License-Identifier: MIT
"""Reading VASP's files, against recorded outputs of real runs (recorded/README.txt)."""

import gzip
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from ase import Atoms
from ase.io.vasp import read_vasp_xml

from aiida_alpot.errors import InputFileError
from aiida_alpot.interfaces.vasp_outcar import read_outcar
from aiida_alpot.interfaces.vasp_output import KILOBAR, find_failure, read_vasprun

RECORDED = Path(__file__).with_name("recorded")
CONVERGED, UNCONVERGED = RECORDED / "converged", RECORDED / "unconverged"


def content(folder, name="vasprun.xml"):
    return gzip.decompress((folder / f"{name}.gz").read_bytes())


def lines(folder, name="OUTCAR"):
    return content(folder, name).decode().splitlines()


@pytest.fixture(scope="module")
def run():
    return read_vasprun(content(CONVERGED))


def test_energy_forces_and_stress_are_those_that_ase_reads(run):
    (atoms,) = read_vasp_xml(io.StringIO(content(CONVERGED).decode("latin-1")), index=-1)
    assert run.free_energy == atoms.get_potential_energy(force_consistent=True)
    assert run.energy_extrapolated == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    assert run.free_energy != run.energy_extrapolated
    np.testing.assert_array_equal(run.forces, atoms.get_forces())
    np.testing.assert_allclose(run.stress, atoms.get_stress(), rtol=1e-6)


def test_the_stress_is_minus_the_pressure_of_vasp_in_voigt_order(run):
    # as they stand in vasprun.xml: xx, xy, xz / yx, yy, yz / zx, zy, zz in kB
    block = ElementTree.fromstring(content(CONVERGED)).find("calculation/varray[@name='stress']")
    xx, xy, xz, _, yy, yz, _, _, zz = [float(x) for row in block for x in row.text.split()]
    assert len({round(value, 3) for value in (xx, xy, xz, yy, yz, zz)}) == 6
    np.testing.assert_allclose(
        run.stress, -np.array([xx, yy, zz, yz, xz, xy]) / 1602.1766208, rtol=1e-6
    )
    assert pytest.approx(1 / 1602.1766208, rel=1e-6) == KILOBAR


def strained_runs():
    """Each ionic step of the recorded strains as a run of its own."""
    text = content(RECORDED / "strained")
    count = len(ElementTree.fromstring(text).findall("calculation"))
    for kept in range(count):
        root = ElementTree.fromstring(text)
        for place, step in enumerate(root.findall("calculation")):
            if place != kept:
                root.remove(step)
        yield read_vasprun(ElementTree.tostring(root))


@pytest.fixture(scope="module")
def strained():
    return list(strained_runs())


def voigt_strain(cell, reference):
    strain = np.linalg.solve(reference, cell) - np.eye(3)
    strain = (strain + strain.T) / 2
    return strain[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]] * [1, 1, 1, 2, 2, 2]


def test_the_stress_is_the_derivative_of_the_free_energy_by_strain(strained):
    """dE = V stress . strain between recorded runs, for normal strains and for shears."""
    first = strained[0]
    volume = np.linalg.det(first.cell)
    seen = np.zeros(6, dtype=bool)
    for other in strained[1:]:
        strain = voigt_strain(other.cell, first.cell)
        if not np.abs(strain).max() > 1e-4:
            continue
        work = volume * (first.stress + other.stress) @ strain / 2
        assert other.free_energy - first.free_energy == pytest.approx(work, rel=0.01)
        seen |= np.abs(strain) > 1e-4
    assert seen.all()


def test_forces_of_a_recorded_displacement_pull_the_atom_back(strained):
    first = strained[0]
    pairs = 0
    for other in strained[1:]:
        shift = (other.scaled_positions - first.scaled_positions) @ first.cell
        if np.abs(shift).max() > 1e-4 and np.allclose(other.cell, first.cell):
            work = -np.sum((first.forces + other.forces) * shift) / 2
            assert other.free_energy - first.free_energy == pytest.approx(work, rel=0.001)
            pairs += 1
    assert pairs >= 2


def test_a_converged_run_is_a_label(run):
    outcar = read_outcar(lines(CONVERGED))
    assert run.electronic_steps == (12,)
    assert run.nelm == 20
    assert outcar.finished
    assert outcar.seconds == 8.668
    assert find_failure(run, outcar) is None


def test_a_run_that_stopped_at_nelm_is_none_though_its_outcar_says_that_ediff_is_reached():
    run, outcar = read_vasprun(content(UNCONVERGED)), read_outcar(lines(UNCONVERGED))
    assert any("aborting loop because EDIFF is reached" in line for line in lines(UNCONVERGED))
    assert outcar.finished
    assert np.isfinite(run.forces).all()
    cause, reason = find_failure(run, outcar)
    assert cause == "unconverged"
    assert "8 electronic steps of 8" in reason


def test_a_run_stopped_by_hand_is_none(run):
    stopped = [*lines(CONVERGED), "-------- hard stop encountered!  aborting job ... --------"]
    cause, reason = find_failure(run, read_outcar(stopped))
    assert cause == "unconverged"
    assert "hard stop" in reason


def test_newer_versions_that_say_so_are_believed(run):
    told = [*lines(CONVERGED), "---- aborting loop EDIFF was not reached (unconverged)  ----"]
    assert find_failure(run, read_outcar(told))[0] == "unconverged"


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.99])
def test_a_vasprun_that_is_cut_off_anywhere_is_refused(share):
    whole = content(CONVERGED)
    with pytest.raises(InputFileError, match=r"vasprun\.xml"):
        read_vasprun(whole[: int(share * len(whole))])


def test_an_outcar_that_is_cut_off_is_no_end_of_a_run(run):
    cut = lines(CONVERGED)[:-40]
    assert find_failure(run, read_outcar(cut))[0] == "truncated"


@pytest.mark.parametrize("written", ["NaN", "*" * 15])
def test_forces_that_are_no_numbers_are_refused(written):
    text = content(CONVERGED).decode("latin-1")
    start = text.index('<varray name="forces"')
    row = text.index("<v>", start) + 3
    spoiled = text[:row] + f" {written} 0.0 0.0 " + text[text.index("</v>", row) :]
    run = read_vasprun(spoiled.encode("latin-1"))
    assert find_failure(run, read_outcar(lines(CONVERGED)))[0] == "not finite"


def test_several_ionic_steps_are_no_label():
    run = read_vasprun(content(RECORDED / "strained"))
    assert find_failure(run, read_outcar(lines(CONVERGED)))[0] == "truncated"


def test_incar_mesh_and_cell_are_read(run):
    assert run.incar["encut"] == 300
    assert run.incar["lasph"] is True
    assert run.mesh == (4, 4, 4)
    assert run.symbols == ("Si", "Si")
    atoms = Atoms(run.symbols, scaled_positions=run.scaled_positions, cell=run.cell, pbc=True)
    assert atoms.get_volume() == pytest.approx(40.888, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "moments"),
    [("OUTCAR_four_atoms", [1.621, 1.619, 1.640, 1.640]), ("OUTCAR_one_atom", [0.643])],
)
def test_the_last_moments_of_the_atoms_are_read(name, moments):
    outcar = read_outcar(lines(RECORDED / "magnetic", name))
    np.testing.assert_array_equal(outcar.magnetic_moments, moments)


def test_runs_without_spin_have_no_moments():
    assert read_outcar(lines(CONVERGED)).magnetic_moments is None
