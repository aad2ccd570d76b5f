# SPDX-License-Identifier: MIT
"""Equivalent cells hold one crystal, and what their labels differ by is the floor of errors."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.campaign.equivalent_cells import (
    distorted_crystals,
    equivalent_cells,
    split_name,
)
from aiida_alpot.campaign.finer_labels import finer_settings
from aiida_alpot.campaign.label_noise import measure_noise, targets_below_floor
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError
from aiida_alpot.jobs.label_driver import check_settings
from aiida_alpot.neighbors import smallest_distance

GPA = 160.21766208


@pytest.fixture(scope="module")
def crystals():
    copper, alloy = bulk("Cu", a=3.6) * (1, 1, 2), bulk("Cu", "fcc", a=3.7, cubic=True)
    alloy.symbols[0] = "Au"
    starts = Configurations.from_atoms([copper, alloy], identifiers=["copper", "alloy"])
    return distorted_crystals(starts, seed=1, most_atoms=16)


def labelled(configurations):
    structures = list(configurations)
    for atoms in structures:
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
    return Configurations.from_atoms(structures, identifiers=configurations.identifier.tolist())


@pytest.fixture(scope="module")
def own(crystals):
    return labelled(equivalent_cells(crystals, most_atoms=16))


def references(configurations):
    names = configurations.identifier
    return configurations.select([k for k, n in enumerate(names) if "/reference/" in n])


def test_each_crystal_is_strained_both_ways_and_no_atom_stays_where_symmetry_holds_it(crystals):
    assert crystals.identifier.tolist() == [
        "copper -2 %",
        "copper +2 %",
        "alloy -2 %",
        "alloy +2 %",
    ]
    forces = labelled(crystals).forces
    assert (np.abs(forces).max(axis=1) > 1e-3).all()


def test_crystals_too_large_for_a_supercell_are_left_out(crystals):
    starts = Configurations.from_atoms([bulk("Cu", a=3.6, cubic=True)], identifiers=["copper"])
    assert len(distorted_crystals(starts, seed=0, most_atoms=8)) == 2
    with pytest.raises(EmptyDataError, match="smallest has 4"):
        distorted_crystals(starts, seed=0, most_atoms=7)


def test_cells_differ_in_shape_origin_and_size(own):
    variants = [split_name(name)[1:] for name in own.identifier if name.startswith("copper -2")]
    assert [source for source, _ in variants] == [
        "reference",
        *["cell_shape"] * 3,
        "origin",
        *["supercell"] * 3,
    ]
    assert [detail for source, detail in variants if source == "supercell"] == [
        "1x1x2",
        "1x2x2",
        "2x2x2",
    ]
    assert own.n_atoms.max() == 16
    assert len(set(own.hashes())) == len(own)
    for index in range(len(own)):
        crystal = next(
            k for k in range(index, -1, -1) if split_name(own.identifier[k])[1] == "reference"
        )
        density = own.n_atoms / own.volumes
        assert density[index] == pytest.approx(density[crystal])
        nearest = [smallest_distance(own.select([k]), 5.0) for k in (index, crystal)]
        assert nearest[0] == pytest.approx(nearest[1])


def test_directions_that_are_not_periodic_are_left_alone():
    slab = bulk("Cu", a=3.6, cubic=True)
    slab.center(vacuum=5.0, axis=2)
    slab.pbc = (True, True, False)
    cells = equivalent_cells(Configurations.from_atoms([slab], identifiers=["slab"]), most_atoms=64)
    np.testing.assert_array_equal(cells.pbc, [[True, True, False]] * len(cells))
    assert np.ptp(cells.cells[:, 2, 2]) == 0.0
    assert cells.n_atoms.max() == 16


def test_a_potential_of_ase_has_no_noise(own):
    noise = measure_noise(own, {})
    assert set(noise["sources"]) == {"cell_shape", "origin", "supercell"}
    assert max(noise["floor"].values()) < 1e-6
    assert noise["cells_agree"] == {"energy": True, "forces": True, "stress": True}
    assert len(noise["crystals"]) == 4


def test_the_floor_is_what_the_best_potential_leaves(own):
    # 3 meV/atom for each moved crystal: the best potential says 1.5 for it and its reference
    moved = np.array(["/origin/" in name for name in own.identifier])
    noise = measure_noise(own.replace(energy=own.energy + 3e-3 * own.n_atoms * moved), {})
    assert noise["floor"]["energy_rmse_meV_per_atom"] == pytest.approx(1.5)
    assert noise["sources"]["origin"]["energy_largest_meV_per_atom"] == pytest.approx(1.5)
    assert noise["sources"]["cell_shape"]["energy_rmse_meV_per_atom"] < 1e-6
    assert noise["cells_agree"]["energy"]


def test_labels_that_depend_on_the_size_of_the_cell_do_not_agree(own):
    large = np.array(["/supercell/2x2x2" in name for name in own.identifier])
    spread = np.repeat(large, own.n_atoms)[:, None] * np.array([0.1, 0.0, 0.0])
    noise = measure_noise(own.replace(forces=own.forces + spread), {})
    assert noise["cells_agree"] == {"energy": True, "forces": False, "stress": True}
    figures = noise["sources"]["supercell"]
    assert figures["forces_largest_eV_per_A"] == pytest.approx(0.075)
    assert noise["floor"]["forces_rmse_eV_per_A"] == figures["forces_rmse_eV_per_A"] > 0.01


def test_what_every_atom_of_a_species_gains_alike_is_no_error_of_energies(own):
    finer = references(own)
    gains = {29: -0.5, 79: -0.8}
    offset = [
        sum(gains[int(n)] for n in finer.numbers[finer.atoms_slice(k)]) for k in range(len(finer))
    ]
    better = finer.replace(energy=finer.energy + np.array(offset), stress=finer.stress + 1 / GPA)
    noise = measure_noise(own, {"cutoff": better})
    figures = noise["sources"]["cutoff"]
    assert figures["n"] == 4
    assert figures["offset_removed"]
    assert figures["energy_rmse_meV_per_atom"] < 1e-6
    assert figures["stress_rmse_GPa"] == pytest.approx(1.0)
    # of a single crystal nothing can be told apart from an offset, so the difference counts
    one = measure_noise(own, {"cutoff": better.select([0])})["sources"]["cutoff"]
    assert not one["offset_removed"]
    assert one["energy_rmse_meV_per_atom"] == pytest.approx(500.0)


def test_cells_without_a_label_are_left_out_and_nothing_at_all_is_an_error(own):
    some = own.select([k for k, name in enumerate(own.identifier) if "/cell_shape/" not in name])
    assert set(measure_noise(some, {})["sources"]) == {"origin", "supercell"}
    without = own.select([k for k, name in enumerate(own.identifier) if "/reference/" not in name])
    with pytest.raises(EmptyDataError, match="No crystal"):
        measure_noise(without, {})


@pytest.mark.parametrize(
    ("calculator", "settings", "mesh", "cutoff"),
    [
        ("GPAW", {"ecut": 400, "kspacing": 0.3}, {"kspacing": 0.2}, {"ecut": 520.0}),
        ("GPAW", {"ecut": 400, "kpts": [4, 3, 1]}, {"kpts": [6, 5, 2]}, {"ecut": 520.0}),
        (
            "VASP",
            {"encut": 300, "family": "PBE", "kspacing": 0.3},
            {"kspacing": 0.2},
            {"encut": 390.0},
        ),
    ],
)
def test_finer_settings_change_one_thing_each(calculator, settings, mesh, cutoff):
    finer = finer_settings(calculator, settings)
    changed = {name: finer["k_mesh"][name] for name in mesh}
    assert {**finer["k_mesh"], **settings} == {**settings, **{k: settings[k] for k in mesh}}
    assert changed == {name: pytest.approx(value) for name, value in mesh.items()}
    assert finer["cutoff"] == {**settings, **cutoff}
    if calculator == "GPAW":
        for one in finer.values():
            check_settings(calculator, one)


def test_calculators_of_ase_have_nothing_to_refine():
    assert finer_settings("EMT", {}) == {}


def test_only_targets_below_the_floor_are_told():
    floor = {"forces_rmse_eV_per_A": 0.03, "energy_rmse_meV_per_atom": 1.0}
    targets = {"forces_rmse_eV_per_A": 0.02, "energy_rmse_meV_per_atom": 1.0, "other": 0.0}
    assert targets_below_floor(targets, floor) == {"forces_rmse_eV_per_A": (0.02, 0.03)}


def test_finer_settings_have_few_digits_so_that_storing_them_changes_no_level():
    finer = finer_settings("GPAW", {"ecut": 350.1, "kspacing": 0.5})
    assert finer["k_mesh"]["kspacing"] == 0.333333
    assert finer["cutoff"]["ecut"] == 455.13
