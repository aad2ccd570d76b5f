# SPDX-License-Identifier: MIT
"""``alpot carve``: from structures to chunks, labels and a fit that trains on one force each."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cluster import Octahedron
from click.testing import CliRunner

from aiida_alpot.carving import is_carved
from aiida_alpot.cli import main
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.committee import CommitteeGrader, force_uncertainty
from aiida_alpot.mtp.mlip_files import read_potential, write_potential
from aiida_alpot.mtp.structure_files import read_configurations


@pytest.fixture
def folder(tmp_path, monkeypatch, make_potential, make_cells):
    """A cluster, a crystal, two members of a committee and a training set."""
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        write_potential(make_potential(4, seed=seed), tmp_path / f"member_{seed}.mtp")
    cluster = Atoms(Octahedron("Cu", 5, cutoff=1))
    cluster.rattle(0.1, seed=2)
    cluster.info["identifier"] = "cluster"
    crystal = bulk("Cu", cubic=True).repeat(4)
    crystal.rattle(0.05, seed=3)
    Configurations.from_atoms([cluster]).save(tmp_path / "cluster.npz")
    Configurations.from_atoms([crystal]).save(tmp_path / "crystal.npz")
    make_cells(3, seed=1).save(tmp_path / "training.npz")
    return tmp_path


def alpot(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


COMMITTEE = ["--committee", "member_0.mtp", "member_1.mtp"]


def figures_of(*words):
    result = alpot(*words, "--json", "figures.json")
    assert result.exit_code == 0, result.output
    return json.loads(Path("figures.json").read_text(encoding="utf-8")), result.output


def test_chunks_are_carved_about_the_atoms_that_a_committee_disagrees_about(folder):
    words = ["carve", "cluster.npz", *COMMITTEE, "--fraction", 0.1, "--radius", 5, "-o", "c.npz"]
    figures, said = figures_of(*words)
    cluster = Configurations.load(folder / "cluster.npz")
    members = [read_potential(folder / f"member_{seed}.mtp") for seed in (0, 1)]
    delta = force_uncertainty(CommitteeGrader(members).force_deviations(cluster))
    expected = np.argsort(-delta)[: int(np.ceil(0.1 * len(delta)))]
    chunks = Configurations.load(folder / "c.npz")
    assert figures["chosen"] == [expected.tolist()]
    assert chunks.step.tolist() == expected.tolist()
    np.testing.assert_allclose(chunks.grade, delta[expected])
    assert figures["largest_uncertainty"] == pytest.approx(delta.max())
    assert f"{len(expected)} chunks about {len(expected)} of {len(delta)} atoms" in said
    assert is_carved(chunks).all()


def test_chunks_go_through_labels_into_a_fit_of_one_force_each(folder):
    words = ["carve", "cluster.npz", *COMMITTEE, "--fraction", 0.05, "--radius", 6]
    assert alpot(*words, "-o", "chunks.npz").exit_code == 0
    labelled = alpot("label", "chunks.npz", "--calculator", "EMT", "-o", "labelled.npz")
    assert labelled.exit_code == 0, labelled.output
    assert is_carved(Configurations.load(folder / "labelled.npz")).all()
    form = ["--level", 4, "--cutoff", 5, "--max-iterations", 3]
    words = ["fit", "--training", "labelled.npz", *form, "-o", "fit.mtp"]
    figures, _ = figures_of(*words)
    assert figures["training"]["energy"]["rmse_meV_per_atom"] is None
    assert figures["training"]["forces"]["rmse_eV_per_A"] is not None


def test_grades_choose_in_place_of_a_committee(folder):
    words = ["carve", "crystal.npz", "--potential", "member_0.mtp", "--training", "training.npz"]
    figures, said = figures_of(*words, "--worst", "--radius", 4.5, "-o", "chunks.xyz")
    assert figures["uncertainty"] == "grade"
    assert figures["n_chunks"] == 1
    assert "largest grade" in said
    assert is_carved(read_configurations(folder / "chunks.xyz")).all()


def test_periodic_chunks_are_smaller_cells_of_the_bulk(folder):
    words = ["carve", "crystal.npz", *COMMITTEE, "--worst", "--periodic", "--radius", 4]
    assert alpot(*words, "-o", "chunk.npz").exit_code == 0
    chunk = Configurations.load(folder / "chunk.npz")
    assert chunk.pbc.all()
    assert chunk.n_atoms[0] < 256


def test_the_size_of_chunks_is_checked_against_larger_ones(folder):
    words = ["carve", "cluster.npz", *COMMITTEE, "--worst", "-o", "c.npz", "--check", "EMT"]
    figures, said = figures_of(*words, "--check-radii", 4, 6, "--check-reference", 9)
    locality = figures["locality"]
    assert locality["radii"] == [4.0, 6.0]
    assert locality["largest"][0] > 10 * locality["largest"][1]
    assert "against chunks of 9 A" in said
    assert f"radius 6 A, {locality['mean_size'][1]:.0f} atoms" in said


def test_without_a_reference_chunks_are_checked_against_the_whole(folder):
    words = ["carve", "cluster.npz", *COMMITTEE, "--worst", "-o", "c.npz", "--check", "EMT"]
    figures, said = figures_of(*words, "--check-radii", 5)
    assert figures["locality"]["reference"] is None
    assert "against the whole structure" in said


def test_periodic_chunks_are_checked_as_such(folder):
    words = ["carve", "crystal.npz", *COMMITTEE, "--worst", "-o", "c.npz", "--radius", 4]
    check = ["--check", "EMT", "--check-radii", 4]
    sizes = [
        figures_of(*words, *kind, *check)[0]["locality"]["mean_size"][0]
        for kind in ([], ["--periodic"])
    ]
    assert sizes[0] < sizes[1] < 256


def test_atoms_that_symmetry_relates_give_one_chunk(folder):
    perfect = Atoms(Octahedron("Cu", 5, cutoff=1))
    Configurations.from_atoms([perfect]).save(folder / "perfect.npz")
    words = ["carve", "perfect.npz", *COMMITTEE, "--fraction", 1, "--radius", 4, "-o", "c.npz"]
    figures, _ = figures_of(*words)
    assert figures["n_chosen"] == len(perfect)
    assert figures["n_chunks"] < 0.2 * len(perfect)
    assert figures["n_alike"] == figures["n_chosen"] - figures["n_chunks"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --committee, or --potential with --training"),
        ([*COMMITTEE, "--training", "training.npz"], "give --committee, or --potential"),
        ([*COMMITTEE, "--worst", "--fraction", "0.1"], "Give one of --threshold, --fraction"),
        ([*COMMITTEE, "--periodic", "--worst"], "carve clusters"),
        ([*COMMITTEE, "--passivate", "Xx", "--worst"], "no element 'Xx'"),
        ([*COMMITTEE, "--check", "DFT", "--worst"], "DFT"),
        ([*COMMITTEE, "--check-radii", "5", "6", "--worst"], "--check-radii needs --check"),
        ([*COMMITTEE, "--check-reference", "9", "--worst"], "--check-reference needs --check"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_wrong_is_said(words, message):
    result = alpot("carve", "cluster.npz", *words, "-o", "c.npz")
    assert result.exit_code not in (0, 1)
    assert message in result.output
