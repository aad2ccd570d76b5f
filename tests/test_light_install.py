# SPDX-License-Identifier: MIT
"""Numerics and jobs run with numpy, scipy, numba and ase alone, as on a compute node."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ase.build import bulk

import aiida_alpot
from aiida_alpot.configurations import Configurations

PACKAGE = Path(aiida_alpot.__file__).parent
FORBIDDEN = ("aiida", "aiida_vasp", "pydantic", "rich", "yaml", "plumpy", "sqlalchemy", "motep")
LIGHT = (
    "configurations",
    "configuration_checks",
    "errors",
    "level_of_theory",
    "neighbors",
    "mtp",
    "fitting",
    "grading",
    "sampling",
    "selection",
    "properties",
    "testing",
    "jobs",
)

BLOCK = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FORBIDDEN!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed here", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run_light(program, folder):
    done = subprocess.run(
        [sys.executable, "-c", BLOCK + program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def light_modules():
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] in LIGHT:
            names.append(".".join(("aiida_alpot", *parts)).removesuffix(".__init__"))
    return names


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Label, fit, grade, evaluate and sample in one folder, without what is forbidden."""
    folder = tmp_path_factory.mktemp("light")
    structures = []
    for seed in range(4):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.1, seed=seed)
        structures.append(atoms)
    Configurations.from_atoms(structures).save(folder / "configurations.npz")
    requests = {
        "label": {"configurations": "configurations.npz", "calculator": {"name": "EMT"}},
        "fit": {
            "training": ["labelled.npz"],
            "level": 4,
            "cutoff": 4.0,
            "max_iterations": 3,
            "active_set": {"mode": "neighborhood", "method": "projected"},
        },
        "evaluate": {"potential": "potential.mtp", "configurations": "labelled.npz"},
        "grade": {
            "potential": "potential.mtp",
            "active_set": "active_set.npz",
            "configurations": "labelled.npz",
        },
        "sample": {
            "calculator": {"potential": "potential.mtp", "active_set": "active_set.npz"},
            "sampler": {"kind": "molecular_dynamics", "temperature_K": 300, "steps": 3},
            "starts": "labelled.npz",
        },
        "select": {
            "potential": "potential.mtp",
            "training": ["labelled.npz"],
            "candidates": ["candidates.npz"],
        },
    }
    for name, keys in requests.items():
        content = {"schema": 1, "job": name, **keys}
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    program = f"""
import shutil
from aiida_alpot.jobs.run import run_request
for name in {list(requests)!r}:
    run_request(name + ".json")
    shutil.copy("result.json", name + "_result.json")
"""
    run_light(program, folder)
    return folder


def result_of(folder, name):
    return json.loads((folder / f"{name}_result.json").read_text(encoding="utf-8"))


def test_every_module_of_the_numerics_and_jobs_imports(tmp_path):
    modules = light_modules()
    assert len(modules) > 40
    program = f"""
import importlib
for name in {modules!r}:
    importlib.import_module(name)
print(sorted({{name.split(".")[0] for name in sys.modules}} & set({FORBIDDEN!r})))
"""
    assert run_light(program, tmp_path).strip() == "[]"


def test_the_command_shows_its_help_and_runs_jobs(folder):
    program = """
import sys
sys.argv = ["alpot", "label", "--request", "label.json"]
from aiida_alpot.cli import main
main()
"""
    assert "label: done" in run_light(program, folder)


def test_the_jobs_give_results(folder):
    assert result_of(folder, "label")["n_labelled"] == 4
    assert result_of(folder, "fit")["errors"]["training"]["n_configurations"] == 4
    assert result_of(folder, "evaluate")["errors"]["n_configurations"] == 4
    assert len(result_of(folder, "grade")["grades"]) == 4
    assert len(result_of(folder, "sample")["chains"]) == 4
    assert (folder / "selected.npz").exists()


def test_what_needs_aiida_says_that_it_is_missing(folder):
    program = """
try:
    import aiida_alpot.data.configurations
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run_light(program, folder).strip().startswith("aiida")
