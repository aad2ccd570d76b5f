# SPDX-License-Identifier: MIT
"""What no reader may do: hang, grow, start a program, reach the network or beyond its folder."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ase.io

import aiida_alpot

LONGEST = 3.0
"""Seconds of processor time."""
MOST_MEMORY = 400 * 2**20


class Finding(BaseException):
    """A reader did what it must not do; no ``except Exception`` may swallow it."""


_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "subprocess.Popen",
    "socket.connect",
    "socket.getaddrinfo",
    "pickle.find_class",
    "urllib.Request",
    "ctypes.dlopen",
    "sqlite3.connect",
)
_LIBRARIES = (
    sys.prefix,
    sys.base_prefix,
    str(Path(ase.io.__file__).parents[2]),
    str(Path(aiida_alpot.__file__).parent),
)
_watched: list[Path] = []
_done: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what is forbidden while a folder is watched."""
    if not _watched:
        return
    if event in _FORBIDDEN:
        _done.append(f"{event} {arguments!r:.200}")
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        path = Path(os.path.realpath(os.fsdecode(arguments[0])))
        if not str(path).startswith((str(_watched[0]), *_LIBRARIES)):
            _done.append(f"open {path}")


sys.addaudithook(_hook)


def done_so_far() -> str:
    """Return what was done that is forbidden, empty if nothing was."""
    return "; ".join(_done)


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Raise :class:`Finding` where the block hangs, grows, or reaches beyond its folder."""

    def too_long(*_: Any) -> None:
        raise Finding(f"it takes more than {LONGEST} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    old = signal.signal(signal.SIGVTALRM, too_long)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2 * MOST_MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    _done.clear()
    _watched.append(folder)
    try:
        yield
    finally:
        _watched.clear()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, old)
        resource.setrlimit(resource.RLIMIT_AS, limits)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    if grown > MOST_MEMORY:
        raise Finding(f"it takes {grown / 2**20:.0f} MiB")
    if _done:
        raise Finding(done_so_far())
