# SPDX-License-Identifier: MIT
"""Setting up AiiDA for campaigns: a profile, the computer localhost, the codes, the daemon.

Every step looks first whether its result is there, so that it can be repeated. A profile that was
made elsewhere is only added to when it is named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_alpot.cli.profile import daemon_is_running
from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

COMPUTER = "localhost"
POLL_INTERVAL = 1  # seconds between two looks at a process; AiiDA's own default is 60
_GPAW_PREPEND = "unset PYTHONPATH\nexport OMP_NUM_THREADS=1"


def ensure_profile(name: str, *, email: str) -> tuple[Profile, bool]:
    """Return the profile ``name`` and whether it was made now (SQLite, ZeroMQ broker).

    It becomes the default profile only where there is none yet.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the folder is made is what is wanted
        from aiida.manage.configuration import create_profile, get_config, load_profile
        from aiida.plugins import BrokerFactory

        config = get_config(create=True)
    if name in config.profile_names:
        return load_profile(name, allow_switch=True), False
    broker = "core.zeromq"
    create_profile(
        config,
        name=name,
        email=email,
        storage_backend="core.sqlite_dos",
        storage_config={},
        broker_backend=broker,
        broker_config=BrokerFactory(broker).get_default_config(),
    )
    let_readers_and_writers_meet(config.get_profile(name))
    config.set_option("runner.poll.interval", POLL_INTERVAL, scope=name)
    config.set_default_profile(name, overwrite=False)
    config.store()
    return load_profile(name, allow_switch=True), True


def let_readers_and_writers_meet(profile: Profile) -> None:
    """Switch the database of a profile to write-ahead logging, which stays with the file.

    With SQLite's default journal a process that reads, such as ``alpot watch``, can make a commit
    of the daemon fail on a busy computer; AiiDA waits for five seconds only.
    """
    database = Path(profile.storage_config["filepath"]) / "database.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def ensure_computer() -> tuple[Any, bool]:
    """Return the computer localhost and whether it was made now."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.manage import get_config, get_manager

    try:
        computer = orm.load_computer(COMPUTER)
        made = False
    except NotExistent:
        profile = get_manager().get_profile()
        scratch = Path(get_config().dirpath) / "scratch" / str(profile and profile.name)
        computer = orm.Computer(
            label=COMPUTER,
            hostname="localhost",
            description="This computer, made by alpot init.",
            transport_type="core.local",
            scheduler_type="core.direct",
            workdir=str(scratch),
        ).store()
        made = True
    if not computer.is_configured:
        computer.configure(safe_interval=0, use_login_shell=False)
        computer.set_minimum_job_poll_interval(POLL_INTERVAL)
        computer.set_default_mpiprocs_per_machine(1)
    return computer, made


def ensure_alpot_code(computer: Any) -> tuple[Any, bool]:
    """Return the code alpot@localhost and whether it was made now.

    Raises
    ------
    ServiceError
        If the command ``alpot`` cannot be found beside this Python or on the PATH.
    """
    beside = Path(sys.executable).parent / "alpot"
    executable = str(beside) if beside.is_file() else shutil.which("alpot")
    if executable is None:
        raise ServiceError(
            f"There is no command 'alpot' beside {sys.executable} or on the PATH. Install the "
            "package: pip install aiida-alpot."
        )
    return _ensure_code("alpot", computer, executable, description="Jobs of aiida-alpot.")


def ensure_gpaw_code(computer: Any) -> tuple[Any, bool] | None:
    """Return the code gpaw@localhost and whether it was made now; None where there is no GPAW."""
    existing = _existing_code("gpaw", computer)
    if existing is not None:
        return existing, False
    for python in _pythons():
        if imports_gpaw(python):
            return _ensure_code(
                "gpaw",
                computer,
                python,
                description="Python with GPAW, for labels.",
                prepend_text=_GPAW_PREPEND,
            )
    return None


def imports_gpaw(python: str) -> bool:
    """Return whether a Python can import GPAW and ASE."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        found = subprocess.run(
            [python, "-c", "import gpaw, ase"],
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0


def start_daemon(profile: Profile) -> bool:
    """Start the daemon with one worker; return whether it was started now.

    Raises
    ------
    ServiceError
        If it does not start.
    """
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    if daemon_is_running(profile):
        return False
    client = get_daemon_client(profile.name)
    try:
        client.start_daemon(1)
    except DaemonException as error:
        reason = " ".join(str(error).split())
        raise ServiceError(
            f"The daemon of profile '{profile.name}' did not start: {reason} Its log is "
            f"{client.daemon_log_file}."
        ) from error
    return True


def _pythons() -> Iterator[str]:
    seen = set()
    for candidate in (sys.executable, shutil.which("python3"), "/usr/bin/python3"):
        if candidate and candidate not in seen and Path(candidate).is_file():
            seen.add(candidate)
            yield candidate


def _existing_code(label: str, computer: Any) -> Any:
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_code(f"{label}@{computer.label}")
    except NotExistent:
        return None


def _ensure_code(
    label: str, computer: Any, executable: str, *, description: str, prepend_text: str = ""
) -> tuple[Any, bool]:
    from aiida import orm

    existing = _existing_code(label, computer)
    if existing is not None:
        return existing, False
    code = orm.InstalledCode(
        label=label,
        computer=computer,
        filepath_executable=executable,
        description=description,
        prepend_text=prepend_text,
    )
    return code.store(), True
