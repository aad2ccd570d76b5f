# SPDX-License-Identifier: MIT
"""Folders with a request, and the Python that has GPAW."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.jobs import label_driver

DRIVER = Path(label_driver.__file__)


def find_gpaw_python() -> str | None:
    """Return a Python that imports GPAW: $ALPOT_GPAW_PYTHON, this one, or the distribution's."""
    named = os.environ.get("ALPOT_GPAW_PYTHON")
    for python in [named] if named else [sys.executable, "/usr/bin/python3"]:
        if shutil.which(python):
            found = subprocess.run([python, "-c", "import gpaw"], capture_output=True, check=False)
            if found.returncode == 0:
                return python
    return None


@pytest.fixture(scope="session")
def gpaw_python() -> str:
    python = find_gpaw_python()
    if python is None:
        pytest.skip("no Python with GPAW: apt-get install gpaw gpaw-data, or set ALPOT_GPAW_PYTHON")
    return python


@pytest.fixture(scope="session")
def label_folder(tmp_path_factory):
    """Return a function that writes a folder with configurations and a label request."""

    def write(structures, calculator, settings=None, *, level_of_theory="", changes=None) -> Path:
        folder = tmp_path_factory.mktemp("label")
        if not isinstance(structures, Configurations):
            structures = Configurations.from_atoms(structures)
        structures.save(folder / "configurations.npz")
        request = {
            "schema": 1,
            "job": "label",
            "configurations": "configurations.npz",
            "calculator": {"name": calculator, "settings": settings or {}},
            "level_of_theory": level_of_theory,
        } | (changes or {})
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def run_driver():
    """Return a function that runs the driver as a program of its own, in an empty environment."""

    def run(folder, *command):
        environment = {
            key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ
        } | {
            "OMP_NUM_THREADS": "1",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }
        done = subprocess.run(
            [*(command or [sys.executable]), str(DRIVER), str(folder / "request.json")],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run
