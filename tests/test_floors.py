# SPDX-License-Identifier: MIT
"""A floor imports only from the floors below it (docs/architecture.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import aiida_alpot

PACKAGE = Path(aiida_alpot.__file__).parent

FLOORS = {
    "errors": 0,
    "whole_files": 0,
    "array_files": 0,
    "array_headers": 0,
    "array_streams": 0,
    "ase_structures": 0,
    "configurations": 0,
    "configuration_checks": 0,
    "level_of_theory": 2,
    "compilation": 0,
    "machine_code": 0,
    "user_cache": 0,
    "neighbor_bins": 0,
    "neighbor_kernels": 0,
    "neighbor_search": 0,
    "neighbors": 0,
    "pair_lists": 0,
    "periodic_cells": 0,
    "mtp": 1,
    "fitting": 1,
    "grading": 1,
    "bias": 1,
    "sampling": 1,
    "selection": 1,
    "carving": 1,
    "properties": 1,
    "testing": 1,
    "interfaces": 1,
    "jobs": 2,
    "campaign": 2,
    "data": 3,
    "calculations": 3,
    "parsers": 3,
    "workflows": 4,
    "reports": 5,
    "cli": 5,
}
FOREIGN_LIMITS = {
    "aiida": lambda floor: floor >= 3,
    "aiida_vasp": lambda floor: floor >= 4,
    "numba": lambda floor: floor <= 1,
    "llvmlite": lambda floor: floor <= 2,
    "pydantic": lambda floor: floor >= 2,
    "click": lambda floor: floor == 5,
    "rich": lambda floor: floor == 5,
    "matplotlib": lambda floor: floor == 5,
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def floor_of(path: Path) -> int:
    return FLOORS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative imports hide the floor"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_floor_and_below(path):
    floor = floor_of(path)
    for name in imported_names(path):
        parts = name.split(".")
        if parts[0] == "aiida_alpot" and len(parts) > 1 and parts[1] in FLOORS:
            assert FLOORS[parts[1]] <= floor, f"{path} imports {name} from above"
        allowed = FOREIGN_LIMITS.get(parts[0])
        if allowed is not None:
            assert allowed(floor), f"{path} (floor {floor}) imports {name}"


def modules_of_the_documentation() -> set[str]:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("## Every module")[2].partition("\n## ")[0]
    named = set()
    for entry in section.split("\n- ")[1:]:
        package, _, names = entry.partition(": ")
        folder = "" if package == "top" else package.strip("`").replace(".", "/") + "/"
        named |= {f"{folder}{name}" for name in names.split()}
    return named


def test_the_documentation_names_every_module():
    present = {
        path.relative_to(PACKAGE).with_suffix("").as_posix()
        for path in modules()
        if not path.name.startswith("_")
    }
    assert present - modules_of_the_documentation() == set(), "docs/architecture.md, Every module"


def loaded_modules(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import aiida_alpot", {"aiida", "numba", "scipy", "numpy", "ase", "pydantic", "click"}),
        ("import aiida_alpot.sampling", {"aiida", "numba"}),
        ("import aiida_alpot.mtp", {"aiida", "numba"}),
        ("import aiida_alpot.cli", {"aiida", "numba", "scipy", "matplotlib", "rich"}),
        (
            "import aiida_alpot.fitting, aiida_alpot.grading, aiida_alpot.selection, "
            "aiida_alpot.carving, aiida_alpot.properties, "
            "aiida_alpot.jobs.run, aiida_alpot.jobs.sample",
            {"aiida"},
        ),
        (
            "from importlib.metadata import entry_points\n"
            "for group in ('data', 'calculations', 'parsers', 'workflows'):\n"
            "    for point in entry_points(group=f'aiida.{group}'):\n"
            "        if point.name.startswith('alpot.'): point.load()",
            {"numba", "matplotlib"},
        ),
    ],
    ids=["package", "sampling", "mtp", "command", "numerics", "processes"],
)
def test_importing_a_part_leaves_the_heavy_libraries_unloaded(statement, absent):
    assert loaded_modules(statement) & absent == set()


def test_every_entry_point_of_the_package_can_be_loaded():
    statement = (
        "from importlib.metadata import entry_points\n"
        "found = [p for g in ('data', 'calculations', 'parsers', 'workflows')\n"
        "         for p in entry_points(group=f'aiida.{g}') if p.name.startswith('alpot.')]\n"
        "assert len(found) >= 16, found\n"
        "[p.load() for p in found]"
    )
    assert "aiida" in loaded_modules(statement)
