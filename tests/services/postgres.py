# SPDX-License-Identifier: MIT
"""PostgreSQL in a folder of its own: started, stopped, restarted, killed.

Every function takes the folder of the services. Nothing of a cluster of the distribution is used
but the programs.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

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
    write_private,
)

USER = "postgres"
ADMINISTRATOR = "postgres"


def start_postgres(folder: Path) -> int:
    """Start the server, after making its cluster where there is none; return its port."""
    home, settings = _home(folder), _settings(folder)
    if not (home / "data" / "PG_VERSION").is_file():
        _make_cluster(home, settings["password"])
    if not is_alive(server_number(folder)):
        options = f"-p {settings['port']} -c listen_addresses=127.0.0.1 -c max_connections=200"
        options += " -c unix_socket_directories=''"
        control = [_program("pg_ctl"), "-D", home / "data", "-l", home / "postgres.log"]
        run([*control, "-w", "-o", options, "start"], user=USER)
    return int(settings["port"])


def stop_postgres(folder: Path) -> None:
    """Stop the server as an administrator would; open connections are cut."""
    end_process(server_number(folder), signal.SIGINT)


def kill_postgres(folder: Path) -> None:
    """Kill the server at once, without leave to write anything down."""
    import psutil

    number = server_number(folder)
    if not is_alive(number):
        return
    children = [child.pid for child in psutil.Process(number).children(recursive=True)]
    end_process(number, signal.SIGKILL)
    for child in children:  # they see it too, but it takes them a moment
        end_process(child, signal.SIGKILL)
    # where nobody takes its exit status its number looks alive to the server that starts next
    (_home(folder) / "data" / "postmaster.pid").unlink(missing_ok=True)


def restart_postgres(folder: Path) -> None:
    """Stop the server and start it again on the same port."""
    stop_postgres(folder)
    start_postgres(folder)


def server_number(folder: Path) -> int | None:
    """Return the process number of the server, None where it never ran."""
    return read_number(_home(folder) / "data" / "postmaster.pid")


def postgres_answers(folder: Path) -> bool:
    """Return whether the server takes connections."""
    return answers(_settings(folder)["port"])


def create_database(folder: Path, name: str) -> dict[str, Any]:
    """Make a database with a user of its own; return how AiiDA's ``core.psql_dos`` reaches it.

    The repository of files is not part of it.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name!r} is no name of a database: letters, digits and '_'.")
    password = new_password()
    query(folder, f"CREATE USER {name} WITH PASSWORD '{password}'")
    query(
        folder,
        f"CREATE DATABASE {name} OWNER {name} ENCODING 'UTF8' LC_COLLATE='C.UTF-8' "
        "LC_CTYPE='C.UTF-8' TEMPLATE=template0",
    )
    return {
        "database_engine": "postgresql_psycopg",
        "database_hostname": "127.0.0.1",
        "database_port": _settings(folder)["port"],
        "database_name": name,
        "database_username": name,
        "database_password": password,
    }


def query(folder: Path, statement: str, *, database: str = "postgres") -> str:
    """Run one statement as the administrator; return the rows as text."""
    settings = _settings(folder)
    reach = ["-h", "127.0.0.1", "-p", str(settings["port"]), "-U", ADMINISTRATOR, "-d", database]
    command = [_program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *reach]
    return run([*command, "-c", statement], environment={"PGPASSWORD": settings["password"]})


def database_size(folder: Path, name: str) -> int:
    """Return the size of a database in bytes, as PostgreSQL counts it."""
    return int(query(folder, f"SELECT pg_database_size('{name}')"))


def _make_cluster(home: Path, password: str) -> None:
    secret = home / "administrator"
    write_private(secret, password, USER)
    how = ["-U", ADMINISTRATOR, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
    run([_program("initdb"), "-D", home / "data", *how, f"--pwfile={secret}"], user=USER)
    secret.unlink()


def _home(folder: Path) -> Path:
    return home_of_service(folder / "postgres", USER)


def _settings(folder: Path) -> dict[str, Any]:
    return remember(
        folder / "postgres.json", lambda: {"port": free_port(), "password": new_password()}
    )


def _program(name: str) -> Path:
    versions = sorted(Path("/usr/lib/postgresql").iterdir(), key=lambda path: int(path.name))
    return versions[-1] / "bin" / name
