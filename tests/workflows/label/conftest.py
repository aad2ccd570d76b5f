# SPDX-License-Identifier: MIT
"""A code that is the test double of VASP, POTCAR files without potentials, and runs with both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations

DOUBLE = Path(__file__).parents[2] / "doubles" / "vasp" / "vasp_double.py"
FAMILY = "of-the-double"
POTCAR = (DOUBLE.parent / "potcar.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def potcar_family(aiida_profile, tmp_path_factory):
    """The name of a family of POTCAR files for some species."""
    from aiida_vasp.data.potcar import PotcarData

    folder = tmp_path_factory.mktemp("potcars")
    for symbol in ("Au", "Cu", "Fe", "Ni", "Si"):
        (folder / symbol).mkdir()
        (folder / symbol / "POTCAR").write_text(POTCAR.format(symbol=symbol), encoding="utf-8")
    PotcarData.upload_potcar_family(str(folder), FAMILY, "of a test double", stop_if_existing=False)
    return FAMILY


@pytest.fixture(scope="session")
def make_double(localhost):
    """Factory of codes that run the double; ``faults`` are those of its environment variable."""
    from aiida.orm import InstalledCode

    def make(label: str, faults: str = "", state: Path | None = None):
        prepend = f"export VASP_DOUBLE='{faults}'\n"
        if state is not None:
            prepend += f"export VASP_DOUBLE_STATE='{state}'\n"
        return InstalledCode(
            label=label,
            computer=localhost,
            filepath_executable=str(DOUBLE),
            default_calc_job_plugin="vasp.vasp",
            prepend_text=prepend,
            with_mpi=False,
        ).store()

    return make


@pytest.fixture(scope="session")
def vasp_code(make_double):
    """The double without faults."""
    return make_double("vasp")


@pytest.fixture(scope="session")
def vasp_settings(potcar_family):
    """Settings of VASP, cheap ones."""

    def settings(**changes):
        return {"encut": 300, "kspacing": 0.5, "family": potcar_family, **changes}

    return settings


@pytest.fixture(scope="session")
def label_with_vasp(vasp_code, vasp_settings):
    """Label configurations with VASP; returns the process."""
    from aiida import orm
    from aiida.engine import run_get_node
    from aiida.plugins import WorkflowFactory

    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.workflows.label.builder import complete_level

    def run(
        configurations,
        *,
        code=None,
        gamma=None,
        options=None,
        species=None,
        level=None,
        section=None,
        **settings,
    ):
        builder = WorkflowFactory("alpot.label.vasp").get_builder()
        builder.code = code or vasp_code
        if gamma is not None:
            builder.code_gamma = gamma
        builder.configurations = ConfigurationsData.from_configurations(configurations)
        calculator = {"name": "VASP", "settings": vasp_settings(**settings)}
        label = {
            "workchain": "vasp",
            "calculator": calculator,
            "level_of_theory": "",
            "max_jobs": 4,
        }
        label |= section or {}
        known = list(species or configurations.species)
        label["level_of_theory"] = level or complete_level(label, known)
        builder.settings = orm.Dict({"species": known, "label": label})
        if options is not None:
            builder.options = orm.Dict({"label": options})
        builder.turn = orm.Int(1)
        return run_get_node(builder).node

    return run


def distorted(
    symbols: str | list[str], *, a: float = 3.7, seed: int = 0, name: str = "cell"
) -> Atoms:
    """Return a sheared and rattled fcc cell of four atoms."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Cu", a=a, cubic=True)
    atoms.symbols = symbols
    shear = np.array([[1.01, 0.02, -0.01], [0.0, 0.98, 0.03], [0.0, 0.0, 1.015]])
    atoms.set_cell(atoms.cell.array @ shear, scale_atoms=True)
    atoms.rattle(0.1, rng=rng)
    atoms.info["identifier"] = name
    return atoms


@pytest.fixture(scope="session")
def make_distorted():
    """Factory of :func:`distorted` cells as configurations."""

    def make(*cells: dict):
        return Configurations.from_atoms([distorted(**cell) for cell in cells])

    return make
