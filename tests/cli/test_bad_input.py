# SPDX-License-Identifier: MIT
"""Bad input to the file commands: one clear line, an exit status of its class, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from aiida_alpot.configurations import Configurations


def check(result, status, *words):
    assert result.exit_code == status, result.output
    last = result.output.splitlines()[-1]
    assert last.startswith("Error: "), result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in last


def spoiled(**changes):
    atoms = bulk("Cu", a=3.6, cubic=True)
    for name, value in changes.items():
        setattr(atoms, name, value)
    return atoms


def write_npz(path, atoms):
    Configurations.from_atoms([atoms]).save(path)


def test_a_missing_file_is_named(alpot, files):
    check(alpot("evaluate", "no.mtp", files / "test.xyz"), 2, "no.mtp", "no such file")
    check(alpot("evaluate", files / "potential.mtp", "no.xyz"), 2, "no.xyz", "no such file")


def test_a_file_that_is_no_potential_is_named(alpot, files):
    check(alpot("evaluate", files / "test.xyz", files / "test.xyz"), 2, "test.xyz")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_potential_is_refused(share, alpot, files, tmp_path):
    content = (files / "potential.mtp").read_bytes()
    (tmp_path / "cut.mtp").write_bytes(content[: int(share * len(content))])
    check(alpot("evaluate", "cut.mtp", files / "test.xyz"), 2, "cut.mtp")


def test_a_truncated_npz_is_refused(alpot, files, tmp_path):
    assert alpot("convert", files / "bare.xyz", "whole.npz").exit_code == 0
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:300])
    check(alpot("evaluate", files / "potential.mtp", "cut.npz"), 2, "cut.npz", "truncated")


def test_a_file_of_no_known_format_is_refused(alpot, files, tmp_path):
    (tmp_path / "noise.xyz").write_text("not a structure\n")
    check(alpot("evaluate", files / "potential.mtp", "noise.xyz"), 2, "noise.xyz")


def test_an_empty_file_is_refused(alpot, files, tmp_path):
    (tmp_path / "empty.xyz").write_text("")
    check(alpot("evaluate", files / "potential.mtp", "empty.xyz"), 3, "empty.xyz", "at least one")


def test_a_potential_without_a_species_of_the_structure_is_refused(alpot, files, tmp_path):
    write(tmp_path / "zr.xyz", bulk("Zr"))
    check(alpot("evaluate", files / "potential.mtp", "zr.xyz"), 3, "Zr", "Cu")


def test_a_potential_that_names_no_species_asks_for_them(alpot, files, tmp_path):
    text = (files / "potential.mtp").read_text()
    lines = [line for line in text.splitlines() if "potential_tag" not in line]
    (tmp_path / "mlip.mtp").write_text("\n".join(lines) + "\n")
    check(alpot("evaluate", "mlip.mtp", files / "test.xyz"), 3, "--species")
    assert alpot("evaluate", "mlip.mtp", files / "test.xyz", "--species", "Cu").exit_code == 0
    check(alpot("evaluate", "mlip.mtp", files / "test.xyz", "--species", "Cu", "Au"), 3, "Au")


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (spoiled(positions=np.full((4, 3), np.nan)), ["position", "not finite"]),
        (spoiled(positions=np.zeros((4, 3))), ["overlap"]),
        (spoiled(cell=np.zeros((3, 3))), ["no volume"]),
        (Atoms("Cu2", [[0, 0, 0], [0, 0, 1e-3]], cell=[9, 9, 9]), ["overlap", "0.001 A"]),
    ],
    ids=["nan", "all at one point", "no cell", "two overlap"],
)
@pytest.mark.parametrize("command", ["evaluate", "grade", "fit"])
def test_an_unusable_geometry_is_refused(command, atoms, words, alpot, files):
    write_npz("bad.npz", atoms)
    words_of = {
        "evaluate": ["evaluate", files / "potential.mtp", "bad.npz"],
        "grade": ["grade", files / "potential.mtp", "bad.npz", "--training", files / "test.xyz"],
        "fit": ["fit", "--training", "bad.npz", "--level", 4, "--cutoff", 4.5, "-o", "out.mtp"],
    }
    check(alpot(*words_of[command]), 3, *words)
    assert not Path("out.mtp").exists()


@pytest.mark.parametrize("job", ["evaluate", "grade"])
def test_a_job_refuses_an_unusable_geometry_too(job, alpot, files, tmp_path):
    write_npz("bad.npz", spoiled(positions=np.zeros((4, 3))))
    for name in ("potential.mtp", "test.xyz"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    request = {"schema": 1, "job": job, "potential": "potential.mtp", "configurations": "bad.npz"}
    if job == "grade":
        request["training"] = ["test.xyz"]
    Path("request.json").write_text(json.dumps(request))
    check(alpot(job, "--request", "request.json"), 3, "overlap")
    assert json.loads(Path("result.json").read_text())["error"]["class"] == "GeometryError"


def test_labels_that_are_not_numbers_are_refused(alpot, tmp_path):
    atoms = bulk("Cu", a=3.6, cubic=True)
    forces = np.zeros((4, 3))
    forces[2, 1] = np.nan
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=forces)
    write_npz(tmp_path / "nan.npz", atoms)
    result = alpot("fit", "--training", "nan.npz", "--level", 4, "--cutoff", 4.5, "-o", "out.mtp")
    check(result, 3, "NaN")
    assert not (tmp_path / "out.mtp").exists()


def test_training_without_labels_is_refused(alpot, files):
    result = alpot(
        "fit", "--training", files / "bare.xyz", "--level", 4, "--cutoff", 4.5, "-o", "out.mtp"
    )
    check(result, 3, "Label it")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--level", 7, "--cutoff", 4.5], ["7", "2"]),
        (["--level", 4, "--cutoff", -1], ["cutoff", "-1"]),
        (["--cutoff", 4.5], ["--level"]),
        (["--level", 4], ["--cutoff"]),
        (["--level", 4, "--cutoff", 4.5, "--force-weight", -1], ["-1"]),
    ],
)
def test_settings_of_a_fit_that_are_out_of_range_are_refused(flags, words, alpot, files):
    result = alpot("fit", "--training", files / "labelled.xyz", *flags, "-o", "out.mtp")
    check(result, 2, *words)


def test_a_test_set_that_is_trained_on_is_refused(alpot, files):
    data = files / "labelled.xyz"
    result = alpot(
        "fit", "--training", data, "--test", data, "--level", 4, "--cutoff", 4.5, "-o", "out.mtp"
    )
    check(result, 2, "training set")


def test_an_unknown_calculator_is_refused_with_those_there_are(alpot, files, tmp_path):
    result = alpot("label", files / "bare.xyz", "--calculator", "os.system", "-o", "out.xyz")
    check(result, 2, "os.system", "EMT", "GPAW")
    assert not (tmp_path / "out.xyz").exists()


def test_an_unknown_setting_of_a_calculator_is_refused(alpot, files):
    result = alpot(
        "label", files / "bare.xyz", "--calculator", "EMT", "--set", "ecut=300", "-o", "out.xyz"
    )
    check(result, 2, "ecut", "asap_cutoff")


@pytest.mark.parametrize("pair", ["ecut", "=3"])
def test_a_setting_that_is_no_pair_is_refused(pair, alpot, files):
    result = alpot(
        "label", files / "bare.xyz", "--calculator", "EMT", "--set", pair, "-o", "out.xyz"
    )
    check(result, 2, pair, "KEY=VALUE")


def test_an_output_folder_that_is_not_there_is_named_before_anything_is_computed(alpot, files):
    result = alpot(
        "fit",
        "--training",
        files / "labelled.xyz",
        "--level",
        4,
        "--cutoff",
        4.5,
        "-o",
        "nowhere/out.mtp",
    )
    check(result, 2, "nowhere")


def test_what_cannot_be_labelled_is_told_and_the_rest_is_kept(alpot, tmp_path):
    good, bad = bulk("Cu", a=3.6), bulk("Fe", a=2.8)
    write(tmp_path / "mixed.xyz", [good, bad])
    result = alpot("label", "mixed.xyz", "--calculator", "EMT", "-o", "out.npz")
    assert result.exit_code == 4
    assert "failed: 1: " in result.output
    assert len(Configurations.load(tmp_path / "out.npz")) == 1


@pytest.mark.parametrize(
    ("option", "number"), [("--gamma-select", "nan"), ("--gamma-break", "inf")]
)
def test_an_option_that_is_no_number_is_named(alpot, files, option, number):
    settings = ("--set", "temperature_K=300", "steps=2")
    given = ("sample", files / "potential.mtp", files / "test.xyz", *settings, option, number)
    check(alpot(*given, "-o", "out.npz"), 2, option[2:].replace("-", "_"), number, "a number")
