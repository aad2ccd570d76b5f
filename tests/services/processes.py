# SPDX-License-Identifier: MIT
"""Processes of services: commands, process numbers, free ports, waiting."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil


class HarnessError(Exception):
    """A service did not do what it was told; the message holds what it said."""


def run(
    command: Sequence[str | Path],
    *,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> str:
    """Run a command and return its standard output.

    Raises
    ------
    HarnessError
        If it fails; the message holds its output.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **as_user(user),
    )
    if done.returncode != 0:
        raise HarnessError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Start a program that stays in the foreground, apart from this process; return its number."""
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            **as_user(user),
        )
    process.returncode = 0  # it outlives this process on purpose, which Popen need not tell
    return process.pid


def as_user(user: str | None) -> dict[str, Any]:
    """Return the keywords of subprocess that run a command as ``user``; none for this one."""
    if user is None:
        return {}
    import pwd

    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def own(path: Path, user: str) -> None:
    """Give a file or folder to ``user``."""
    import pwd

    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def home_of_service(folder: Path, user: str) -> Path:
    """Return the folder of a service that runs as ``user``, made where it is missing."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        own(folder, user)
    return folder


def write_private(path: Path, content: str, user: str | None = None) -> None:
    """Write a file that only its owner can read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(content, encoding="utf-8")
    if user is not None:
        own(path, user)


def remember(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the settings that stand in a JSON file, which is made where it is missing."""
    if not path.is_file():
        write_private(path, json.dumps(make(), indent=1))
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def new_password() -> str:
    """Return a password of 32 hexadecimal digits."""
    return secrets.token_hex(16)


def free_port() -> int:
    """Return a port of this machine that nobody listens on.

    It lies below those that systems give to outgoing connections, so that a service which is
    restarted finds its port free.
    """
    generator = random.SystemRandom()
    while True:
        port = generator.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def answers(port: int) -> bool:
    """Return whether somebody listens on a port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def read_number(path: Path) -> int | None:
    """Return the process number in the first line of a file, None where there is none."""
    try:
        return int(path.read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def is_alive(number: int | None) -> bool:
    """Return whether a process runs; one that has ended and waits for its parent does not."""
    if number is None:
        return False
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end_process(
    number: int | None, how: signal.Signals = signal.SIGTERM, *, timeout: float = 30
) -> None:
    """Send a signal to a process and wait until it is gone; nothing happens where it is not there.

    Raises
    ------
    HarnessError
        If it is still there after ``timeout`` seconds.
    """
    if number is None or not is_alive(number):
        return
    os.kill(number, how)
    wait_until(lambda: not is_alive(number), timeout=timeout, what=f"process {number} is gone")
    _bury(number)


def _bury(number: int) -> None:
    """Take the exit status of a child of this process, so that no zombie is left."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(number, os.WNOHANG)


def wait_until(condition: Callable[[], bool], *, timeout: float, what: str) -> None:
    """Wait until ``condition`` holds.

    Raises
    ------
    HarnessError
        If it does not within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise HarnessError(f"It did not come about in {timeout:.0f} s that {what}.")
        time.sleep(0.1)
