# SPDX-License-Identifier: MIT
"""The set-up files of profiles/laptop are taken by the real commands of AiiDA."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAPTOP = Path(__file__).parents[2] / "profiles" / "laptop"
VERDI, ALPOT = (Path(sys.executable).with_name(name) for name in ("verdi", "alpot"))


@pytest.fixture(scope="module")
def verdi(tmp_path_factory):
    """Run ``verdi`` with an AIIDA_PATH of its own."""
    home = tmp_path_factory.mktemp("laptop")

    def run(*words):
        return subprocess.run(
            [VERDI, *map(str, words)],
            env={**os.environ, "AIIDA_PATH": str(home)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_profile_computer_and_codes_can_be_set_up_from_the_files(verdi):
    create = ("code", "create", "core.code.installed", "-n", "--config")
    steps = (
        ("profile", "setup", "core.sqlite_dos", "-n", "--config", LAPTOP / "profile.yaml"),
        ("-p", "alpot", "computer", "setup", "-n", "--config", LAPTOP / "computer.yaml"),
        (
            "-p",
            "alpot",
            "computer",
            "configure",
            "core.local",
            "localhost",
            "-n",
            "--safe-interval",
            "0",
            "--no-use-login-shell",
        ),
        ("-p", "alpot", *create, LAPTOP / "code-alpot.yaml", "--filepath-executable", ALPOT),
        (
            "-p",
            "alpot",
            *create,
            LAPTOP / "code-gpaw.yaml",
            "--filepath-executable",
            sys.executable,
        ),
    )
    for step in steps:
        done = verdi(*step)
        assert done.returncode == 0, f"{step}: {done.stdout}{done.stderr}"
    shown = verdi("-p", "alpot", "code", "list").stdout
    assert "alpot@localhost" in shown
    assert "gpaw@localhost" in shown
    assert "core.zeromq" in verdi("-p", "alpot", "profile", "show", "alpot").stdout


def test_the_readme_names_every_file(verdi):
    readme = (LAPTOP / "README.md").read_text(encoding="utf-8")
    for path in LAPTOP.glob("*.yaml"):
        assert path.name in readme
