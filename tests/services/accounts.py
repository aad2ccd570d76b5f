# SPDX-License-Identifier: MIT
"""The accounts of Slurm: slurmdbd on a MariaDB of its own, which ``sacct`` asks.

Every function takes the folder of the services, of which Slurm runs already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import slurm
from .processes import (
    answers,
    end_process,
    free_port,
    home_of_service,
    is_alive,
    new_password,
    read_number,
    remember,
    run,
    spawn,
    wait_until,
    write_private,
)

USER = "mysql"
START_TIMEOUT = 60  # seconds
_PLAIN = "AccountingStorageType=accounting_storage/none\n"
_KEPT = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounts_port}
AccountingStoragePass={home}/munge.socket
"""
_CONFIGURATION = """\
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounts_port}
SlurmUser=root
PidFile={home}/slurmdbd.pid
LogFile={home}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
"""


@contextmanager
def accounts_kept(folder: Path) -> Iterator[None]:
    """Let Slurm keep accounts within the body of ``with``; jobs that run go on."""
    path = folder / "slurm" / "slurm.conf"
    before = path.read_text(encoding="utf-8")
    try:
        start_mariadb(folder)
        start_slurmdbd(folder)
        kept = _KEPT.format(home=folder / "slurm", **_settings(folder))
        path.write_text(before.replace(_PLAIN, kept), encoding="utf-8")
        slurm.slurm(folder, "sacctmgr", "--immediate", "add", "cluster", "alpot")
        _restart(folder)
        yield
    finally:
        path.write_text(before, encoding="utf-8")
        _restart(folder)
        end_process(read_number(folder / "slurm" / "slurmdbd.pid"))
        end_process(read_number(folder / "mariadb" / "mariadb.pid"))


def start_mariadb(folder: Path) -> None:
    """Start the database, after making it where there is none."""
    home, settings = home_of_service(folder / "mariadb", USER), _settings(folder)
    if is_alive(read_number(home / "mariadb.pid")):
        return
    if not (home / "data").is_dir():
        first = home / "first.sql"
        write_private(first, _first_statements(settings["password"]), USER)
        make = ["mariadb-install-db", "--no-defaults", f"--datadir={home / 'data'}"]
        run([*make, f"--user={USER}", "--skip-test-db"], timeout=300)
    server = ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={home / 'data'}"]
    files = {"socket": "mariadb.socket", "pid-file": "mariadb.pid", "init-file": "first.sql"}
    server += [f"--{name}={home / file}" for name, file in files.items()]
    server += ["--bind-address=127.0.0.1", f"--port={settings['database_port']}"]
    spawn(server, log=folder / "mariadb.out", user=USER)
    wait_until(
        lambda: answers(settings["database_port"]),
        timeout=START_TIMEOUT,
        what=f"MariaDB answers; see {folder / 'mariadb.out'}",
    )


def start_slurmdbd(folder: Path) -> None:
    """Start the daemon that writes the accounts."""
    home, settings = folder / "slurm", _settings(folder)
    write_private(home / "slurmdbd.conf", _CONFIGURATION.format(home=home, **settings))
    if not is_alive(read_number(home / "slurmdbd.pid")):
        environment = slurm.slurm_environment(folder)
        spawn(["/usr/sbin/slurmdbd", "-D"], log=home / "slurmdbd.out", environment=environment)
    wait_until(
        lambda: answers(settings["accounts_port"]),
        timeout=START_TIMEOUT,
        what=f"slurmdbd answers; see {home / 'slurmdbd.log'}",
    )


def _restart(folder: Path) -> None:
    """Start the controller and the node with the configuration as it is now."""
    slurm.stop_slurmd(folder)
    slurm.restart_slurmctld(folder)
    slurm.start_slurmd(folder)


def _first_statements(password: str) -> str:
    return (
        "CREATE DATABASE IF NOT EXISTS slurm_acct_db;\n"
        f"CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        f"CREATE USER IF NOT EXISTS 'slurm'@'localhost' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1';\n"
        "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';\n"
    )


def _settings(folder: Path) -> dict[str, Any]:
    return remember(
        folder / "accounts.json",
        lambda: {
            "accounts_port": free_port(),
            "database_port": free_port(),
            "password": new_password(),
        },
    )
