# SPDX-License-Identifier: MIT
"""Computers and codes of AiiDA on the services; they go into the profile that is loaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .ssh import HOST

SCRIPTS = Path(sys.executable).parent


def make_slurm_computer(
    label: str,
    scratch: Path,
    *,
    over_ssh: bool = False,
    poll_seconds: float = 1,
    processes: int = 1,
) -> Any:
    """Return a stored and configured computer with the scheduler Slurm.

    Parameters
    ----------
    label : str
        Its label.
    scratch : path
        Folder in which its jobs run.
    over_ssh : bool
        Whether it is reached by ``core.ssh_async`` in place of ``core.local``.
    poll_seconds : float
        Time between two looks at the queue.
    processes : int
        MPI processes of a machine, where a job does not say.
    """
    from aiida.orm import Computer

    computer = Computer(
        label=label,
        hostname=HOST if over_ssh else "localhost",
        workdir=str(scratch),
        transport_type="core.ssh_async" if over_ssh else "core.local",
        scheduler_type="core.slurm",
    ).store()
    computer.set_minimum_job_poll_interval(poll_seconds)
    computer.set_default_mpiprocs_per_machine(processes)
    if over_ssh:
        computer.configure(host=HOST, safe_interval=0, use_login_shell=False)
    else:
        computer.configure(safe_interval=0, use_login_shell=False)
    return computer


def make_code(computer: Any, label: str, program: str | Path, **settings: Any) -> Any:
    """Return a stored code; a bare name of a program is one beside this Python."""
    from aiida.orm import InstalledCode

    executable = SCRIPTS / program  # an absolute path stays what it is
    return InstalledCode(
        label=label, computer=computer, filepath_executable=str(executable), **settings
    ).store()


def make_alpot_code(computer: Any, **settings: Any) -> Any:
    """Return the code ``alpot`` of this environment on a computer."""
    return make_code(computer, "alpot", "alpot", **settings)


def make_python_code(computer: Any, **settings: Any) -> Any:
    """Return a bare Python on a computer, which labels with the driver that travels along.

    It starts faster than ``alpot``: the code for many small label jobs.
    """
    return make_code(computer, "python", sys.executable, **settings)


def reconnect() -> None:
    """Let this process reach PostgreSQL again after a restart; what was not committed is lost.

    The first statement on the dead connection fails, and all that follow until it is rolled back.
    """
    from aiida.manage import get_manager
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError, PendingRollbackError

    session = get_manager().get_profile_storage().get_session()
    try:
        session.execute(text("SELECT 1"))
    except (DBAPIError, PendingRollbackError):
        session.rollback()
        session.execute(text("SELECT 1"))
