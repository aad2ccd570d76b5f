# SPDX-License-Identifier: MIT
"""Making computers of AiiDA: this one, and a cluster with Slurm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPUTER = "localhost"
POLL_INTERVAL = 1  # seconds between two looks at the jobs of this computer


@dataclass(frozen=True)
class Cluster:
    """A cluster with Slurm.

    Parameters
    ----------
    label : str
        Its name in AiiDA.
    host : str
        ``localhost`` where ``sbatch`` runs on this computer, else a name that ``ssh`` knows
        without a password.
    work_dir : str
        Folder of its jobs; ``{username}`` stands for the user there.
    processes : int
        Cores of a node: MPI processes of a job that asks for a node and says no more.
    poll_interval : float
        Seconds between two looks at the queue.
    prepend_text : str
        Shell commands before each job, such as ``module load``.
    """

    label: str
    host: str
    work_dir: str
    processes: int = 1
    poll_interval: float = 10
    prepend_text: str = ""

    @property
    def is_here(self) -> bool:
        """Whether its commands run on this computer."""
        return self.host == "localhost"


def ensure_computer() -> tuple[Any, bool]:
    """Return the computer localhost and whether it was made now."""
    from aiida import orm
    from aiida.manage import get_config, get_manager

    existing = _existing_computer(COMPUTER)
    computer, made = existing, existing is None
    if computer is None:
        profile = get_manager().get_profile()
        scratch = Path(get_config().dirpath) / "scratch" / str(profile and profile.name)
        computer = orm.Computer(
            label=COMPUTER,
            hostname="localhost",
            description="This computer, made by alpot init.",
            transport_type="core.local",
            scheduler_type="core.direct",
            workdir=str(scratch),
        ).store()
    if not computer.is_configured:
        computer.configure(safe_interval=0, use_login_shell=False)
        computer.set_minimum_job_poll_interval(POLL_INTERVAL)
        computer.set_default_mpiprocs_per_machine(1)
    return computer, made


def ensure_cluster(cluster: Cluster) -> tuple[Any, bool]:
    """Return the computer of a cluster and whether it was made now."""
    from aiida import orm

    existing = _existing_computer(cluster.label)
    computer, made = existing, existing is None
    if computer is None:
        computer = orm.Computer(
            label=cluster.label,
            hostname=cluster.host,
            description="A cluster with Slurm, made by alpot init.",
            transport_type="core.local" if cluster.is_here else "core.ssh_async",
            scheduler_type="core.slurm",
            workdir=cluster.work_dir,
        )
        computer.set_prepend_text(cluster.prepend_text)
        computer.store()
    if not computer.is_configured:
        if cluster.is_here:
            computer.configure(safe_interval=0, use_login_shell=False)
        else:
            computer.configure(host=cluster.host, use_login_shell=True)
        computer.set_minimum_job_poll_interval(cluster.poll_interval)
        computer.set_default_mpiprocs_per_machine(cluster.processes)
    return computer, made


def _existing_computer(label: str) -> Any:
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_computer(label)
    except NotExistent:
        return None
