# SPDX-License-Identifier: MIT
"""The ZBL core: its values, smooth curves, what it leaves alone, collisions, files."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
from ase import Atoms, units
from ase.data import covalent_radii
from ase.md.verlet import VelocityVerlet
from motep.io.mlip.mtp import read_mtp

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import InputFileError, SettingError, SpeciesError
from aiida_alpot.grading import potential_hash
from aiida_alpot.mtp import MTP, energy_rows
from aiida_alpot.mtp.evaluate import Evaluation, evaluate
from aiida_alpot.mtp.jacobian import block_jacobian, make_environment
from aiida_alpot.mtp.mlip_files import dump_potential, parse_potential, write_potential
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential
from aiida_alpot.mtp.repulsion import core_of_training
from aiida_alpot.mtp.zbl import CorePair, ZblCore, screened_repulsion

from .builders import (
    central_difference,
    every_structure,
    fcc_rattled,
    random_potential,
    slab_mixed_pbc,
    small_ternary,
    species_of,
    triclinic_binary,
)

# eV at 0.3, 0.5, 1.0, 1.5, 2.0 A
TABLE = {
    "W-W": (27277.61, 6121.92, 435.79, 60.11, 11.862),
    "Cu-Cu": (5844.68, 1476.04, 135.03, 22.216, 5.048),
    "Al-Al": (1509.48, 418.11, 46.029, 8.797, 2.225),
    "Si-Si": (1712.71, 470.49, 50.974, 9.611, 2.407),
    "W-H": (641.81, 175.81, 18.944, 3.555, 0.887),
    "W-He": (1208.50, 323.68, 33.369, 6.036, 1.467),
    "W-Be": (2254.52, 588.58, 57.642, 10.001, 2.360),
}
PAIRS = ("Cu-Cu", "W-H", "W-Be", "Al-Al")


def gentle_potential(*species: str, level: int = 8, seed: int = 3) -> MomentTensorPotential:
    """Return a potential whose dimers have energies of the order of 0.1 eV within its data."""
    rng = np.random.default_rng(seed)
    potential = initial_potential(level, 5.0, species=species, min_distance=2.0, rng=rng)
    n_radial = potential.n_radial_parameters
    linear = 0.02 * rng.standard_normal(potential.n_parameters - n_radial)
    return potential.with_parameters(np.concatenate([potential.parameters[:n_radial], linear]))


def core_of_all(species, inner: float, outer: float, *, fades: bool = True) -> ZblCore:
    pairs = [(a, b) for i, a in enumerate(species) for b in species[i:]]
    return ZblCore(tuple(CorePair(a, b, inner, outer) for a, b in pairs), fades)


def wide_core(potential: MomentTensorPotential) -> MomentTensorPotential:
    """Return the potential with a core that reaches into the structures of these tests."""
    return potential.with_core(core_of_all(potential.species, 1.2, 3.3))


def evaluate_atoms(potential: MomentTensorPotential, *structures: Atoms) -> Evaluation:
    return evaluate(potential, Configurations.from_atoms(structures))


def dimers(pair: str, distances: np.ndarray) -> list[Atoms]:
    direction = np.array([0.48, -0.64, 0.6])
    return [Atoms(pair.split("-"), positions=[[0, 0, 0], r * direction]) for r in distances]


def curve(
    potential: MomentTensorPotential, pair: str, distances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return energies and their derivatives by the distance."""
    result = evaluate_atoms(potential, *dimers(pair, distances))
    return result.energy, -result.forces[1::2] @ [0.48, -0.64, 0.6]


@pytest.mark.parametrize("pair", TABLE)
def test_the_repulsion_has_the_values_of_the_table(pair):
    energies = screened_repulsion(*pair.split("-"), np.array([0.3, 0.5, 1.0, 1.5, 2.0]))
    # the table is printed to so many digits
    for energy, printed in zip(energies, TABLE[pair], strict=True):
        digits = len(str(printed).partition(".")[2])
        assert abs(energy - printed) <= 0.6 * 10.0**-digits


@pytest.mark.parametrize("pair", TABLE)
def test_the_kernel_has_the_values_of_the_table(pair):
    species = tuple(dict.fromkeys(pair.split("-")))
    potential = gentle_potential(*species).with_core(core_of_all(species, 2.1, 2.4))
    distances = np.array([0.3, 0.5, 1.0, 1.5, 2.0])
    energy, _ = curve(potential, pair, distances)
    constants = dict(zip(species, potential.species_coefficients, strict=True))
    energy -= sum(constants[symbol] for symbol in pair.split("-"))
    np.testing.assert_allclose(energy, screened_repulsion(*pair.split("-"), distances), rtol=1e-12)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_curve_of_a_dimer_is_smooth_up_to_its_curvature(pair):
    species = tuple(dict.fromkeys(pair.split("-")))
    potential = gentle_potential(*species).with_core(core_of_all(species, 1.3, 1.9))
    step = 5e-4
    distances = np.arange(0.2, 6.0, step)
    energy, slope = curve(potential, pair, distances)
    assert np.isfinite(energy).all()
    scale = np.abs(slope) + np.abs(energy) + 1.0
    differences = (energy[2:] - energy[:-2]) / (2 * step)
    np.testing.assert_array_less(np.abs(differences - slope[1:-1]), 2e-4 * scale[1:-1])
    # at the cutoff the curvature of any moment tensor potential has a step
    slope, scale = slope[distances < 4.9], scale[distances < 4.9]

    def largest_step_of_curvature(stride):
        curvature = np.diff(slope[::stride]) / (stride * step)
        return (np.abs(np.diff(curvature)) / scale[::stride][1:-1]).max()

    # a step would not become smaller with the grid
    assert largest_step_of_curvature(1) < 0.3 * largest_step_of_curvature(4)


@pytest.mark.parametrize("pair", PAIRS)
def test_close_pairs_repel_as_nuclei_do_and_ever_more(pair):
    species = tuple(dict.fromkeys(pair.split("-")))
    bare = gentle_potential(*species)
    potential = bare.with_core(core_of_all(species, 1.3, 1.9))
    distances = np.linspace(0.2, 1.3, 200)
    energy, slope = curve(potential, pair, distances)
    assert (slope < 0.0).all()
    assert (np.diff(energy) < 0.0).all()
    nuclei = screened_repulsion(*pair.split("-"), np.array([0.5]))
    constants = curve(bare, pair, np.array([5.0]))[0]
    (at_half,), _ = curve(potential, pair, np.array([0.5]))
    np.testing.assert_allclose(at_half - constants, nuclei, rtol=1e-10)


def test_beyond_its_core_a_potential_is_the_same_to_the_last_bit():
    atoms = slab_mixed_pbc()
    bare = random_potential(10, atoms)
    potential = bare.with_core(core_of_all(bare.species, 0.9, 1.5))
    with_core, without = (evaluate_atoms(one, atoms) for one in (potential, bare))
    for field in dataclasses.fields(Evaluation):
        np.testing.assert_array_equal(getattr(with_core, field.name), getattr(without, field.name))
    np.testing.assert_array_equal(
        energy_rows(potential, Configurations.from_atoms([atoms])),
        energy_rows(bare, Configurations.from_atoms([atoms])),
    )


def test_an_overlay_is_the_potential_plus_pairs():
    atoms = triclinic_binary()
    bare = random_potential(8, atoms)
    overlay = bare.with_core(core_of_all(bare.species, 1.5, 3.0, fades=False))
    nothing = bare.with_parameters(np.zeros(bare.n_parameters)).with_core(overlay.core)
    whole, pairs, many_body = (evaluate_atoms(one, atoms) for one in (overlay, nothing, bare))
    assert pairs.energy[0] > 1.0
    np.testing.assert_allclose(whole.energy, pairs.energy + many_body.energy, rtol=1e-13)
    np.testing.assert_allclose(whole.forces, pairs.forces + many_body.forces, atol=1e-9)
    np.testing.assert_allclose(whole.stress, pairs.stress + many_body.stress, atol=1e-12)


@every_structure
def test_forces_and_stress_are_derivatives(structure):
    potential = wide_core(random_potential(8, structure))
    result = evaluate_atoms(potential, structure)
    positions = structure.positions.copy()

    def energies(steps):
        moved = []
        for step in steps:
            atoms = structure.copy()
            atoms.positions = positions + step.reshape(-1, 3)
            moved.append(atoms)
        return evaluate_atoms(potential, *moved).energy

    expected = -central_difference(energies, positions.size, 1e-4).ravel()
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(result.forces.ravel(), expected, atol=2e-7 * scale)
    if not structure.pbc.all():
        return

    def energies_strained(steps):
        strained = []
        for xx, yy, zz, yz, xz, xy in steps:
            strain = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
            atoms = structure.copy()
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            strained.append(atoms)
        return evaluate_atoms(potential, *strained).energy

    expected = central_difference(energies_strained, 6, 1e-4).ravel()
    scale = max(1.0, np.abs(expected).max())
    found = result.stress[0] * structure.get_volume()
    np.testing.assert_allclose(found, expected, atol=2e-7 * scale)


def test_rows_and_jacobian_are_derivatives_where_functions_fade():
    structures = [small_ternary(), slab_mixed_pbc()[:8]]
    structures[1].symbols[0] = "Cu"
    potential = wide_core(random_potential(6, small_ternary()))
    configurations = Configurations.from_atoms(structures)
    columns = np.random.default_rng(2).permutation(potential.n_parameters)[:40]

    def results(steps):
        found = []
        for step in steps:
            parameters = potential.parameters
            parameters[columns] += step
            result = evaluate(potential.with_parameters(parameters), configurations)
            strain = result.stress[0] * structures[0].get_volume()
            found.append([*result.site_energies, *result.forces.T.ravel(), *strain])
        return np.array(found)

    expected = central_difference(results, len(columns), 1e-3)
    n_atoms = int(configurations.offsets[-1])
    rows = energy_rows(potential, configurations)[:, columns]
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(rows.T, expected[:, :n_atoms], atol=1e-8 * scale)
    jacobian = block_jacobian(potential, make_environment(potential, configurations), (0, 2))
    found = np.concatenate(
        [jacobian.forces.reshape(potential.n_parameters, -1), jacobian.strains[:, 0]], axis=1
    )
    np.testing.assert_allclose(found[columns], expected[:, n_atoms:], atol=1e-8 * scale)


def test_the_rows_do_not_know_the_repulsion():
    configurations = Configurations.from_atoms([triclinic_binary()])
    bare = random_potential(8, triclinic_binary())
    overlay = bare.with_core(core_of_all(bare.species, 1.5, 3.0, fades=False))
    np.testing.assert_array_equal(
        energy_rows(overlay, configurations), energy_rows(bare, configurations)
    )
    assert potential_hash(overlay) != potential_hash(bare)


def test_numbers_do_not_depend_on_the_number_of_threads():
    atoms = triclinic_binary() * (12, 12, 12)
    atoms.rattle(0.3, seed=4)
    potential = wide_core(random_potential(4, triclinic_binary()))
    configurations = Configurations.from_atoms([atoms])
    one = evaluate(potential, configurations, threads=1)
    three = evaluate(potential, configurations, threads=3)
    np.testing.assert_array_equal(one.forces, three.forces)
    np.testing.assert_array_equal(one.site_energies, three.site_energies)
    np.testing.assert_array_equal(one.stress, three.stress)


@pytest.mark.parametrize("pair", ["Cu-Cu", "W-H"])
def test_a_head_on_collision_at_one_keV_conserves_energy(pair):  # noqa: N802
    species = tuple(dict.fromkeys(pair.split("-")))
    atoms = Atoms(pair.split("-"), positions=[[0, 0, 0], [0, 0, 4.5]])
    atoms.calc = MTP(gentle_potential(*species).with_core(core_of_all(species, 1.3, 1.9)))
    projectile = 1
    speed = np.sqrt(2 * 1000.0 / atoms.get_masses()[projectile])
    atoms.set_velocities([[0, 0, 0], [0, 0, -speed]])
    start = atoms.get_total_energy()
    closest, worst = np.inf, 0.0
    dynamics = VelocityVerlet(atoms, timestep=0.002 / speed)
    for _ in dynamics.irun(10_000):
        closest = min(closest, atoms.get_distance(0, 1))
        worst = max(worst, abs(atoms.get_total_energy() - start))
        if atoms.get_distance(0, 1) > 4.6:
            break
    assert closest < 0.8
    assert atoms.get_distance(0, 1) > 4.6
    assert worst < 1e-4 * 1000.0
    masses = atoms.get_masses()
    # what a head-on collision of two bodies hands over
    handed = 4 * masses[0] * masses[1] / masses.sum() ** 2 * 1000.0
    velocity = atoms.get_velocities()[0]
    assert 0.5 * masses[0] * velocity @ velocity == pytest.approx(handed, rel=0.01)
    assert dynamics.get_number_of_steps() * dynamics.dt < 1000 * units.fs


@pytest.mark.parametrize("fades", [True, False])
def test_a_written_core_reads_back(tmp_path, fades):
    potential = random_potential(6, small_ternary())
    pairs = (CorePair("Al", "Ni", 0.1 + 0.2, 1.7), CorePair("Cu", "Cu", 1.0, 2.0))
    potential = potential.with_core(ZblCore(pairs, fades))
    again = parse_potential(dump_potential(potential))
    assert again.core == potential.core
    assert again.core.pair("Ni", "Al").inner == 0.1 + 0.2
    assert dump_potential(again) == dump_potential(potential)
    atoms = small_ternary()
    np.testing.assert_array_equal(
        evaluate_atoms(again, atoms).forces, evaluate_atoms(potential, atoms).forces
    )


def test_a_pair_that_is_not_named_has_shares_of_the_covalent_radii():
    pair = ZblCore().pair("Cu", "O")
    radius = covalent_radii[29] + covalent_radii[8]
    assert pair.inner == pytest.approx(0.65 * radius)
    assert pair.outer == pytest.approx(0.95 * radius)


def test_other_readers_skip_the_core(tmp_path):
    potential = wide_core(random_potential(8, triclinic_binary()))
    write_potential(potential, tmp_path / "potential.mtp")
    data = read_mtp(tmp_path / "potential.mtp")
    np.testing.assert_array_equal(data.radial_coeffs, potential.radial_coefficients)
    np.testing.assert_array_equal(data.moment_coeffs, potential.moment_coefficients)
    assert data.species_count == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (("zbl Cu-Cu", "zbl Cu"), "garbled"),
        (("zbl Cu-Cu 1.2 3.3", "zbl Cu-Cu 1.2"), "garbled"),
        (("zbl Cu-Cu 1.2 3.3", "zbl Cu-Cu 3.3 1.2"), "garbled"),
        (("zbl Cu-Cu 1.2 3.3", "zbl Cu-Xx 1.2 3.3"), "garbled"),
        (("zbl Cu-Cu 1.2 3.3", "zbl"), "lacks the pair"),
        (("zbl Cu-Cu 1.2 3.3", "zbl Cu-Cu 1.2 3.3 Cu-Cu 1.2 3.3"), "twice"),
    ],
)
def test_a_damaged_core_is_refused(spoil, message):
    text = dump_potential(wide_core(gentle_potential("Cu")))
    assert spoil[0] in text
    with pytest.raises(InputFileError, match=message):
        parse_potential(text.replace(*spoil))


def test_default_radii_follow_the_data():
    structures = [
        Atoms("CuAu", positions=[[0, 0, 0], [0, 0, 2.5]]),
        Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.2]]),
    ]
    core = core_of_training(Configurations.from_atoms(structures), ("Cu", "Au"), 5.0)
    assert core.pair("Cu", "Au").outer == pytest.approx(0.95 * 2.5)
    assert core.pair("Cu", "Cu").inner == pytest.approx(0.65 * 2.2)
    assert core.pair("Au", "Au").outer == pytest.approx(0.95 * 2 * covalent_radii[79])
    explicit = core_of_training(
        Configurations.from_atoms(structures), ("Cu",), 5.0, inner=0.9, outer=1.4
    )
    assert explicit.pairs == (CorePair("Cu", "Cu", 0.9, 1.4),)
    single = core_of_training(
        Configurations.from_atoms(structures),
        ("Cu", "Au"),
        5.0,
        pairs={"Au-Cu": (1.0, 1.5)},
        known=core,
        overlay=True,
    )
    assert single.pair("Cu", "Au").outer == 1.5
    assert single.pair("Cu", "Cu") == core.pair("Cu", "Cu")
    assert not single.fades
    with pytest.raises(SettingError, match="'Cu-H'"):
        core_of_training(
            Configurations.from_atoms(structures), ("Cu",), 5.0, pairs={"Cu-H": (1.0, 1.5)}
        )


def test_a_core_that_cannot_be_is_refused():
    potential = gentle_potential("Cu")
    with pytest.raises(SettingError, match="0 < inner < outer"):
        CorePair("Cu", "Cu", 1.5, 1.5)
    with pytest.raises(SettingError, match=r"reaches to 5\.5 A"):
        potential.with_core(core_of_all(("Cu",), 1.0, 5.5))
    with pytest.raises(SpeciesError, match="--species"):
        dataclasses.replace(potential, species=()).with_core(ZblCore())


def test_close_pairs_are_not_reported_where_a_core_holds_them(caplog):
    potential = gentle_potential("Cu").with_core(core_of_all(("Cu",), 1.3, 1.9))
    with caplog.at_level(logging.WARNING):
        MTP(potential).calculate(Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 0.8]]))
    assert not caplog.records


def test_the_calculator_adds_the_core():
    atoms = fcc_rattled()
    potential = wide_core(random_potential(8, atoms))
    calculator = MTP(potential)
    expected = evaluate_atoms(potential, atoms)
    for _ in range(2):
        calculator.calculate(atoms)
        np.testing.assert_array_equal(calculator.results["forces"], expected.forces)
        np.testing.assert_allclose(calculator.results["stress"], expected.stress[0], rtol=1e-12)
    assert species_of(atoms) == list(potential.species)
