# SPDX-License-Identifier: MIT
"""A worker of the daemon that is cut off from the database or the broker ends at once.

AiiDA's workers do not get over either. After a lost connection to PostgreSQL every statement of a
session fails until it is rolled back, which nobody does, so that whatever process comes next is
lost. After a lost connection to RabbitMQ, children can not be submitted, and the broker hands the
tasks of a worker that is still at them to another one. A worker that is gone loses nothing: the
daemon starts another, and every process goes on from its last checkpoint.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from aiida.common.log import AIIDA_LOGGER
from aiida.manage import get_manager
from sqlalchemy import event
from sqlalchemy.engine import Engine

LOGGER = AIIDA_LOGGER.getChild("alpot.outages")


def is_worker() -> bool:
    """Return whether this process is a worker of AiiDA's daemon."""
    return sys.argv[-2:] == ["daemon", "worker"]


def end_when_cut_off() -> None:
    """From now on let this process, a worker, end when a connection is lost."""
    event.listen(Engine, "handle_error", _on_database_error)
    communicator = get_manager().get_communicator()
    if hasattr(communicator, "add_close_callback"):  # that of RabbitMQ
        communicator.add_close_callback(_on_broker_close)


def _on_database_error(context: Any) -> None:
    if context.is_disconnect:
        _end("database", context.original_exception)


def _on_broker_close(connection: Any, reason: BaseException | None = None) -> None:
    if not isinstance(reason, asyncio.CancelledError):  # with which it is closed on purpose
        _end("broker", reason)


def _end(service: str, reason: BaseException | None) -> None:
    LOGGER.critical("the connection to the %s is lost, this worker ends: %s", service, reason)
    os.kill(os.getpid(), signal.SIGKILL)  # nothing may be written down any more


if is_worker():
    end_when_cut_off()
