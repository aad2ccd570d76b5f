# SPDX-License-Identifier: MIT
"""The daemon of the loaded profile: its workers, their memory, and their sudden end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from .processes import HarnessError, end_process, wait_until


def start_daemon(n_workers: int = 2) -> Any:
    """Start the daemon of the loaded profile; return its client."""
    client = daemon_client()
    client.start_daemon(n_workers)
    wait_until(
        lambda: len(worker_numbers()) == n_workers, timeout=180, what="the daemon has its workers"
    )
    return client


def stop_daemon() -> None:
    """Stop the daemon as a user would."""
    daemon_client().stop_daemon(wait=True, timeout=60)


def kill_daemon() -> None:
    """Kill the daemon and its workers at once, and take away what they would have cleared up."""
    client = daemon_client()
    number = client.get_daemon_pid()
    if number is None:
        return
    main = psutil.Process(number)
    for process in (main, *main.children(recursive=True)):
        end_process(process.pid, signal.SIGKILL)
    Path(client.circus_pid_file).unlink(missing_ok=True)


def kill_worker(which: int = 0) -> int:
    """Kill one worker at once; the daemon starts another. Return its process number."""
    number = worker_numbers()[which]
    end_process(number, signal.SIGKILL)
    return number


def daemon_client() -> Any:
    """Return the client of the daemon of the loaded profile."""
    from aiida.engine.daemon.client import get_daemon_client

    return get_daemon_client()


def worker_numbers() -> list[int]:
    """Return the process numbers of the workers that run, the oldest first."""
    number = daemon_client().get_daemon_pid()
    if number is None:
        return []
    try:
        children = psutil.Process(number).children(recursive=True)
        workers = [child for child in children if _is_worker(child)]
        return [worker.pid for worker in sorted(workers, key=lambda one: one.create_time())]
    except psutil.NoSuchProcess:
        return []


def worker_memory() -> dict[int, int]:
    """Return the resident memory of each worker in bytes."""
    memory = {}
    for number in worker_numbers():
        try:
            memory[number] = int(psutil.Process(number).memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return memory


def worker_seconds() -> float:
    """Return the processor time that the workers which run have used so far."""
    used = 0.0
    for number in worker_numbers():
        try:
            times = psutil.Process(number).cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used


def wait_for(
    node: Any,
    *,
    timeout: float = 300,
    condition: Callable[[Any], bool] = lambda node: node.is_terminated,
) -> Any:
    """Wait until ``condition`` holds for a process, by default that it has ended; return it.

    Raises
    ------
    HarnessError
        With the end of the daemon's log, if it does not within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition(node):
        if time.monotonic() > deadline:
            log = Path(daemon_client().daemon_log_file).read_text(encoding="utf-8")[-4000:]
            raise HarnessError(
                f"{node} is still {node.process_state} after {timeout} s; daemon:\n{log}"
            )
        time.sleep(0.25)
    return node


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[-2:] == ["daemon", "worker"]
    except psutil.Error:
        return False
