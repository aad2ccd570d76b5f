# SPDX-License-Identifier: MIT
"""The driver is one file that runs alone, refuses what it does not know, and answers in JSON."""

import ast
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.run import run_request

DRIVER = Path(label_driver.__file__)


def result_of(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def test_the_driver_imports_nothing_but_the_standard_library_numpy_and_ase():
    tree = ast.parse(DRIVER.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
    assert names - sys.stdlib_module_names == {"numpy", "ase"}


def test_the_driver_alone_labels_as_the_job_does(label_folder, run_driver):
    structures = [bulk("Cu", cubic=True), bulk("Ag")]
    by_job, by_driver = (label_folder(structures, "EMT") for _ in range(2))
    run_request(by_job)
    done = run_driver(by_driver)
    assert "2 labelled, 0 failed" in done.stdout
    labelled = (by_driver / "labelled.npz").read_bytes()
    assert labelled == (by_job / "labelled.npz").read_bytes()
    verdicts = [
        [{**verdict, "seconds": 0} for verdict in result_of(folder)["verdicts"]]
        for folder in (by_job, by_driver)
    ]
    assert verdicts[0] == verdicts[1]
    assert set(result_of(by_driver)) <= set(result_of(by_job))


def test_the_shipped_file_runs_where_the_package_is_not(label_folder, tmp_path):
    folder = label_folder([bulk("Cu")], "EMT")
    (folder / "label_driver.py").write_bytes(DRIVER.read_bytes())
    program = (
        "import sys, runpy; sys.modules['aiida_alpot'] = None; sys.argv[1:] = ['request.json'];"
        "runpy.run_path('label_driver.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(Configurations.load(folder / "labelled.npz")) == 1


def test_a_file_of_the_job_never_stands_for_a_module(label_folder):
    folder = label_folder([bulk("Cu")], "EMT")
    (folder / "label_driver.py").write_bytes(DRIVER.read_bytes())
    for name in ("numpy.py", "select.py", "re.py"):
        (folder / name).write_text("raise SystemExit('shadowed')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(folder / "label_driver.py"), str(folder / "request.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert result_of(folder)["n_labelled"] == 1


def test_kill_minus_9_leaves_whole_files_with_what_was_labelled(label_folder):
    cells = [bulk("Cu", cubic=True) * 4] * 2000
    folder = label_folder(cells, "EMT")
    job = subprocess.Popen([sys.executable, str(DRIVER), str(folder / "request.json")])
    try:
        give_up = time.monotonic() + 120
        while not (folder / "result.json").exists() and time.monotonic() < give_up:
            time.sleep(0.05)
    finally:
        job.kill()
        assert job.wait() == -signal.SIGKILL
    result = result_of(folder)
    labelled = Configurations.load(folder / "labelled.npz")
    assert result["complete"] is False
    assert 0 < result["n_labelled"] < len(cells)
    assert len(labelled) >= result["n_labelled"]
    assert np.isfinite(labelled.energy).all()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"calculator": {"name": "VASP"}},
            "SettingError",
            "Unknown calculator 'VASP'; allowed are EAM",
        ),
        ({"calculator": {"name": "os.system"}}, "SettingError", "Unknown calculator 'os.system'"),
        ({"calculator": {"name": ["EMT"]}}, "SettingError", "Unknown calculator ['EMT']"),
        ({"calculator": "EMT"}, "SettingError", "Key 'calculator'"),
        ({"calculator": {"name": "EMT", "module": "x"}}, "SettingError", "Key 'calculator'"),
        ({"calculator": None}, "SettingError", "Key 'calculator'"),
        ({"configurations": 3}, "SettingError", "must be text"),
        ({"configurations": "../x.npz"}, "InputFileError", "outside the folder of the job"),
        ({"extra": 1}, "SettingError", "Unknown key 'extra'"),
        ({"job": "fit"}, "SettingError", "asks for the job 'fit'"),
        ({"schema": 2}, "SettingError", "no request of schema 1"),
        (
            {"level_of_theory": "PBE"},
            "LevelOfTheoryError",
            'its calculator has {"calculator":"EMT"',
        ),
    ],
)
def test_a_wrong_request_is_one_line_and_an_error_in_the_result(
    label_folder, capsys, changes, error, message
):
    folder = label_folder([bulk("Cu")], "EMT", changes=changes)
    status = label_driver.main([str(folder / "request.json")])
    shown = capsys.readouterr().err
    assert status == getattr(label_driver, error).exit_status
    assert message in shown
    assert shown.count("\n") == 1
    assert result_of(folder)["error"]["class"] == error
    assert not (folder / "labelled.npz").exists()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("EMT", {"cutoff": 5}, "Unknown setting 'cutoff' of EMT; allowed are asap_cutoff"),
        ("EMT", {"asap_cutoff": 1}, "Setting 'asap_cutoff' of EMT is 1; it must be true or false"),
        ("EMT", [], "must be a mapping"),
        ("LennardJones", {"sigma": 0}, "it must be a number > 0"),
        ("LennardJones", {"sigma": "2"}, "Setting 'sigma' of LennardJones is '2'"),
        ("LennardJones", {"sigma": True}, "it must be a number > 0"),
        ("MorsePotential", {"r0": float("inf")}, "it must be a number > 0"),
        ("EAM", {}, "EAM needs the setting 'file'"),
        ("EAM", {"file": "a.alloy", "form": "meam"}, "one of eam, alloy, fs, adp"),
        ("GPAW", {"kspacing": 0.3}, "GPAW needs the setting 'ecut'"),
        ("GPAW", {"ecut": 300}, "exactly one of the settings 'kspacing' (1/A) and 'kpts'"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "kpts": [1, 1, 1]}, "exactly one"),
        ("GPAW", {"ecut": 300, "kpts": [4, 4]}, "three whole numbers >= 1"),
        ("GPAW", {"ecut": 300, "kpts": [4, 4, 0]}, "whole number >= 1"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "smearing": -0.1}, "it must be a number >= 0"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "xc": "PBE; rm"}, "a name of letters"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "xc": {"name": "x"}}, "a name of letters"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "maxiter": 0}, "whole number >= 1"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "magmoms": {"Xx": 1}}, "chemical symbols"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "setups": "../paw"}, "a name of letters"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "nbands": "all"}, "'120%'"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "dedecut": "guess"}, "a number"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "mixer": {"class": "x"}}, "beta, weight"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "convergence": {"energy": 0}}, "a number > 0"),
        ("GPAW", {"ecut": 300, "kspacing": 0.3, "txt": "/tmp/x"}, "Unknown setting 'txt'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(name, settings, message):
    with pytest.raises(label_driver.SettingError) as caught:
        label_driver.check_settings(name, settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_complete_settings_are_their_own_canonical_form():
    for name, known in label_driver.CALCULATORS.items():
        needed = {
            key: {"file": "x", "ecut": 300}[key] for key, s in known.settings.items() if s.required
        }
        needed |= {"kspacing": 0.3} if name == "GPAW" else {}
        complete = label_driver.check_settings(name, needed)
        assert label_driver.check_settings(name, complete) == complete
        assert set(complete) == set(known.settings)


def test_a_missing_code_says_which_python_lacks_it(label_folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gpaw.mpi", None)
    folder = label_folder([bulk("Al")], "GPAW", {"ecut": 200, "kspacing": 0.5})
    assert label_driver.main([str(folder / "request.json")]) == 2
    shown = capsys.readouterr().err
    assert "GPAW cannot be imported by " + sys.executable in shown
    assert "apt-get install gpaw gpaw-data" in shown


def test_a_call_without_a_request_shows_how_it_is_called(capsys):
    assert label_driver.main([]) == 2
    assert "usage: python label_driver.py request.json" in capsys.readouterr().err


def test_only_the_first_process_of_an_mpi_run_labels_with_a_formula(
    label_folder, monkeypatch, capsys
):
    folder = label_folder([bulk("Cu")], "EMT")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    assert label_driver.main([str(folder / "request.json")]) == 0
    assert not (folder / "labelled.npz").exists()
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    assert label_driver.main([str(folder / "request.json")]) == 0
    assert result_of(folder)["n_labelled"] == 1
    assert "1 labelled" in capsys.readouterr().out


class TwoProcesses:
    """A communicator of which the other process tells whether it failed."""

    size = 2

    def __init__(self, rank, others):
        self.rank = rank
        self.others = others

    def sum(self, value):
        return value + self.others


@pytest.mark.parametrize("others", [0.0, 1.0])
def test_all_processes_give_the_same_verdict_and_the_first_alone_writes(label_folder, others):
    for rank in (0, 1):
        folder = label_folder([bulk("Cu")], "EMT")
        job = label_driver.check_job("configurations.npz", {"name": "EMT"}, "", folder)
        job.world = TwoProcesses(rank, others)
        result = job.label_all()
        assert result["verdicts"][0]["status"] == ("failed" if others else "labelled")
        assert (folder / "labelled.npz").exists() == (rank == 0)
        if others:
            assert result["verdicts"][0]["reason"] == "the calculation failed on another process"
