# SPDX-License-Identifier: MIT
"""All services at once: started and stopped in an order in which each finds what it needs."""

from __future__ import annotations

import os
from pathlib import Path

from .packages import install_packages
from .postgres import start_postgres, stop_postgres
from .processes import HarnessError
from .rabbitmq import end_port_mapper, start_rabbitmq, stop_rabbitmq
from .slurm import slurm_environment, start_slurm, stop_slurm
from .ssh import ssh_environment, start_sshd, stop_sshd


def start_services(folder: Path) -> None:
    """Install what is missing and start all services in ``folder``; what runs is left alone.

    Raises
    ------
    HarnessError
        If one does not start; the message says where its log is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    require_open_folder(folder)
    install_packages()
    start_postgres(folder)
    start_rabbitmq(folder)
    start_slurm(folder)
    start_sshd(folder)


def stop_services(folder: Path) -> None:
    """Stop all services of ``folder``; their data stay."""
    problems = []
    for stop in (stop_sshd, stop_slurm, stop_rabbitmq, stop_postgres):
        try:
            stop(folder)
        except HarnessError as error:
            problems.append(str(error))
    end_port_mapper()
    if problems:
        raise HarnessError(" ".join(problems))


def service_environment(folder: Path) -> dict[str, str]:
    """Return the variables that commands and daemons need to find Slurm and sshd."""
    return {**slurm_environment(folder), **ssh_environment(folder)}


def require_open_folder(folder: Path) -> None:
    """Refuse a folder that PostgreSQL and RabbitMQ, which do not run as root, cannot enter.

    Raises
    ------
    HarnessError
        If a folder on the way is closed to other users, or the path is too long for a socket.
    """
    if len(os.fsencode(folder)) > 80:  # the address of a socket has 107 bytes
        raise HarnessError(f"{folder} is too long a path; take a folder in /tmp.")
    for one in (folder.resolve(), *folder.resolve().parents):
        if not one.stat().st_mode & 0o001:
            raise HarnessError(f"{one} is closed to other users: chmod o+x {one}")
