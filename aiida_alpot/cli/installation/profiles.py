# SPDX-License-Identifier: MIT
"""Making a profile of AiiDA: on SQLite with the built-in broker, or on PostgreSQL and RabbitMQ."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

    from aiida_alpot.cli.installation.services import Broker, Database

POLL_INTERVAL = 1  # seconds between two looks at a process; AiiDA's own default is 60
DAEMON_TIMEOUT = 30  # seconds that a busy daemon may take to answer; AiiDA's own default is 2


def ensure_profile(
    name: str, *, email: str, database: Database | None = None, broker: Broker | None = None
) -> tuple[Profile, bool]:
    """Return the profile ``name`` and whether it was made now.

    It becomes the default profile only where there is none yet.

    Parameters
    ----------
    name : str
        Its name.
    email : str
        Its user.
    database : Database, optional
        PostgreSQL; SQLite in AiiDA's folder if absent.
    broker : Broker, optional
        RabbitMQ; AiiDA's built-in broker if absent.

    Raises
    ------
    ServiceError
        If a service does not take a connection; nothing is made then.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the folder is made is what is wanted
        from aiida.manage.configuration import get_config, load_profile

        config = get_config(create=True)
    if name in config.profile_names:
        return load_profile(name, allow_switch=True), False
    for service in (database, broker):
        if service is not None:
            service.require()
    _make_profile(config, name, email=email, database=database, broker=broker)
    return load_profile(name, allow_switch=True), True


def _make_profile(
    config: Any, name: str, *, email: str, database: Database | None, broker: Broker | None
) -> None:
    from aiida.manage.configuration import create_profile
    from aiida.plugins import BrokerFactory

    folder = Path(config.dirpath) / "repository" / name
    built_in = "core.zeromq"
    create_profile(
        config,
        name=name,
        email=email,
        storage_backend="core.sqlite_dos" if database is None else "core.psql_dos",
        storage_config={} if database is None else database.storage_config(str(folder)),
        broker_backend=built_in if broker is None else "core.rabbitmq",
        broker_config=(
            BrokerFactory(built_in).get_default_config()
            if broker is None
            else broker.broker_config()
        ),
    )
    if database is None:
        let_readers_and_writers_meet(config.get_profile(name))
    if broker is not None:
        # AiiDA asks for a longer consumer_timeout, which profiles/workstation/README.md sets
        config.set_option("warnings.rabbitmq_version", False, scope=name)
    config.set_option("runner.poll.interval", POLL_INTERVAL, scope=name)
    config.set_option("daemon.timeout", DAEMON_TIMEOUT, scope=name)
    config.set_default_profile(name, overwrite=False)
    config.store()
    Path(config.filepath).chmod(0o600)  # it holds the passwords


def let_readers_and_writers_meet(profile: Profile) -> None:
    """Switch the database of a profile to write-ahead logging, which stays with the file.

    With SQLite's default journal a process that reads, such as ``alpot watch``, can make a commit
    of the daemon fail on a busy computer; AiiDA waits for five seconds only.
    """
    database = Path(profile.storage_config["filepath"]) / "database.sqlite"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
