# SPDX-License-Identifier: MIT
"""Committees on the command line: fitted, then they grade, and grade what is sampled."""

import numpy as np
import pytest

from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.structure_files import read_configurations


@pytest.fixture(scope="module")
def committee(files, tmp_path_factory):
    """``cu.mtp`` and the two members of its committee."""
    from click.testing import CliRunner

    from aiida_alpot.cli import main

    folder = tmp_path_factory.mktemp("committee")
    form = ["--level", "4", "--cutoff", "4.5", "--max-iterations", "3", "--committee", "2"]
    words = ["fit", "--training", str(files / "labelled.xyz"), *form, "-o", str(folder / "cu.mtp")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def members(committee):
    return ["--committee", committee / "cu_000.mtp", committee / "cu_001.mtp"]


def grader_of(committee):
    return CommitteeGrader([read_potential(committee / f"cu_{n:03d}.mtp") for n in (0, 1)])


def test_a_committee_grades_in_the_unit_of_forces(committee, members, files, figures_of, alpot):
    words = ["grade", committee / "cu.mtp", files / "bare.xyz", *members]
    figures = figures_of(*words)
    expected = grader_of(committee).grade(read_configurations(files / "bare.xyz"))
    assert figures["grades"] == pytest.approx(expected.per_configuration)
    assert [max(atoms) for atoms in figures["per_atom"]] == figures["grades"]
    said = alpot(*words).output
    assert f"largest deviation of forces {max(figures['grades']):.4g} eV/A" in said
    assert "above 2" not in said


def test_a_committee_grades_what_is_sampled(committee, members, files, figures_of, tmp_path):
    words = ["sample", committee / "cu.mtp", files / "test.xyz", *members]
    rules = ["--gamma-select", 1e-9, "--gamma-break", 1e6, "-o", "frames.npz"]
    figures_of(*words, "--set", "temperature_K=300", "steps=5", *rules)
    frames = read_configurations(tmp_path / "frames.npz")
    expected = grader_of(committee).grade(frames).per_configuration
    np.testing.assert_allclose(frames.grade, expected, rtol=1e-7)


def test_a_committee_selects_what_it_disagrees_about_most(
    committee, members, files, figures_of, alpot
):
    given = [committee / "cu.mtp", files / "test.xyz", "--training", files / "labelled.xyz"]
    words = ["select", *given, *members, "-o", "chosen.xyz", "--threshold"]
    deviations = grader_of(committee).grade(read_configurations(files / "test.xyz"))
    largest = max(deviations.per_configuration)
    figures = figures_of(*words, 0.99 * largest)
    assert figures["n_selected"] == 1
    assert figures["largest_grade"] == pytest.approx(largest)
    assert f"largest deviation of forces {largest:.4g} eV/A" in alpot(*words, largest / 2).output
    assert figures_of(*words, 1.01 * largest)["n_selected"] == 0


def test_what_does_not_go_together_is_refused(committee, members, files, alpot):
    given = [committee / "cu.mtp", files / "bare.xyz", *members]
    training = ["--training", files / "labelled.xyz"]
    for words, message in (
        (["sample", *given, "-o", "f.npz"], "needs --gamma-select"),
        (["sample", *given, "-o", "f.npz", "--gamma-select", 1, *training], "either --training or"),
        (["select", *given, *training, "-o", "f.npz"], "needs --threshold"),
        (["grade", *given, *training], "Give one of --training, --active-set and --committee"),
    ):
        result = alpot(*words)
        assert result.exit_code == 2
        assert message in result.output
