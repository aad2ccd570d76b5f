# SPDX-License-Identifier: MIT
"""A test double: the label driver, which dies or waits at configurations named by the environment.

``CRASH_AT`` is a list such as ``first:segfault second:exit*1``: the process dies there for good, or
only the given number of times. Deaths: ``segfault``, ``abort``, ``exit`` (``os._exit``), ``kill``
(SIGKILL, as the killer of the kernel does when memory runs out). ``slow`` is no death: it waits
until the file ``GO_ON`` is there, at most five minutes. ``CRASH_COUNTS`` is a folder that counts.

    CRASH_AT="cell_1:kill" python crashing_labeller.py request.json
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from aiida_alpot.jobs import label_driver

DEATHS = {
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": os.abort,
    "exit": lambda: os._exit(7),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
}
original = label_driver.atoms_of


def wait_until_told() -> None:
    """Wait for the file that the environment names."""
    give_up = time.monotonic() + 300
    while not Path(os.environ["GO_ON"]).exists() and time.monotonic() < give_up:
        time.sleep(0.1)


def die_if_asked(arrays, index):
    """Die at a configuration that is named; else go on as the driver does."""
    identifier = str(arrays["identifier"][index])
    for entry in os.environ.get("CRASH_AT", "").split():
        name, _, way = entry.partition(":")
        way, _, times = way.partition("*")
        if name == identifier and (not times or deaths_of(identifier) < int(times)):
            count_death(identifier)
            (wait_until_told if way == "slow" else DEATHS[way])()
    return original(arrays, index)


def count_file(identifier: str) -> Path:
    """Return the file that counts the deaths at a configuration."""
    return Path(os.environ.get("CRASH_COUNTS", ".")) / f"deaths_of_{identifier}"


def deaths_of(identifier: str) -> int:
    """Return how often a process died at a configuration."""
    path = count_file(identifier)
    return len(path.read_text(encoding="utf-8")) if path.is_file() else 0


def count_death(identifier: str) -> None:
    """Count one more death."""
    with count_file(identifier).open("a", encoding="utf-8") as stream:
        stream.write("x")


if __name__ == "__main__":
    label_driver.atoms_of = die_if_asked
    # as a code of AiiDA it is called as Python is, with the driver that travels before the request
    sys.exit(label_driver.main(sys.argv[-1:]))
