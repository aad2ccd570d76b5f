# SPDX-License-Identifier: MIT
"""Starting the daemon of a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_alpot.cli.profile import daemon_is_running
from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile


def start_daemon(profile: Profile, *, workers: int = 1) -> bool:
    """Start the daemon with some workers; return whether it was started now.

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
        client.start_daemon(workers)
    except DaemonException as error:
        reason = " ".join(str(error).split())
        raise ServiceError(
            f"The daemon of profile '{profile.name}' did not start: {reason} Its log is "
            f"{client.daemon_log_file}."
        ) from error
    return True
