# SPDX-License-Identifier: MIT
"""Real GPAW labels: gradients, signs, failures, and the same numbers on two processes."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, fcc100

from aiida_alpot.configurations import Configurations
from aiida_alpot.level_of_theory import level_of_theory

pytestmark = pytest.mark.gpaw

DISPLACEMENT = 0.01  # A
STRAIN = 0.005
ALUMINIUM = {
    "xc": "PBE",
    "ecut": 220,
    "kpts": [2, 3, 3],
    "smearing": 0.2,
    "mixer": {"beta": 0.3, "weight": 1.0},
    "convergence": {"density": 1e-7, "eigenstates": 1e-11},
}
SHEAR = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]]) / 2
STRETCH = np.diag(
    [1.0, -1.0, 0.0]
)  # volume is kept, for plane waves of a cutoff have a Pulay stress


def rattled_pair():
    atoms = bulk("Al", a=4.05) * (2, 1, 1)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * SHEAR + 0.02 * STRETCH), scale_atoms=True)
    atoms.rattle(0.15, seed=3)
    return atoms


def displaced(step):
    atoms = rattled_pair()
    atoms.positions[1, 0] += step
    return atoms


def strained(strain):
    atoms = rattled_pair()
    atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    return atoms


@pytest.fixture(scope="module")
def labels(gpaw_python, label_folder, run_driver):
    """Label one pair of atoms, and the same displaced and strained both ways, in one job."""
    structures = [
        rattled_pair(),
        displaced(DISPLACEMENT),
        displaced(-DISPLACEMENT),
        *(strained(sign * STRAIN * mode) for mode in (SHEAR, STRETCH) for sign in (1, -1)),
    ]
    folder = label_folder(structures, "GPAW", ALUMINIUM)
    run_driver(folder, gpaw_python)
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert [verdict["reason"] for verdict in result["verdicts"]] == [""] * len(structures)
    return Configurations.load(folder / "labelled.npz"), folder, result


def test_the_force_is_minus_the_gradient_of_the_labelled_energy(labels):
    labelled, _, _ = labels
    gradient = (labelled.energy[1] - labelled.energy[2]) / (2 * DISPLACEMENT)
    force = labelled.forces[1, 0]
    assert abs(force) > 0.1
    assert force == pytest.approx(-gradient, abs=1e-3)


def test_the_extrapolated_energy_is_kept_beside_it_and_is_not_that_of_the_forces(labels):
    labelled, _, _ = labels
    entropy = labelled.energy_extrapolated - labelled.energy
    assert (entropy > 1e-3).all()  # the free energy F = E - TS lies below E - TS/2
    gradient = (labelled.energy_extrapolated[1] - labelled.energy_extrapolated[2]) / (
        2 * DISPLACEMENT
    )
    assert abs(labelled.forces[1, 0] + gradient) > 5e-3


@pytest.mark.parametrize(("mode", "first"), [(SHEAR, 3), (STRETCH, 5)], ids=["shear", "stretch"])
def test_the_stress_is_the_strain_gradient_of_the_labelled_energy_per_volume(labels, mode, first):
    labelled, _, _ = labels
    gradient = (labelled.energy[first] - labelled.energy[first + 1]) / (2 * STRAIN)
    xx, yy, zz, yz, xz, xy = labelled.stress[0]
    stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    expected = gradient / labelled.volumes[0]
    assert abs(expected) > 5e-3
    assert (stress * mode).sum() == pytest.approx(expected, abs=1e-3)  # eV/A^3


def test_the_labels_carry_their_level_and_the_result_the_version(labels):
    labelled, folder, result = labels
    assert labelled.level_of_theory == level_of_theory("GPAW", ALUMINIUM)
    assert result["versions"]["gpaw"][0].isdigit()
    assert "Fermi-Dirac" in (folder / "label_logs" / "00000.txt").read_text(encoding="utf-8")


def test_an_scf_that_does_not_converge_is_a_failure_with_its_reason(
    gpaw_python, label_folder, run_driver
):
    hard = Configurations.from_atoms([rattled_pair()], identifiers=["hard"])
    folder = label_folder(hard, "GPAW", ALUMINIUM | {"maxiter": 2})
    assert "0 labelled, 1 failed" in run_driver(folder, gpaw_python).stdout
    (verdict,) = json.loads((folder / "result.json").read_text(encoding="utf-8"))["verdicts"]
    assert verdict["status"] == "failed"
    assert "the SCF did not converge within 2 iterations" in verdict["reason"]
    assert verdict["reason"].endswith("see label_logs/00000.txt")
    assert len(Configurations.load(folder / "labelled.npz")) == 0


def test_moments_that_a_metal_does_not_keep_are_no_label(gpaw_python, label_folder, run_driver):
    settings = {"ecut": 150, "kpts": [2, 2, 2], "smearing": 0.3, "magmoms": {"Al": 1.5}}
    folder = label_folder([bulk("Al", a=4.05)], "GPAW", settings)
    run_driver(folder, gpaw_python)
    (verdict,) = json.loads((folder / "result.json").read_text(encoding="utf-8"))["verdicts"]
    assert verdict["status"] == "failed"
    assert "left its magnetic state: atom 0 was asked to have +1.50" in verdict["reason"]


def test_k_points_follow_the_spacing_and_are_one_where_not_periodic(
    gpaw_python, label_folder, run_driver
):
    # |b| = 2 pi / 4.05 A = 1.55 /A, and 1.55 / 0.8 is rounded up to 2
    slab = fcc100("Al", (1, 1, 2), a=4.05 * np.sqrt(2), vacuum=4)
    slab.positions[:, 2] -= slab.positions[0, 2]  # the lowest layer on the edge of the open box
    settings = {"ecut": 150, "kspacing": 0.8, "maxiter": 1}
    folder = label_folder([bulk("Al", a=4.05, cubic=True), slab], "GPAW", settings)
    run_driver(folder, gpaw_python)
    cube, flat = (
        (folder / "label_logs" / f"{index:05d}.txt").read_text(encoding="utf-8")
        for index in range(2)
    )
    assert mesh_in(cube) == [2, 2, 2]
    assert mesh_in(flat) == [2, 2, 1]


def mesh_in(log):
    """Return the mesh of k-points in a log of GPAW, old or new."""
    pattern = r"(\d+) x (\d+) x (\d+) Monkhorst|Monkhorst-Pack size: .(\d+), (\d+), (\d+)"
    return [int(number) for number in re.search(pattern, log).groups() if number]


def test_two_processes_give_the_labels_of_one(gpaw_python, labels, label_folder, run_driver):
    if find_mpirun(gpaw_python) is None:
        pytest.skip("no mpirun on this machine")
    folder = label_folder([rattled_pair()], "GPAW", ALUMINIUM)
    done = run_driver(folder, *parallel_command(gpaw_python))
    assert done.stdout.count("1 labelled, 0 failed") == 1
    log = (folder / "label_logs" / "00000.txt").read_text(encoding="utf-8")
    assert re.search(r"cores( used)?: +2\b", log)
    parallel = Configurations.load(folder / "labelled.npz")
    one, _, _ = labels
    assert parallel.energy[0] == pytest.approx(one.energy[0], abs=1e-6)
    np.testing.assert_allclose(parallel.forces, one.forces[:2], atol=1e-4)


def find_mpirun(python):
    """Return the mpirun next to a Python: another on the path may belong to another MPI."""
    return shutil.which("mpirun", path=Path(python).parent) or shutil.which("mpirun")


def parallel_command(python):
    """Return what runs a file on two processes: newer GPAW wants its own command for that."""
    program = "import gpaw; print(int(gpaw.__version__.split('.')[0]))"
    version = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    mpirun = find_mpirun(python)
    told = subprocess.run([mpirun, "--version"], capture_output=True, text=True, check=True)
    extra = ["--oversubscribe"] if "Open MPI" in told.stdout else []
    command = [mpirun, *extra, "-np", "2", python]
    return [*command, "-m", "gpaw", "python"] if int(version.stdout) > 22 else command
