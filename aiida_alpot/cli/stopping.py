# SPDX-License-Identifier: MIT
"""Stopping a campaign at the next safe point, which is the end of the running turn."""

from __future__ import annotations

import time
from typing import Any

import click

from aiida_alpot.cli.profile import patiently

INTERVAL = 2.0  # seconds between two looks at the database


def stop_and_wait(node: Any) -> None:
    """Ask a campaign to stop, and wait until it has ended; Ctrl-C ends the waiting only."""
    if node.is_terminated:
        return
    node.base.extras.set("stop_requested", True)
    click.echo(f"PK {node.pk} stops after the running turn; waiting for it.")
    while not patiently(lambda: bool(node.is_terminated)):
        time.sleep(INTERVAL)
