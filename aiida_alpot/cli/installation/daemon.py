# SPDX-License-Identifier: MIT
"""Starting the daemon of a profile."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_alpot.cli.profile import daemon_is_running
from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile


def find_own_verdi() -> None:
    """Let AiiDA find the ``verdi`` of this environment, also where it is not activated.

    It looks for it on the PATH when its engine is imported, so that this comes before.
    """
    beside = str(Path(sys.executable).parent)
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", "")])


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
