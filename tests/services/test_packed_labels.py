# SPDX-License-Identifier: MIT
"""GPAW on two MPI processes through Slurm: several cells share a job, a crash costs one of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import submit
from aiida.plugins import WorkflowFactory
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.level_of_theory import level_of_theory
from tests.jobs.conftest import find_gpaw_python

from .aiida_setup import make_code, make_slurm_computer
from .daemon import wait_for

pytestmark = [pytest.mark.full, pytest.mark.gpaw]

ROOT = Path(__file__).parents[2]
DOUBLE = ROOT / "tests" / "doubles" / "crashing_labeller.py"
GPAW = {"ecut": 150, "kpts": [2, 2, 2], "smearing": 0.2, "convergence": {"density": 1e-4}}
AS_ROOT = "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1"


def aluminium(count=3):
    """Return cells of one atom, each a little larger than the one before."""
    cells = [bulk("Al", a=4.0 + 0.04 * number) for number in range(count)]
    names = [f"cell_{number}" for number in range(count)]
    return Configurations.from_atoms(cells, identifiers=names)


@pytest.fixture(scope="module")
def parallel_code(daemon, tmp_path_factory):
    """GPAW on two processes; in the cells that the environment names it dies of a signal."""
    python = find_gpaw_python()
    if python is None:
        pytest.skip("no Python with GPAW: apt-get install gpaw gpaw-data")
    folder = tmp_path_factory.mktemp("parallel")
    computer = make_slurm_computer("slurm-mpi", folder / "scratch", processes=2)
    computer.set_prepend_text(AS_ROOT)
    mpirun = shutil.which("mpirun", path=Path(python).parent) or "mpirun"  # of the same MPI
    computer.set_mpirun_command([mpirun, "-np", "{tot_num_mpiprocs}"])
    script = folder / "crashing_gpaw"
    script.write_text(
        f'#!/bin/sh\nexport CRASH_AT="cell_1:kill" CRASH_COUNTS="{folder}" PYTHONPATH="{ROOT}"\n'
        f'exec "{python}" "{DOUBLE}" "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return make_code(computer, "crashing_gpaw", script, with_mpi=True)


@pytest.fixture(scope="module")
def labelled(parallel_code):
    """Three cells in one batch, the second of which takes down its job."""
    builder = WorkflowFactory("alpot.label.gpaw").get_builder()
    builder.code = parallel_code
    builder.configurations = ConfigurationsData.from_configurations(aluminium())
    section = {
        "workchain": "gpaw",
        "calculator": {"name": "GPAW", "settings": GPAW},
        "level_of_theory": level_of_theory("GPAW", GPAW),
        "batch_size": 3,
    }
    builder.settings = orm.Dict({"label": section})
    resources = {"num_machines": 1, "num_mpiprocs_per_machine": 2}
    options = {"resources": resources, "withmpi": True, "max_wallclock_seconds": 300}
    builder.options = orm.Dict({"label": options})
    node = submit(builder)
    wait_for(node, timeout=500)
    return node


def test_a_crash_of_a_parallel_job_costs_the_cell_that_it_was_at(labelled):
    entries = {one["identifier"]: one for one in labelled.outputs.ledger["entries"]}
    assert labelled.exit_status == 0, labelled.exit_message
    assert [entries[f"cell_{n}"]["status"] for n in range(3)] == ["labelled", "failed", "labelled"]
    assert (entries["cell_1"]["cause"], entries["cell_1"]["quarantined"]) == ("crashed", True)
    jobs = [one for one in labelled.called if isinstance(one, orm.CalcJobNode)]
    sizes = sorted(len(job.inputs.settings["indices"]) for job in jobs)
    assert sizes == [1, 1, 3]


def test_the_labels_were_made_on_two_processes(labelled):
    made = labelled.outputs.labelled.get_configurations()
    assert np.isfinite(made.energy).all()
    assert np.isfinite(made.stress).all()
    jobs = [one for one in labelled.called if isinstance(one, orm.CalcJobNode)]
    successful = [job for job in jobs if "labelled" in job.outputs]
    assert len(successful) == 2
    for job in successful:
        script = job.base.repository.get_object_content("_aiidasubmit.sh")
        assert "#SBATCH --ntasks-per-node=2" in script
        assert "mpirun" in script
        logs = job.outputs.retrieved.base.repository
        log = logs.get_object_content("label_logs/00000.txt")
        assert re.search(r"cores( used)?: +2\b", log)
