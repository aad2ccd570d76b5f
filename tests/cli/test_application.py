# SPDX-License-Identifier: MIT
"""The command as a whole: quick help, one line for each mistake, requests as AiiDA runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from aiida_alpot.cli.application import COMMANDS


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()


def test_help_loads_no_heavy_package():
    loaded = run_python(
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from aiida_alpot.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "print(*sys.modules)"
    )
    heavy = {"numpy", "scipy", "numba", "ase", "aiida", "pydantic", "matplotlib", "rich"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("module", ["file_commands.evaluate", "file_commands.fit", "job_command"])
def test_file_commands_load_no_aiida(module):
    loaded = run_python(f"import sys, aiida_alpot.cli.{module}\nprint(*sys.modules)")
    assert "aiida" not in loaded


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, alpot):
    result = alpot(name, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 5


def test_the_list_of_commands_has_their_sections(alpot):
    result = alpot()
    assert result.exit_code == 0
    assert result.output.index("Campaigns:") < result.output.index("Files:")
    for name in COMMANDS:
        assert f"  {name} " in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["evaluat"], "Did you mean 'evaluate'"),
        (["nothing-like-it"], "Commands: init, doctor"),
        (["--bogus"], "No such option: --bogus"),
        (["evaluate"], "Missing argument 'POTENTIAL'"),
        (["fit", "--level", "x"], "'x' is not a valid integer"),
        (["select", "a.mtp"], "Cannot read a.mtp"),
        (["run"], "Missing argument 'CAMPAIGN.YAML'"),
    ],
)
def test_a_wrong_command_line_is_one_line(words, told, alpot):
    result = alpot(*words)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1
    assert told in result.output


def test_a_bug_is_one_line_that_says_how_to_see_more(alpot, monkeypatch, files):
    from aiida_alpot.mtp import structure_files

    def fail(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr(structure_files, "read_configurations", fail)
    result = alpot("convert", files / "bare.xyz", "out.npz")
    assert result.exit_code == 70
    assert result.output.count("\n") == 1
    assert "RuntimeError: a bug" in result.output
    assert "--debug" in result.output


def test_a_request_runs_as_on_a_computer_of_aiida(alpot, files, tmp_path):
    alpot("convert", files / "labelled.xyz", tmp_path / "set.npz")
    shutil.copy(files / "potential.mtp", tmp_path)
    request = {"schema": 1, "job": "evaluate", "potential": "potential.mtp"}
    (tmp_path / "request.json").write_text(json.dumps(request | {"configurations": "set.npz"}))
    result = alpot("evaluate", "--request", tmp_path / "request.json")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "result.json").read_text())
    assert content["errors"]["n_configurations"] == 4
    assert content["job"] == "evaluate"
    assert set(content["versions"]) >= {"numpy", "numba", "aiida-alpot"}


def test_a_request_of_another_job_is_refused(alpot, tmp_path):
    (tmp_path / "request.json").write_text('{"schema": 1, "job": "fit"}')
    result = alpot("evaluate", "--request", tmp_path / "request.json")
    assert result.exit_code == 2
    assert "alpot fit --request" in result.output


def test_a_request_that_fails_leaves_its_reason_in_the_result(alpot, tmp_path):
    request = {"schema": 1, "job": "evaluate", "potential": "no.mtp", "configurations": "no.npz"}
    (tmp_path / "request.json").write_text(json.dumps(request))
    result = alpot("evaluate", "--request", tmp_path / "request.json")
    assert result.exit_code == 2
    content = json.loads((tmp_path / "result.json").read_text())
    assert content["error"]["class"] == "InputFileError"
    assert "no.mtp" in content["error"]["message"]


def test_the_threads_of_a_request_are_set_before_numerics_are_loaded():
    loaded = run_python(
        "import os, sys\n"
        "from aiida_alpot.cli.job_command import set_threads\n"
        "set_threads(3)\n"
        "assert 'numpy' not in sys.modules\n"
        "print(os.environ['OMP_NUM_THREADS'], os.environ['NUMBA_NUM_THREADS'])"
    )
    assert loaded == ["3", "3"]
