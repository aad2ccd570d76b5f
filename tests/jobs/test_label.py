# SPDX-License-Identifier: MIT
"""Labels are those of the calculator, each with a verdict; a bad configuration costs no other."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator
from ase.calculators.eam import EAM
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential

from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.errors import InputFileError
from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.run import run_request
from aiida_alpot.level_of_theory import level_of_theory

SILICON_TERSOFF = (
    "Si Si Si 3.0 1.0 1.3258 4.8381 2.0417 0.0 22.956 0.33675 1.3258 95.373 3.0 0.2 3.2394 3264.7\n"
)


def rattled(name, seed, **keywords):
    atoms = bulk(name, **keywords)
    atoms.rattle(0.08, seed=seed)
    return atoms


def labels_of(folder):
    result = run_request(folder)
    return Configurations.load(folder / "labelled.npz"), result


def write_eam_file(path):
    """Write a smooth alloy potential of one species in LAMMPS's setfl format."""
    density = np.linspace(0, 4, 400)
    distance = np.linspace(0, 5.5, 400)
    switch = np.where(distance < 5.5, (1 - distance / 5.5) ** 3, 0)
    columns = np.concatenate(
        [-np.sqrt(density), switch * np.exp(-distance / 2), distance * switch * np.exp(-distance)]
    )
    head = f"a\nb\nc\n1 Al\n400 {density[1]:.16e} 400 {distance[1]:.16e} 5.5\n13 26.98 4.05 fcc\n"
    path.write_text(head + "\n".join(f"{value:.16e}" for value in columns) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "settings", "direct", "atoms"),
    [
        ("EMT", {}, EMT, rattled("Cu", 0, cubic=True)),
        ("EMT", {}, EMT, molecule("H2O")),
        (
            "LennardJones",
            {"epsilon": 0.4, "sigma": 2.3, "rc": 6},
            lambda: LennardJones(epsilon=0.4, sigma=2.3, rc=6.0),
            rattled("Cu", 1, cubic=True),
        ),
        (
            "MorsePotential",
            {"epsilon": 0.35, "rho0": 4.0, "r0": 2.8},
            lambda: MorsePotential(epsilon=0.35, rho0=4.0, r0=2.8),
            rattled("Cu", 2, cubic=True),
        ),
    ],
    ids=["EMT crystal", "EMT molecule", "LennardJones", "MorsePotential"],
)
def test_labels_are_those_of_the_calculator(label_folder, name, settings, direct, atoms):
    labelled, _ = labels_of(label_folder([atoms], name, settings))
    atoms = atoms.copy()
    atoms.calc = direct()
    assert labelled.energy[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-12)
    np.testing.assert_allclose(labelled.forces, atoms.get_forces(), atol=1e-12)
    if atoms.pbc.all():
        np.testing.assert_allclose(labelled.stress[0], atoms.get_stress(), atol=1e-14)
    else:
        assert np.isnan(labelled.stress[0]).all()
    assert np.isnan(labelled.energy_extrapolated).all()
    assert np.isnan(labelled.magnetic_moments).all()


def test_an_eam_file_of_the_folder_gives_the_labels(label_folder):
    atoms = rattled("Al", 3, cubic=True)
    folder = label_folder([atoms], "EAM", {"file": "al.eam.alloy", "form": "alloy"})
    write_eam_file(folder / "al.eam.alloy")
    labelled, result = labels_of(folder)
    atoms.calc = EAM(potential=str(folder / "al.eam.alloy"), form="alloy")
    np.testing.assert_allclose(labelled.forces, atoms.get_forces(), atol=1e-12)
    assert labelled.energy[0] == pytest.approx(atoms.get_potential_energy())
    assert "sha256:" in result["level_of_theory"]
    assert "al.eam" not in result["level_of_theory"]


def test_a_tersoff_file_of_the_folder_gives_the_labels(label_folder):
    tersoff = pytest.importorskip("ase.calculators.tersoff", reason="ASE 3.25 brought Tersoff")
    atoms = rattled("Si", 4)
    folder = label_folder([atoms], "Tersoff", {"file": "Si.tersoff"})
    (folder / "Si.tersoff").write_text(SILICON_TERSOFF, encoding="utf-8")
    labelled, _ = labels_of(folder)
    atoms.calc = tersoff.Tersoff.from_lammps(folder / "Si.tersoff")
    assert labelled.energy[0] == pytest.approx(atoms.get_potential_energy())
    np.testing.assert_allclose(labelled.forces, atoms.get_forces(), atol=1e-12)


@pytest.mark.parametrize("file", ["../al.alloy", "/etc/hostname", "absent.alloy"])
def test_a_calculator_reads_no_file_outside_the_folder(label_folder, file):
    folder = label_folder([bulk("Al")], "EAM", {"file": file})
    write_eam_file(folder.parent / "al.alloy")
    with pytest.raises(InputFileError, match="folder of the job"):
        run_request(folder)


def test_a_damaged_potential_file_fails_before_the_first_label(label_folder):
    folder = label_folder([bulk("Al")], "EAM", {"file": "al.alloy"})
    (folder / "al.alloy").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(InputFileError, match="EAM cannot be set up"):
        run_request(folder)
    assert not (folder / "labelled.npz").exists()


def test_a_bad_configuration_fails_with_a_reason_and_the_others_are_labelled(label_folder):
    overlapping = bulk("Cu", cubic=True)
    overlapping.positions[1] = overlapping.positions[0]
    unknown = bulk("Fe")
    good = [rattled("Cu", seed, cubic=True) for seed in range(2)]
    given = Configurations.from_atoms(
        [good[0], overlapping, unknown, good[1]],
        identifiers=["first", "overlapping", "iron", "last"],
        origins=[Origin(1, "nvt", "bulk", step, 3.5) for step in range(4)],
    )
    labelled, result = labels_of(label_folder(given, "EMT"))
    verdicts = {verdict["identifier"]: verdict for verdict in result["verdicts"]}
    assert [verdict["hash"] for verdict in result["verdicts"]] == given.hashes()
    assert [verdict["status"] for verdict in result["verdicts"]] == [
        "labelled",
        "failed",
        "failed",
        "labelled",
    ]
    assert "is not finite" in verdicts["overlapping"]["reason"]
    assert "Fe" in verdicts["iron"]["reason"]
    assert verdicts["first"]["reason"] == ""
    assert (result["n_labelled"], result["n_failed"], result["complete"]) == (2, 2, True)
    assert list(labelled.identifier) == ["first", "last"]
    assert labelled.hashes() == given.select([0, 3]).hashes()
    assert labelled.origin(1) == Origin(1, "nvt", "bulk", 3, 3.5)
    assert labelled.level_of_theory == level_of_theory("EMT", {})


def test_a_label_does_not_depend_on_its_batch(label_folder):
    structures = [
        rattled("Cu", 5, cubic=True),
        bulk("NiAl", "cesiumchloride", a=2.9),
        rattled("Al", 6),
    ]
    together, _ = labels_of(label_folder(structures, "EMT"))
    for index, atoms in enumerate(structures):
        alone, _ = labels_of(label_folder([atoms], "EMT"))
        assert alone.energy[0] == together.energy[index]
        assert (alone.forces == together.forces[together.atoms_slice(index)]).all()
        assert (alone.stress[0] == together.stress[index]).all()


def test_earlier_labels_are_replaced_and_the_rest_is_kept(label_folder):
    atoms = rattled("Cu", 7, cubic=True)
    atoms.info["weight"] = 2.5
    atoms.set_array("force_mask", np.array([True, False, True, True]))
    atoms.calc = LennardJones()
    atoms.get_stress()
    given = Configurations.from_atoms([atoms], identifiers=["x"])
    labelled, _ = labels_of(label_folder(given, "EMT"))
    fresh = atoms.copy()
    fresh.calc = EMT()
    assert labelled.energy[0] == pytest.approx(fresh.get_potential_energy())
    assert labelled.weight[0] == 2.5
    assert list(labelled.force_mask) == [True, False, True, True]


def test_nothing_to_label_gives_an_empty_set(label_folder):
    labelled, result = labels_of(label_folder([], "EMT"))
    assert len(labelled) == 0
    assert result["verdicts"] == []


def test_equal_requests_write_equal_bytes(label_folder):
    structures = [rattled("Cu", 8, cubic=True), molecule("CO")]
    contents = []
    for _ in range(2):
        folder = label_folder(structures, "EMT")
        run_request(folder)
        contents.append((folder / "labelled.npz").read_bytes())
    assert contents[0] == contents[1]
    assert Configurations.from_bytes(contents[0]).to_bytes() == contents[0]


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 truncated", b"\x93NUMPY"], ids=["empty", "truncated", "no zip"]
)
def test_an_unreadable_file_of_configurations_is_refused(label_folder, content):
    folder = label_folder([bulk("Cu")], "EMT")
    (folder / "configurations.npz").write_bytes(content)
    with pytest.raises(InputFileError, match="not a readable"):
        run_request(folder)


def test_a_pickle_in_the_configurations_is_never_loaded(label_folder):
    folder = label_folder([bulk("Cu")], "EMT")
    with np.load(folder / "configurations.npz") as stored:
        arrays = dict(stored)
    arrays["identifier"] = np.array([{"a": 1}], dtype=object)
    np.savez(folder / "configurations.npz", **arrays)
    with pytest.raises(InputFileError, match="not a readable"):
        run_request(folder)


class FlatCalculator(Calculator):
    """Has an energy and forces but no free energy and no stress, as calculators of old ASE."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms, properties, system_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 1.5, "forces": np.zeros((len(atoms), 3))}


def test_a_formula_without_free_energy_or_stress_labels_with_its_energy(monkeypatch, tmp_path):
    known = label_driver.KnownCalculator({}, lambda *arguments: FlatCalculator())
    monkeypatch.setitem(label_driver.CALCULATORS, "Flat", known)
    label = label_driver.label_atoms(bulk("Cu"), "Flat", {}, tmp_path)
    assert label.energy == 1.5
    assert np.isnan(label.stress).all()


def test_a_code_with_electrons_that_gives_no_free_energy_gives_no_label(monkeypatch, tmp_path):
    known = label_driver.KnownCalculator({}, lambda *arguments: FlatCalculator(), electrons=True)
    monkeypatch.setitem(label_driver.CALCULATORS, "Flat", known._replace(settings=GPAW_LIKE))
    with pytest.raises(Exception, match="free_energy"):
        label_driver.label_atoms(bulk("Cu"), "Flat", {"ecut": 1, "kpts": [1, 1, 1]}, tmp_path)


GPAW_LIKE = label_driver.GPAW_SETTINGS


def test_a_job_that_is_killed_keeps_the_labels_that_were_paid_for(label_folder, monkeypatch):
    folder = label_folder([rattled("Cu", seed, cubic=True) for seed in range(5)], "EMT")
    monkeypatch.setattr(label_driver, "SECONDS_BETWEEN_WRITES", 0.0)
    original = label_driver.label_atoms
    calls = []

    def killed_at_the_third(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **keywords)

    monkeypatch.setattr(label_driver, "label_atoms", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_request(folder)
    labelled = Configurations.load(folder / "labelled.npz")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert list(labelled.identifier) == ["0", "1"]
    assert np.isfinite(labelled.forces).all()
    assert result["complete"] is False
    assert result["n_configurations"] == 5
    assert [verdict["identifier"] for verdict in result["verdicts"]] == ["0", "1"]


def test_a_cluster_gets_a_box_and_one_k_point(tmp_path):
    atoms = Atoms("Al2", [[0, 0, 0], [0, 0, 2.7]])
    settings = label_driver.check_settings("GPAW", {"ecut": 200, "kpts": [4, 4, 4], "vacuum": 4})
    fitted = label_driver._fit_to(atoms, settings)
    np.testing.assert_allclose(atoms.cell.lengths(), [8, 8, 10.7])
    assert fitted["kpts"] == [1, 1, 1]


def test_moments_of_the_settings_start_the_spin_of_each_species(tmp_path):
    atoms = bulk("FeAl", "cesiumchloride", a=2.9)
    settings = {"ecut": 200, "kspacing": 0.3, "magmoms": {"Fe": 2.3}}
    label_driver._fit_to(atoms, label_driver.check_settings("GPAW", settings))
    assert list(atoms.get_initial_magnetic_moments()) == [2.3, 0.0]
