# SPDX-License-Identifier: MIT
"""Which AiiDA profile the campaign commands work in, and what is there: daemon, codes, campaigns.

A profile named ``alpot`` is preferred to the default one, since ``alpot init`` makes it without
touching any other. Everything that is missing is a :class:`ServiceError` with the command that
helps.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

PROFILE = "alpot"

Value = TypeVar("Value")

profile_option = click.option(
    "-p",
    "--profile",
    metavar="NAME",
    help=f"AiiDA profile; '{PROFILE}' if there is one, else the default profile.",
)


def open_profile(name: str | None = None) -> Profile:
    """Load a profile of AiiDA and return it.

    Raises
    ------
    ServiceError
        If there is no such profile, or its storage cannot be used.
    """
    profile = select_profile(name)
    from aiida.common import exceptions
    from aiida.manage import get_manager

    if get_manager().profile_storage_loaded:
        return profile
    try:
        patiently(get_manager().get_profile_storage)
    except (exceptions.StorageMigrationError, exceptions.IncompatibleStorageSchema) as error:
        raise ServiceError(
            f"The storage of profile '{profile.name}' belongs to another version of AiiDA. Run "
            f"'verdi -p {profile.name} storage migrate'."
        ) from error
    except exceptions.AiidaException as error:
        raise ServiceError(
            f"The storage of profile '{profile.name}' cannot be used: "
            f"{' '.join(str(error).split())}"
        ) from error
    return profile


def select_profile(name: str | None = None) -> Profile:
    """Load a profile of AiiDA and return it; its storage is not opened yet.

    Raises
    ------
    ServiceError
        If there is no such profile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # AiiDA tells of a folder that it makes
        from aiida import load_profile
        from aiida.common import exceptions
        from aiida.manage import get_config, get_manager

    try:
        config = get_config(create=False)
    except exceptions.AiidaException as error:
        raise ServiceError(_no_profile(name)) from error
    chosen = _choose(name, config)
    loaded = get_manager().get_profile()
    if loaded is not None and loaded.name == chosen:
        return loaded
    try:
        return load_profile(chosen, allow_switch=True)
    except exceptions.ProfileConfigurationError as error:
        raise ServiceError(_no_profile(name)) from error


def patiently(action: Callable[[], Value], *, seconds: float = 60.0) -> Value:
    """Return what ``action`` gives, waiting while the database is locked or its server restarts.

    Raises
    ------
    ServiceError
        If that takes longer than ``seconds``.
    """
    from aiida.manage import get_manager
    from sqlalchemy.exc import OperationalError, PendingRollbackError

    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except (OperationalError, PendingRollbackError) as error:
            is_locked = "locked" in str(error)
            if not (is_locked or _has_lost_its_server(error)):
                raise
            if time.monotonic() > deadline:
                raise ServiceError(_no_database(seconds, is_locked)) from error
            if get_manager().profile_storage_loaded:
                get_manager().get_profile_storage().get_session().rollback()
            time.sleep(0.5)


def _has_lost_its_server(error: Exception) -> bool:
    """Return whether a connection to PostgreSQL broke, or could not be made."""
    from sqlalchemy.exc import OperationalError

    if not isinstance(error, OperationalError):
        return True  # a statement after the one that met the broken connection
    refused = ("connection failed", "connection refused", "starting up", "shutting down")
    return error.connection_invalidated or any(word in str(error).lower() for word in refused)


def _no_database(seconds: float, is_locked: bool) -> str:
    if is_locked:
        return (
            f"The database of the profile has been locked by another process for {seconds:.0f} s. "
            "If the daemon hangs, restart it: 'verdi daemon restart'."
        )
    return (
        f"The database of the profile has not answered for {seconds:.0f} s. Start PostgreSQL; "
        "what the daemon runs goes on by itself then, see 'alpot doctor'."
    )


def _choose(name: str | None, config: Any) -> str:
    wanted = name or os.environ.get("AIIDA_PROFILE")
    if wanted:
        if wanted not in config.profile_names:
            raise ServiceError(_no_profile(wanted, config.profile_names))
        return wanted
    if PROFILE in config.profile_names:
        return PROFILE
    if config.default_profile_name is None:
        raise ServiceError(_no_profile(None))
    return str(config.default_profile_name)


def _no_profile(name: str | None, known: list[str] | None = None) -> str:
    from aiida.manage.configuration.settings import AiiDAConfigDir

    there = f" Profiles there: {', '.join(known)}." if known else ""
    what = f"no AiiDA profile '{name}'" if name else "no AiiDA profile"
    option = f" --name {name}" if name else ""
    return f"There is {what} in {AiiDAConfigDir.get()}.{there} Run 'alpot init{option}' to make it."


def daemon_is_running(profile: Profile) -> bool:
    """Return whether the daemon of a profile runs.

    AiiDA asks only whether there is a file with a process number, which a daemon that was killed
    leaves behind; here the process must be there too.
    """
    import psutil  # type: ignore[import-untyped]
    from aiida.engine.daemon.client import get_daemon_client

    number = get_daemon_client(profile.name).get_daemon_pid()
    try:
        return number is not None and any(
            "verdi" in word for word in psutil.Process(number).cmdline()
        )
    except psutil.Error:
        return False


def require_daemon(profile: Profile) -> None:
    """Raise unless the daemon runs.

    Raises
    ------
    ServiceError
        With the command that starts it.
    """
    if not daemon_is_running(profile):
        raise ServiceError(
            f"The daemon of profile '{profile.name}' is not running. Start it with "
            f"'verdi -p {profile.name} daemon start', then call the command again."
        )


def find_code(label: str) -> Any:
    """Return the code with this label.

    Raises
    ------
    ServiceError
        If there is none, or several.
    """
    from aiida import orm
    from aiida.common import exceptions

    try:
        return orm.load_code(label)
    except exceptions.MultipleObjectsError as error:
        raise ServiceError(f"There are several codes '{label}'. Give the full label.") from error
    except (exceptions.NotExistent, ValueError) as error:
        there = ", ".join(str(code.full_label) for code in all_codes()) or "none"
        raise ServiceError(
            f"There is no code '{label}' in this profile; codes there: {there}. Name one of them, "
            "or set it up with 'alpot init' (alpot, gpaw) or 'verdi code create "
            "core.code.installed'."
        ) from error


def all_codes() -> list[Any]:
    """Return the codes of the profile that are not hidden, by their labels."""
    from aiida import orm

    kinds = (orm.InstalledCode, orm.PortableCode, orm.ContainerizedCode)
    codes = orm.QueryBuilder().append(kinds).all(flat=True)
    shown = [code for code in codes if not code.is_hidden]
    return sorted(shown, key=lambda code: str(code.full_label))
