# SPDX-License-Identifier: MIT
"""Fixtures on real services. They are collected by ``make test-services`` alone.

All tests of a session share the services, the profile on PostgreSQL and RabbitMQ, and the daemon
with two workers. A test that breaks something mends it before it ends: the fixture ``mended``
does, whatever happens.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import aiida_setup
from . import daemon as daemons
from .campaigns import Interference, end_of, forget, is_stored, seconds_since, start_campaign
from .everything import service_environment, start_services, stop_services
from .figures import record_figures
from .postgres import create_database
from .rabbitmq import broker_settings
from .set_up import reach, run_program
from .slurm import cancel_jobs, resume_node

WANTED = "ALPOT_TEST_SERVICES"
"""Variable that asks for these tests: ``yes``, or ``all`` for those that take long too."""

collect_ignore_glob = [] if os.environ.get(WANTED) else ["test_*.py"]
N_WORKERS = 2
SECONDS_FOR_A_TEST = 1800  # of which idle machines need a tenth


def pytest_configure(config):
    """Let connections go: AiiDA leaves those to PostgreSQL to the garbage collector."""
    if os.environ.get(WANTED):
        line = "ignore:.*was deleted while still open:ResourceWarning"
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(items):
    """Leave out what takes long, unless all is asked for; give the others time."""
    for item in items if os.environ.get(WANTED) else []:
        item.add_marker(pytest.mark.timeout(SECONDS_FOR_A_TEST))
    if os.environ.get(WANTED) != "all":
        items[:] = [item for item in items if item.get_closest_marker("full") is None]


@pytest.fixture(scope="session")
def services() -> Iterator[Path]:
    """The folder of the services, all of which run; what they leave is taken away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="alpot-services-"))
    folder.chmod(0o755)  # PostgreSQL and RabbitMQ are other users
    before = dict(os.environ)
    try:
        start_services(folder)
        os.environ.update(service_environment(folder))
        yield folder
    finally:
        stop_services(folder)
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def production_profile(services, aiida_config, aiida_profile_factory, tmp_path_factory):
    """A loaded profile on PostgreSQL and RabbitMQ."""
    files = tmp_path_factory.mktemp("repository")
    storage = {**create_database(services, "production"), "repository_uri": f"file://{files}"}
    with aiida_profile_factory(
        aiida_config,
        name="production",
        storage_backend="core.psql_dos",
        storage_config=storage,
        broker_backend="core.rabbitmq",
        broker_config=broker_settings(services),
    ) as profile:
        # queues of a profile for tests are gone with their last consumer, such as a killed worker
        profile.is_test_profile = False
        profile.set_option("runner.poll.interval", 1)
        # five attempts bridge more than a minute in which a computer cannot be reached
        profile.set_option("transport.task_retry_initial_interval", 5)
        profile.set_option("logging.aiida_loglevel", "REPORT")
        profile.set_option("daemon.timeout", 60)  # seconds, for machines that are busy
        profile.set_option("warnings.rabbitmq_version", False)  # its timeout is raised, as asked
        aiida_config.store()
        yield profile


@pytest.fixture(scope="session", autouse=True)
def aiida_profile(production_profile):
    """The profile of all tests here, in place of the one on SQLite."""
    return production_profile


@pytest.fixture(scope="session")
def daemon(production_profile, services):
    """The client of a running daemon with two workers, in the environment of the services."""
    client = daemons.start_daemon(N_WORKERS)
    yield client
    daemons.stop_daemon()


@pytest.fixture(scope="session")
def slurm_computer(production_profile, tmp_path_factory):
    """The computer ``slurm``: this machine's cluster, reached by core.local."""
    return aiida_setup.make_slurm_computer("slurm", tmp_path_factory.mktemp("slurm"))


@pytest.fixture(scope="session")
def ssh_slurm_computer(production_profile, tmp_path_factory):
    """The computer ``slurm-ssh``: the same cluster, reached by core.ssh_async."""
    scratch = tmp_path_factory.mktemp("slurm_ssh")
    return aiida_setup.make_slurm_computer("slurm-ssh", scratch, over_ssh=True)


@pytest.fixture(scope="session")
def slurm_code(slurm_computer):
    """The code alpot@slurm."""
    return aiida_setup.make_alpot_code(slurm_computer)


@pytest.fixture(scope="session")
def ssh_slurm_code(ssh_slurm_computer):
    """The code alpot@slurm-ssh."""
    return aiida_setup.make_alpot_code(ssh_slurm_computer)


@pytest.fixture(scope="session")
def slurm_python(slurm_computer):
    """The code python@slurm, which labels and starts faster than alpot."""
    return aiida_setup.make_python_code(slurm_computer)


@pytest.fixture
def mended(services, daemon):
    """The folder of the services; whatever a test broke runs again after it."""
    yield services
    start_services(services)
    aiida_setup.reconnect()
    resume_node(services)
    cancel_jobs(services)
    if len(daemons.worker_numbers()) < N_WORKERS:
        daemons.kill_daemon()
        daemons.start_daemon(N_WORKERS)


@pytest.fixture(scope="session")
def interference(slurm_computer, tmp_path_factory):
    """The command of the code alpot_interfered@slurm, with which tests interfere."""
    made = Interference(tmp_path_factory.mktemp("interference") / "files")
    aiida_setup.make_code(slurm_computer, "alpot_interfered", made.program)
    return made


@pytest.fixture(scope="session")
def undisturbed(daemon, interference, tmp_path_factory):
    """What the small campaign leaves when nothing happens to it."""
    begun = time.monotonic()
    node = start_campaign(tmp_path_factory.mktemp("undisturbed"), "alpot_interfered@slurm")
    outcome = end_of(node)
    forget(node)
    seconds = seconds_since(begun)
    record_figures("campaign left alone", {"seconds": seconds}, f"{seconds} s")
    return outcome


@pytest.fixture
def started(undisturbed, interference, mended):
    """Start the small campaign; all that is left of each is gone after the test."""
    nodes = {}

    def start(folder, code="alpot_interfered@slurm", **settings):
        node = start_campaign(folder, code, **settings)
        nodes[node.pk] = node
        return node

    yield start
    interference.clear()
    if any(is_stored(number) and not node.is_terminated for number, node in nodes.items()):
        daemons.kill_daemon()  # what it was at is deleted; ``mended`` starts it again
    for number, node in nodes.items():
        if is_stored(number):  # one that read the labels of another is gone with it
            forget(node)


@pytest.fixture
def disturbed(started, undisturbed, tmp_path):
    """Run the small campaign while the body of ``with`` breaks things; compare how it ends."""

    @contextmanager
    def run(fault, **settings):
        begun = time.monotonic()
        node = started(tmp_path / "campaign", **settings)
        yield node
        assert end_of(node) == undisturbed
        seconds = seconds_since(begun)
        record_figures(f"fault: {fault}", {"seconds": seconds}, f"{seconds} s, same potential")

    return run


@pytest.fixture(scope="session")
def command(services):
    """Run a program of this environment in an AIIDA_PATH, see :func:`.set_up.run_program`."""
    return run_program


@pytest.fixture(scope="session")
def login(services):
    """How a database and the broker are reached, for a profile that a command makes."""
    return create_database(services, "profiles"), broker_settings(services)


@pytest.fixture(scope="session")
def by_init(command, login, tmp_path_factory):
    """An AIIDA_PATH that ``alpot init --profile slurm`` has set up, with its daemon."""
    home = tmp_path_factory.mktemp("by_init")
    options, passwords = reach(login)
    told = command(
        home,
        *("alpot", "init", "--profile", "slurm", "--no-compile", "--no-questions", *options),
        *("--computer", "cluster", "--host", "localhost", "--work-dir", home / "scratch"),
        *("--processes", 2, "--queue", "debug", "--poll-interval", 1),
        *("--machines", home / "machines.yaml"),
        **passwords,
    )
    assert "cluster (core.local, core.slurm): made" in told
    yield home
    command(home, "verdi", "-p", "alpot", "daemon", "stop")
