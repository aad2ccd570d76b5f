# SPDX-License-Identifier: MIT
"""Fixtures of all tests: an AiiDA profile of their own, codes on this machine, and tiny data.

The profile lies in a temporary folder, on SQLite with the broker that is built in; nothing that
is there already is touched. Do not clean its storage within a session: results of processes are
shared between tests.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.cli.broker import VISIT_EVERY, visit_broker
from aiida_alpot.configurations import Configurations

# the daemon is started by the `verdi` that is found first, which must be that of this environment
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

pytest_plugins = "aiida.tools.pytest_fixtures"


def pytest_collection_modifyitems(items):
    """Put campaigns and daemons first: they take longest, and some processes share the suite."""
    items.sort(key=lambda item: (item.path.parent.name != "recipes", "daemon" not in item.keywords))


@pytest.fixture(scope="session", autouse=True)
def aiida_profile(aiida_config, aiida_profile_factory):
    """A profile that a daemon can serve without any service on the machine."""
    from aiida_alpot.cli.installation import let_readers_and_writers_meet

    with aiida_profile_factory(
        aiida_config, storage_backend="core.sqlite_dos", broker_backend="core.zeromq"
    ) as profile:
        let_readers_and_writers_meet(profile)
        profile.is_test_profile = False  # else its runners ask for their children without a pause
        profile.set_option("runner.poll.interval", 1)
        profile.set_option("logging.aiida_loglevel", "REPORT")
        profile.set_option("daemon.timeout", 60)  # seconds, for machines that are busy
        aiida_config.store()
        yield profile


@pytest.fixture(scope="session")
def localhost(make_computer, tmp_path_factory):
    """This machine as a computer of AiiDA."""
    return make_computer("localhost", tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="session")
def make_computer(aiida_profile):
    """Factory of computers that are this machine, polled without waiting."""
    from aiida.orm import Computer

    def make(label, folder):
        computer = Computer(
            label=label,
            hostname="localhost",
            workdir=str(folder),
            transport_type="core.local",
            scheduler_type="core.direct",
        ).store()
        computer.set_minimum_job_poll_interval(0.5)
        computer.set_default_mpiprocs_per_machine(1)
        computer.configure(safe_interval=0, use_login_shell=False)
        return computer

    return make


def installed_code(computer, label, executable, **options):
    """Return a stored code on ``computer``."""
    from aiida.orm import InstalledCode

    code = InstalledCode(
        label=label, computer=computer, filepath_executable=str(executable), **options
    )
    return code.store()


@pytest.fixture(scope="session")
def script_code(localhost):
    """Factory of codes that are a script of the shell at a path; ``alpot*`` is given requests."""

    def make(path, text):
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return installed_code(localhost, f"{path.name}_{path.parent.name}", path)

    return make


@pytest.fixture(scope="session")
def accident_code(script_code):
    """Factory of codes that label, and meet with accidents as they are told; see the double.

    What waits goes on when the file ``go_on`` in the folder is there.
    """
    double = Path(__file__).parent / "doubles" / "crashing_labeller.py"

    def make(folder, accidents):
        return script_code(
            folder / "accident",
            f'export CRASH_AT="{accidents}" CRASH_COUNTS="{folder}" GO_ON="{folder / "go_on"}"\n'
            f'exec "{sys.executable}" "{double}" "$@"',
        )

    return make


@pytest.fixture(scope="session")
def alpot_code(localhost):
    """The command ``alpot`` of the environment that runs the tests."""
    return installed_code(localhost, "alpot", Path(sys.executable).with_name("alpot"))


@pytest.fixture(scope="session")
def python_code(localhost):
    """A bare Python, which labels with the driver that travels with the job."""
    return installed_code(localhost, "python", sys.executable)


@pytest.fixture
def stop_after(monkeypatch):
    """Let the jobs that follow end when a checkpoint was offered so often, then run through."""
    from aiida_alpot.jobs.checkpoints import Checkpoints

    offered = Checkpoints.offer

    def stop(*counts):
        stops = iter(counts)

        def count_down(self, state):
            if not hasattr(self, "left"):
                self.left = next(stops, 10**6)
            self.left -= 1
            self._asked = self.left <= 0
            offered(self, state)

        monkeypatch.setattr(Checkpoints, "offer", count_down)

    return stop


@pytest.fixture(scope="module")
def daemon(aiida_profile):
    """A running daemon with one worker; idle it takes a tenth of a core, so it ends soon."""
    from aiida.engine.daemon.client import get_daemon_client

    client = get_daemon_client(aiida_profile.name)
    client.start_daemon(number_workers=1)
    yield client
    client.stop_daemon(wait=True)


@pytest.fixture(scope="module")
def run_in_daemon(daemon):
    """Submit a process and wait until it has ended; the daemon's log is shown if it does not."""
    from aiida.engine import submit

    def run(builder, *, timeout=400.0):
        node = submit(builder)
        return wait_for(node, daemon, timeout=timeout)

    return run


def wait_for(node, daemon, *, timeout, condition=lambda node: node.is_terminated):
    """Wait until ``condition`` holds for ``node``."""
    from aiida.manage import get_manager

    begun = visited = time.monotonic()
    while not condition(node):
        now = time.monotonic()
        if now > begun + timeout:
            log = Path(daemon.daemon_log_file).read_text(encoding="utf-8")[-4000:]
            pytest.fail(f"{node} is still {node.process_state} after {timeout} s; daemon:\n{log}")
        if now > visited + VISIT_EVERY:
            visit_broker(get_manager().get_profile())
            visited = now
        time.sleep(0.5)
    return node


@pytest.fixture(scope="module")
def wait_for_process(daemon):
    """:func:`wait_for` with the daemon of the module."""

    def wait(node, *, timeout=400.0, condition=lambda node: node.is_terminated):
        return wait_for(node, daemon, timeout=timeout, condition=condition)

    return wait


def rattled_copper(n_cells=2, *, count=4, seed=0, rattle=0.05, strain=0.01):
    """Return fcc copper cells of 4 ``n_cells``^3 atoms, strained and rattled."""
    rng = np.random.default_rng(seed)
    structures = []
    for index in range(count):
        atoms = bulk("Cu", a=3.6, cubic=True).repeat(n_cells)
        atoms.set_cell(atoms.cell * (1 + strain * rng.uniform(-1, 1)), scale_atoms=True)
        atoms.positions += rattle * rng.standard_normal(atoms.positions.shape)
        atoms.info["identifier"] = f"cell_{index}"
        structures.append(atoms)
    return structures


def labelled_with_emt(structures):
    """Return the structures with energies, forces and stresses of EMT."""
    labelled = []
    for original in structures:
        atoms = original.copy()
        atoms.calc = EMT()
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        labelled.append(atoms)
    return labelled


@pytest.fixture(scope="session")
def run_job():
    """Run the job of a request in a folder; returns what ``result.json`` holds then."""
    from aiida_alpot.jobs.run import run_request

    def run(folder, **keys):
        request = json.dumps({"schema": 1, **keys})
        (folder / "request.json").write_text(request, encoding="utf-8")
        run_request(folder)
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))

    return run


@pytest.fixture(scope="session")
def emt_level():
    """Level of theory of EMT as the label jobs write it."""
    from aiida_alpot.level_of_theory import level_of_theory

    return level_of_theory("EMT", {})


@pytest.fixture(scope="session")
def copper_cells():
    """Four cells of 32 atoms without labels."""
    return Configurations.from_atoms(rattled_copper())


@pytest.fixture(scope="session")
def unlabelled_copper(copper_cells):
    """Factory of the four cells, moved so that no other test of the session has labels of them."""
    shifts = itertools.count(1)
    return lambda: copper_cells.replace(positions=copper_cells.positions + 0.013 * next(shifts))


@pytest.fixture(scope="session")
def labelled_copper(emt_level):
    """The same four cells with labels of EMT."""
    return Configurations.from_atoms(labelled_with_emt(rattled_copper()), level_of_theory=emt_level)


@pytest.fixture(scope="session")
def make_potential():
    """Factory of potentials with random coefficients."""
    from aiida_alpot.grading.row_space import with_generic_coefficients
    from aiida_alpot.mtp.potential import initial_potential

    def make(level=8, species=("Cu",), *, seed=0, cutoff=5.0):
        rng = np.random.default_rng(seed)
        initial = initial_potential(level, cutoff, species=species, min_distance=1.9, rng=rng)
        return with_generic_coefficients(initial)

    return make


@pytest.fixture(scope="session")
def potential(make_potential):
    """One of them, for copper."""
    return make_potential(8)


@pytest.fixture(scope="session")
def make_cells():
    """Factory of strained and rattled cubic cells, of different sizes."""

    def make(
        n, *, rattle=0.05, strain=0.02, seed=0, symbol="Cu", crystal="fcc", a=3.6, repeats=(1, 2)
    ):
        rng = np.random.default_rng(seed)
        structures = []
        for index in range(n):
            atoms = bulk(symbol, crystal, a=a, cubic=True).repeat(repeats[index % len(repeats)])
            deformation = np.eye(3) + strain * rng.uniform(-1.0, 1.0, (3, 3))
            atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            atoms.positions += rng.normal(0.0, rattle, (len(atoms), 3))
            structures.append(atoms)
        names = [f"{symbol}_{seed}_{index}" for index in range(n)]
        return Configurations.from_atoms(structures, identifiers=names)

    return make
