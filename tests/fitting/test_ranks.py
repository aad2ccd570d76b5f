# SPDX-License-Identifier: MIT
"""Fits that several processes of MPI share."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.structure_files import write_configurations

from .data import emt_set

REQUEST = {
    "schema": 1,
    "job": "fit",
    "training": ["training.npz"],
    "level": 6,
    "cutoff": 4.5,
    "tolerance": 1e-6,
}
RUN = "from aiida_alpot.jobs.run import run_request; run_request('request.json')"


@pytest.fixture
def folder(tmp_path):
    emt_set(9, seed=1).save(tmp_path / "training.npz")
    return tmp_path


def launch(folder, request=None, *, ranks, program=RUN):
    """Run a fit job, or another program, by ``mpiexec`` and return what it printed."""
    pytest.importorskip("mpi4py", reason="needs aiida-alpot[mpi]")
    beside = Path(sys.executable).parent / "mpiexec"
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("needs mpiexec")
    (folder / "request.json").write_text(json.dumps(request))
    command = [mpiexec, "-n", str(ranks), sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("ranks", "method"), [(2, "projection"), (3, "projection"), (2, "matrix-free")]
)
def test_ranks_find_what_one_process_does(folder, ranks, method):
    request = REQUEST | {"method": method, "max_iterations": 5}
    finished = launch(folder, request, ranks=ranks)
    assert finished.returncode == 0, finished.stderr
    result = json.loads((folder / "result.json").read_text())
    training = emt_set(9, seed=1)
    alone = fit_potential(
        training,
        initial=start_potential(training, level=6, cutoff=4.5),
        tolerance=1e-6,
        max_iterations=5,
        method=method,
    )
    assert result["loss_history"][:3] == pytest.approx(alone.loss_history[:3], rel=1e-6)
    assert result["loss"] == pytest.approx(alone.loss, rel=0.05)
    assert read_potential(folder / "potential.mtp").level == 6


def test_more_ranks_than_configurations_are_no_harm(folder):
    emt_set(2, seed=1).save(folder / "training.npz")
    finished = launch(folder, REQUEST | {"max_iterations": 2}, ranks=3)
    assert finished.returncode == 0, finished.stderr


def test_the_ranks_share_several_starts_in_a_part_of_a_large_set(folder):
    emt_set(250, seed=1).save(folder / "training.npz")
    request = REQUEST | {"level": 4, "n_starts": 2, "tolerance": 1e-3}
    finished = launch(folder, request, ranks=2)
    assert finished.returncode == 0, finished.stderr
    assert json.loads((folder / "result.json").read_text())["converged"]


def test_files_that_ase_reads_do_not_disturb_the_ranks(folder):
    training = emt_set(9, seed=1)
    write_configurations(training, folder / "training.xyz")
    program = (
        "import json; from aiida_alpot.fitting import fit_potential, start_potential\n"
        "from aiida_alpot.fitting.ranks import share_fits_if_launched\n"
        "from aiida_alpot.mtp.structure_files import read_configurations\n"
        "with share_fits_if_launched():\n"
        "    training = read_configurations('training.xyz')\n"
        "    initial = start_potential(training, level=4, cutoff=4.5)\n"
        "    for _ in range(2):\n"
        "        result = fit_potential(training, initial=initial, max_iterations=2)\n"
        "    print(json.dumps(result.loss))\n"
    )
    finished = launch(folder, program=program, ranks=2)
    assert finished.returncode == 0, finished.stderr
    alone = fit_potential(
        training, initial=start_potential(training, level=4, cutoff=4.5), max_iterations=2
    )
    assert json.loads(finished.stdout) == pytest.approx(alone.loss, rel=1e-6)


def test_all_ranks_end_when_the_job_is_refused(folder):
    finished = launch(folder, REQUEST | {"training": ["absent.npz"]}, ranks=2)
    assert finished.returncode != 0
    result = json.loads((folder / "result.json").read_text())
    assert result["error"]["class"] == "InputFileError"


def test_one_process_shares_nothing(monkeypatch):
    from aiida_alpot.fitting.ranks import share_fits_if_launched, spread

    monkeypatch.delenv("PMI_SIZE", raising=False)
    environment, targets = object(), object()
    with share_fits_if_launched(), spread(environment, targets, None) as found:
        assert found is environment
