# SPDX-License-Identifier: MIT
"""A configuration that takes down the process loses itself alone, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.jobs import label_driver

DOUBLE = Path(__file__).parents[1] / "doubles" / "crashing_labeller.py"


def cells(n=5):
    atoms = [bulk("Cu", cubic=True) for _ in range(n)]
    for seed, one in enumerate(atoms):
        one.rattle(0.05, seed=seed)
    names = [f"cell_{number}" for number in range(n)]
    return Configurations.from_atoms(atoms, identifiers=names)


def run_double(folder, crash_at):
    environment = os.environ | {"CRASH_AT": crash_at, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(DOUBLE), str(folder / "request.json")],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def recovered(folder):
    text = (folder / "label_progress.jsonl").read_text(encoding="utf-8")
    result, content = label_driver.recover(text, (folder / "configurations.npz").read_bytes())
    return result, None if content is None else Configurations.from_bytes(content)


@pytest.fixture(scope="module")
def undisturbed(label_folder):
    folder = label_folder(cells(), "EMT")
    label_driver.main([str(folder / "request.json")])
    assert not (folder / "label_progress.jsonl").exists()
    return Configurations.load(folder / "labelled.npz")


@pytest.mark.parametrize(
    ("way", "status"), [("segfault", -11), ("abort", -6), ("exit", 7), ("kill", -9)]
)
def test_what_was_finished_before_a_crash_is_kept_and_the_culprit_is_named(
    label_folder, undisturbed, way, status
):
    folder = label_folder(cells(), "EMT")
    assert run_double(folder, f"cell_3:{way}").returncode == status
    result, labelled = recovered(folder)
    assert labelled.to_bytes() == undisturbed.select([0, 1, 2]).to_bytes()
    assert result["running"] == {"identifier": "cell_3", "hash": cells().hashes()[3]}
    assert [one["identifier"] for one in result["verdicts"]] == ["cell_0", "cell_1", "cell_2"]
    assert (result["n_configurations"], result["n_labelled"], result["complete"]) == (5, 3, False)
    assert result["level_of_theory"] == undisturbed.level_of_theory


def test_a_crash_at_the_first_configuration_leaves_no_label(label_folder):
    folder = label_folder(cells(), "EMT")
    run_double(folder, "cell_0:exit")
    result, labelled = recovered(folder)
    assert labelled is None
    assert result["verdicts"] == []
    assert result["running"]["identifier"] == "cell_0"


def test_a_job_that_begins_again_in_its_folder_goes_on_where_it_was(label_folder, undisturbed):
    folder = label_folder(cells(), "EMT")
    run_double(folder, "cell_2:kill*1")
    seconds = {one["identifier"]: one["seconds"] for one in recovered(folder)[0]["verdicts"]}
    assert set(seconds) == {"cell_0", "cell_1"}
    assert run_double(folder, "cell_0:kill cell_1:kill cell_2:kill*1").returncode == 0
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert (result["n_labelled"], result["complete"]) == (5, True)
    kept = {one["identifier"]: one["seconds"] for one in result["verdicts"][:2]}
    assert kept == seconds
    assert (folder / "labelled.npz").read_bytes() == undisturbed.to_bytes()
    assert not (folder / "label_progress.jsonl").exists()


def test_the_progress_of_another_job_is_not_taken_over(label_folder):
    folder = label_folder(cells(), "EMT")
    run_double(folder, "cell_2:kill")
    moved = cells()
    moved.replace(positions=moved.positions + 0.1).save(folder / "configurations.npz")
    assert run_double(folder, "cell_0:exit").returncode == 7
    assert recovered(folder)[0]["running"]["identifier"] == "cell_0"


@pytest.mark.parametrize("kept", [1.0, 0.97, 0.6, 0.3, 0.0])
def test_a_progress_that_was_cut_off_gives_what_was_written_whole(label_folder, undisturbed, kept):
    folder = label_folder(cells(), "EMT")
    run_double(folder, "cell_4:kill")
    path = folder / "label_progress.jsonl"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: round(kept * len(text))], encoding="utf-8")
    result, labelled = recovered(folder)
    n = result["n_labelled"]
    assert n == (0 if labelled is None else len(labelled))
    assert n <= round(4 * kept + 0.5)
    if labelled is not None:
        np.testing.assert_array_equal(labelled.energy, undisturbed.energy[:n])
    assert run_double(folder, "").returncode == 0
    assert (folder / "labelled.npz").read_bytes() == undisturbed.to_bytes()


def test_lines_that_mean_nothing_are_passed_over(label_folder):
    folder = label_folder(cells(2), "EMT")
    run_double(folder, "cell_1:kill")
    content = (folder / "configurations.npz").read_bytes()
    text = (folder / "label_progress.jsonl").read_text(encoding="utf-8")
    noise = ["{", "[]", '{"done": 1}', '{"done": 9, "verdict": {}, "label": "AAAA"}', "null", "7"]
    noise += [
        '{"done": 1, "verdict": {}, "label": "AAAA"}',
        '{"done": 1, "verdict": 3, "label": 1}',
        '{"done": 1e400, "verdict": {}, "label": null}',
        '{"done": -3, "verdict": {}, "label": null}',
        '{"running": 7}',
        "[" * 100_000,
    ]
    assert label_driver.recover(text + "\n".join(noise) + "\n", content) == label_driver.recover(
        text, content
    )
    for nothing in ("", "\n", "{}\n", "7\n", "[1]\n" + text):
        assert label_driver.recover(nothing, content)[0]["verdicts"] == []
