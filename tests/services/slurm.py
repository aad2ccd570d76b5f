# SPDX-License-Identifier: MIT
"""Slurm on this machine, in a folder of its own: munge, the controller and one node.

Every function takes the folder of the services. Commands of Slurm find this cluster through the
variable ``SLURM_CONF``, see :func:`slurm_environment`.

Partitions: ``debug`` (the default), ``short`` (one minute at most) and ``urgent``, whose jobs
preempt those of the others. A job that is preempted, or loses its node, is put back into the
queue and starts again after a few seconds (``cred_expire``; two minutes by default). One that uses
more memory than it asked for is killed. There are no control groups and no accounting database;
jobs that have ended stand in ``jobs.log``, see :func:`completed_jobs`.
"""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .processes import (
    end_process,
    free_port,
    is_alive,
    read_number,
    remember,
    run,
    spawn,
    wait_until,
)

START_TIMEOUT = 60  # seconds
SLOTS_PER_CORE = 2  # jobs wait for files and for the scheduler's next pass, one a second
_CONFIGURATION = """\
ClusterName=alpot
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=1
SlurmdParameters=config_overrides
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmdSpoolDir={home}/node
StateSaveLocation={home}/state
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU={share}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
MinJobAge=300
MaxJobCount=20000
KillWait=2
OverTimeLimit=0
SlurmdTimeout=60
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/filetxt
JobCompLoc={home}/jobs.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=short Nodes={host} MaxTime=1 State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


@dataclass(frozen=True)
class Job:
    """A job in the queue, as ``squeue`` tells it."""

    number: int
    name: str
    state: str
    reason: str


def start_slurm(folder: Path) -> None:
    """Start munge, the controller and the node, and wait until the node takes jobs."""
    home = _home(folder)
    _write_configuration(home, _settings(folder))
    start_munge(folder)
    start_slurmctld(folder)
    start_slurmd(folder)


def stop_slurm(folder: Path) -> None:
    """Stop the node, the controller and munge; jobs that run are killed."""
    if is_alive(controller_number(folder)):
        cancel_jobs(folder)
    stop_slurmd(folder)
    stop_slurmctld(folder)
    end_process(read_number(_home(folder) / "munged.pid"))


def slurm_environment(folder: Path) -> dict[str, str]:
    """Return the variable through which commands of Slurm find this cluster."""
    return {"SLURM_CONF": str(_home(folder) / "slurm.conf")}


def start_munge(folder: Path) -> None:
    """Start the daemon that signs the messages of Slurm, with a key of its own."""
    home = _home(folder)
    key, number = home / "munge.key", home / "munged.pid"
    if is_alive(read_number(number)):
        return
    if not key.is_file():
        key.touch(mode=0o400)
        key.chmod(0o600)
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
    files = {"key": "munge.key", "log": "munged.log", "pid": "munged.pid", "seed": "munged.seed"}
    options = [f"--{name}-file={home / file}" for name, file in files.items()]
    run(["/usr/sbin/munged", f"--socket={home / 'munge.socket'}", *options])


def start_slurmctld(folder: Path) -> None:
    """Start the controller with the jobs that it knew, and wait until it answers."""
    if not is_alive(controller_number(folder)):
        home = _home(folder)
        command = ["/usr/sbin/slurmctld", "-D", "-f", home / "slurm.conf"]
        spawn(command, log=home / "slurmctld.out", environment=slurm_environment(folder))
    wait_until(
        lambda: controller_answers(folder),
        timeout=START_TIMEOUT,
        what=f"slurmctld answers; see {_home(folder) / 'slurmctld.log'}",
    )


def stop_slurmctld(folder: Path) -> None:
    """Stop the controller; jobs that run go on."""
    end_process(controller_number(folder), signal.SIGTERM)


def kill_slurmctld(folder: Path) -> None:
    """Kill the controller at once; jobs that run go on.

    It writes down what changes with some delay: a job that began shortly before may start a second
    time. One that is stopped (:func:`stop_slurmctld`) forgets nothing.
    """
    end_process(controller_number(folder), signal.SIGKILL)


def restart_slurmctld(folder: Path) -> None:
    """Stop the controller and start it again."""
    stop_slurmctld(folder)
    start_slurmctld(folder)


def start_slurmd(folder: Path) -> None:
    """Start the daemon of the node and wait until the node takes jobs."""
    if not is_alive(read_number(_home(folder) / "slurmd.pid")):
        home = _home(folder)
        command = ["/usr/sbin/slurmd", "-D", "-f", home / "slurm.conf"]
        spawn(command, log=home / "slurmd.out", environment=slurm_environment(folder))
    wait_until(
        lambda: node_state(folder) in ("idle", "mixed", "allocated", "completing"),
        timeout=START_TIMEOUT,
        what=f"the node takes jobs; see {_home(folder) / 'slurmd.log'}",
    )


def stop_slurmd(folder: Path) -> None:
    """Stop the daemon of the node."""
    end_process(read_number(_home(folder) / "slurmd.pid"), signal.SIGTERM)


def kill_slurmd(folder: Path) -> None:
    """Kill the daemon of the node at once; what its jobs started goes on."""
    end_process(read_number(_home(folder) / "slurmd.pid"), signal.SIGKILL)


def controller_number(folder: Path) -> int | None:
    """Return the process number of the controller, None where it never ran."""
    return read_number(_home(folder) / "slurmctld.pid")


def controller_answers(folder: Path) -> bool:
    """Return whether the controller answers."""
    try:
        return "UP" in slurm(folder, "scontrol", "ping")
    except Exception:  # it may fail in many ways while it starts
        return False


def node_state(folder: Path) -> str:
    """Return the state of the node: idle, mixed, allocated, down, drained, ..."""
    shown = slurm(folder, "sinfo", "--noheader", "--partition=debug", "--format=%T")
    return shown.split()[0].strip("*~#$@+") if shown.split() else ""


def set_node_down(folder: Path, reason: str = "a test") -> None:
    """Declare the node broken: its jobs end and are put back into the queue."""
    slurm(folder, "scontrol", "update", f"NodeName={_host()}", "State=DOWN", f"Reason={reason}")


def resume_node(folder: Path) -> None:
    """Let the node take jobs again; nothing happens where it does."""
    if node_state(folder) in ("down", "drained", "draining"):
        slurm(folder, "scontrol", "update", f"NodeName={_host()}", "State=RESUME")


def jobs(folder: Path) -> list[Job]:
    """Return the jobs that wait or run, in the order of their numbers."""
    shown = slurm(folder, "squeue", "--noheader", "--format=%i|%T|%r|%j")
    rows = [line.split("|", 3) for line in shown.splitlines() if line]
    return sorted(
        (Job(int(number), name, state, reason) for number, state, reason, name in rows),
        key=lambda job: job.number,
    )


def cancel_jobs(folder: Path, *numbers: int) -> None:
    """Cancel jobs as a user would, all of them where no number is given."""
    chosen = [str(number) for number in numbers or [job.number for job in jobs(folder)]]
    if chosen:
        slurm(folder, "scancel", *chosen)


def requeue_job(folder: Path, number: int) -> None:
    """Put a job that runs back into the queue."""
    slurm(folder, "scontrol", "requeue", str(number))


def preempt_jobs(folder: Path, *, seconds: float = 1) -> int:
    """Submit a job that takes the node from those of the other partitions; return its number."""
    told = slurm(
        folder,
        "sbatch",
        "--parsable",
        "--partition=urgent",
        "--exclusive",
        "--output=/dev/null",
        f"--wrap=sleep {seconds}",
    )
    return int(told.split(";")[0])


def completed_jobs(folder: Path) -> list[dict[str, str]]:
    """Return what Slurm wrote down of each job that has ended: JobId, JobState, RunTime, ..."""
    path = _home(folder) / "jobs.log"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]


def slurm(folder: Path, *command: str) -> str:
    """Run a command of Slurm on this cluster and return what it prints."""
    return run(command, environment=slurm_environment(folder), timeout=60)


def _write_configuration(home: Path, settings: dict[str, Any]) -> None:
    for name in ("node", "state"):
        (home / name).mkdir(exist_ok=True)
    (home / "jobs.log").touch()
    cores = SLOTS_PER_CORE * (os.cpu_count() or 1)
    memory = int(psutil.virtual_memory().total * 0.9 / 2**20)
    machine = {"host": _host(), "cores": cores, "memory": memory, "share": memory // cores}
    text = _CONFIGURATION.format(home=home, **machine, **settings)
    (home / "slurm.conf").write_text(text, encoding="utf-8")


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _home(folder: Path) -> Path:
    home = folder / "slurm"
    home.mkdir(exist_ok=True)
    return home


def _settings(folder: Path) -> dict[str, Any]:
    return remember(
        folder / "slurm.json",
        lambda: {"controller_port": free_port(), "node_port": free_port()},
    )
