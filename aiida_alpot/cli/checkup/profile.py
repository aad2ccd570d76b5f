# SPDX-License-Identifier: MIT
"""The profile itself: is it there, does its storage open, does its broker answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_alpot.cli.checkup.finding import Finding, one_line
from aiida_alpot.errors import AlpotError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile


def check_profile(name: str | None) -> tuple[Finding, Profile | None]:
    """Check that there is a profile to work in; return it too."""
    from aiida_alpot.cli.profile import select_profile

    try:
        profile = select_profile(name)
    except AlpotError as error:
        init = "alpot init" if name is None else f"alpot init --name {name}"
        return Finding("profile", False, str(error), init), None
    return Finding("profile", True, profile.name), profile


def check_storage(profile: Profile) -> Finding:
    """Check that the storage opens and has the form that this version of AiiDA expects."""
    from aiida import orm
    from aiida.common.exceptions import IncompatibleStorageSchema, StorageMigrationError
    from aiida.manage import get_manager

    name = profile.name
    try:
        storage = get_manager().get_profile_storage()
        orm.QueryBuilder().append(orm.User).count()
    except (IncompatibleStorageSchema, StorageMigrationError) as error:
        remedy = f"verdi -p {name} daemon stop, then verdi -p {name} storage migrate"
        return Finding("storage", False, f"of another version of AiiDA: {one_line(error)}", remedy)
    except Exception as error:  # drivers of databases have errors of many kinds
        return Finding("storage", False, f"cannot be opened: {one_line(error)}", _revive(profile))
    return Finding("storage", True, f"{profile.storage_backend}, version {storage.version_head()}")


def _revive(profile: Profile) -> str:
    config = profile.storage_config
    if profile.storage_backend == "core.psql_dos":
        where = f"{config['database_hostname']}:{config['database_port']}"
        return f"start PostgreSQL at {where}; see 'verdi profile show {profile.name}'"
    return f"verdi -p {profile.name} storage info; the folder is {config.get('filepath')}"


def check_broker(profile: Profile) -> Finding:
    """Check that the profile has a broker, and that one which runs by itself lets us in."""
    broker = profile.process_control_backend
    if broker is None:
        return Finding(
            "broker",
            False,
            f"profile {profile.name} has none, so that nothing can be submitted",
            f"verdi profile configure-broker core.zeromq {profile.name}",
        )
    if broker != "core.rabbitmq":
        return Finding("broker", True, f"{broker}, which the daemon brings along")
    return _check_rabbitmq(profile)


def _check_rabbitmq(profile: Profile) -> Finding:
    from aiida_alpot.cli.installation import Broker

    config = profile.process_control_config
    host, port = str(config["broker_host"]), int(config["broker_port"])
    account = Broker(
        host,
        port,
        str(config["broker_username"]),
        str(config["broker_password"]),
        str(config.get("broker_virtual_host") or ""),
    )
    try:
        account.require()
    except AlpotError as error:
        remedy = (
            f"start RabbitMQ at {host}:{port} (systemctl start rabbitmq-server); the account "
            f"stands in 'verdi profile show {profile.name}'"
        )
        return Finding("broker", False, str(error), remedy)
    return Finding("broker", True, f"core.rabbitmq at {host}:{port}")
