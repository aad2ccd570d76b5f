# SPDX-License-Identifier: MIT
"""Checkpoints of a long job: written now and then, at a signal to end, and before the wall time.

A checkpoint is one JSON file: reading one executes nothing. It takes the place of the one before
only when it is whole.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from aiida_alpot.errors import InputFileError

CHECKPOINT_FILE = "checkpoint.json"
SIGNALS = (signal.SIGTERM, signal.SIGXCPU, signal.SIGUSR1)


class Interrupted(Exception):  # noqa: N818 - an event, not an error
    """The job has written a checkpoint and ends."""


class Checkpoints:
    """Offered the state of a job after each of its steps, write it when that is due.

    Parameters
    ----------
    folder : Path
        Of the job.
    every : float
        Seconds between two checkpoints.
    stop_after : float, optional
        Seconds after which the job writes a checkpoint and ends.
    """

    def __init__(self, folder: Path, *, every: float, stop_after: float | None = None) -> None:
        self.path = folder / CHECKPOINT_FILE
        self.every = every
        self.stop_after = stop_after
        self._began = self._written = time.monotonic()
        self._asked = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Checkpoints:
        """Listen to the signals with which schedulers announce the end."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {one: signal.signal(one, self._ask) for one in SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def offer(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Write the state if that is due.

        Raises
        ------
        Interrupted
            If the job is to end; the checkpoint is written.
        """
        now = time.monotonic()
        ends = self.stop_after is not None and now - self._began >= self.stop_after
        if not (self._asked or ends or now - self._written >= self.every):
            return
        self.write(state())
        if self._asked or ends:
            raise Interrupted

    def write(self, state: Mapping[str, Any]) -> None:
        """Write the state now."""
        part = self.path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        self._written = time.monotonic()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the state that a checkpoint holds.

    Raises
    ------
    InputFileError
        If it is not whole or no JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputFileError(f"{path.name} is no checkpoint ({error}).") from error
    if not isinstance(content, dict):
        raise InputFileError(f"{path.name} is no checkpoint.")
    return content
