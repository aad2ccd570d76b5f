# SPDX-License-Identifier: MIT
"""The packages of the distribution that the services come from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .processes import HarnessError, run

PACKAGES = {
    "postgresql": "/usr/lib/postgresql",
    "rabbitmq-server": "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "slurm-wlm": "/usr/sbin/slurmctld",
    "munge": "/usr/sbin/munged",
    "openssh-server": "/usr/sbin/sshd",
    "openssh-client": "/usr/bin/ssh-keygen",
}
ACCOUNTS = {"mariadb-server": "/usr/sbin/mariadbd", "slurmdbd": "/usr/sbin/slurmdbd"}
"""What Slurm keeps accounts with."""


def missing_packages(wanted: Mapping[str, str] = PACKAGES) -> list[str]:
    """Return the packages of which the program is not there."""
    return [name for name, path in wanted.items() if not Path(path).exists()]


def install_packages(wanted: Mapping[str, str] = PACKAGES) -> list[str]:
    """Install with apt what is missing; return what was installed.

    Raises
    ------
    HarnessError
        If something is missing and this process may not install it, or apt fails.
    """
    missing = missing_packages(wanted)
    if os.geteuid() != 0:
        raise HarnessError("The services are started as root: sudo make test-services.")
    if not missing:
        return []
    if shutil.which("apt-get") is None:
        raise HarnessError(f"Install the programs of: {', '.join(missing)}.")
    quietly = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    try:
        run(install, environment=quietly, timeout=600)
    except HarnessError:  # lists of packages that were never fetched or are too old
        run(["apt-get", "update", "-qq"], timeout=600)
        run(install, environment=quietly, timeout=600)
    return missing
