# SPDX-License-Identifier: MIT
"""A WorkChain that stops waiting for its jobs at a deadline, and leaves them alone.

A WorkChain waits until every child has ended. This one sets a timer besides, for a time that is
counted from its creation, so that a daemon that was restarted in between sets it again. When it
rings the WorkChain goes on with what is there; the jobs that are still queued or running belong
to nobody then, until a later WorkChain takes them over
(:mod:`aiida_alpot.workflows.label.adoption`). It does not close with empty hands: without any label
it waits for the first.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import timezone
from aiida.engine import calcfunction
from plumpy.process_states import ProcessState

from aiida_alpot.configurations import concatenate
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.fan_out import FanOutWorkChain

OUTSTANDING = "outstanding"
"""Link of the set whose labels were on their way when a turn closed."""


class ClosingWorkChain(FanOutWorkChain):
    """Runs jobs side by side until they have ended or its deadline passes."""

    def hours_to_deadline(self) -> float | None:
        """Return after how many hours from its creation this WorkChain closes, None if never."""
        return None

    def has_result(self) -> bool:
        """Return whether there is anything to close with."""
        return True

    @property
    def is_closed(self) -> bool:
        """Whether the deadline passed while jobs were at work."""
        return bool(self.ctx.get("closed", False))

    def deadline(self) -> datetime | None:
        """Return when this WorkChain closes, None if never."""
        hours = self.hours_to_deadline()
        return None if hours is None else self.node.ctime + timedelta(hours=hours)

    def _action_awaitables(self) -> None:
        """Wait for the children, and for the deadline; called again after a restart."""
        super()._action_awaitables()
        deadline = self.deadline()
        if deadline is None:
            return
        left = (deadline - timezone.now()).total_seconds()
        if left <= 0.0:
            self.call_soon(self._on_deadline)
        elif not self.__dict__.get("_has_timer", False):
            self.__dict__["_has_timer"] = True
            self.loop.call_later(left, functools.partial(self.call_soon, self._on_deadline))

    def _on_awaitable_finished(self, awaitable: Any) -> None:
        """Take a child that ended; it may be the one that the deadline waited for."""
        super()._on_awaitable_finished(awaitable)
        self._on_deadline()

    def _on_deadline(self) -> None:
        """Stop waiting if the time has come and there is something to go on with."""
        deadline = self.deadline()
        if deadline is None or timezone.now() < deadline:
            return
        if self.state != ProcessState.WAITING:  # which asks again when it waits
            return
        if not self._awaitables or not self.has_result():
            return
        self.ctx.closed = True
        self.report(f"the deadline has passed, leaving {len(self._awaitables)} jobs alone")
        for awaitable in list(self._awaitables):
            self._resolve_awaitable(awaitable, orm.load_node(awaitable.pk))
        self.resume()


@calcfunction
def join_outstanding(
    outstanding: ConfigurationsData, selected: ConfigurationsData | None = None
) -> ConfigurationsData:
    """Return what was selected and, after it, what earlier turns left outstanding.

    Parameters
    ----------
    outstanding : ConfigurationsData
        Whose labels were on their way when a turn closed.
    selected : ConfigurationsData, optional
        What this turn asks for.
    """
    late = outstanding.get_configurations()
    if selected is None:
        return ConfigurationsData.from_configurations(late)
    fresh = selected.get_configurations()
    asked = set(fresh.hashes())
    others = np.array([one not in asked for one in late.hashes()], dtype=bool)
    joined = concatenate([fresh, late.select(others)])
    return ConfigurationsData.from_configurations(joined)
