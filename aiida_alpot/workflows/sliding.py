# SPDX-License-Identifier: MIT
"""A WorkChain that goes on when some of its children have ended, not only when all have.

A WorkChain of AiiDA waits until the last child of a step has ended, so that one slow job holds up
all that could follow the others. This one waits a moment after the first has ended, for others to
join it, and goes on; its next step has to hand the children that are still at work to
``to_context`` again. What it waits for stands in its checkpoint, as with any other WorkChain, and
a daemon that was killed and restarted asks for each of them anew.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from aiida.engine.processes.workchains.awaitable import Awaitable
from plumpy.process_states import ProcessState

from aiida_alpot.workflows.caching import CachingWorkChain

MOMENT = 2.0
"""Seconds from the end of a child to the next step. Each step writes a checkpoint several times,
which would cost more than short jobs do if each job had a step of its own."""


class SlidingWorkChain(CachingWorkChain):
    """Goes on shortly after a child has ended.

    What is kept besides the context lives as long as one worker has this process in hand: the
    children that it listens to, each once, and those that ended while a step was running.
    """

    @abstractmethod
    def awaited(self) -> Iterable[Any]:
        """Return what stands in the context for the children of the last step.

        Their nodes where they have ended, else an :class:`Awaitable`.
        """

    def _action_awaitables(self) -> None:
        """Listen to those children that are new; called again after a restart."""
        heard: set[int] = self.__dict__.setdefault("_heard", set())
        early: set[int] = self.__dict__.setdefault("_early", set())
        for awaitable in self._awaitables:
            if awaitable.pk not in heard:
                heard.add(awaitable.pk)
                callback = functools.partial(self.call_soon, self._on_awaitable_finished, awaitable)
                self.runner.call_on_process_finish(awaitable.pk, callback)
            elif awaitable.pk in early:
                self.call_soon(self._on_awaitable_finished, awaitable)
        if self._has_news():
            self._go_on_in_a_moment()

    def _on_awaitable_finished(self, awaitable: Any) -> None:
        """Take a child that ended; one that ended during a step is taken after it."""
        waiting = [one for one in self._awaitables if one.pk == awaitable.pk]
        if self.state != ProcessState.WAITING or not waiting:
            self.__dict__.setdefault("_early", set()).add(awaitable.pk)
            return
        super()._on_awaitable_finished(waiting[0])
        if self._awaitables:
            self._go_on_in_a_moment()

    def _has_news(self) -> bool:
        return any(not isinstance(one, Awaitable) for one in self.awaited())

    def _go_on_in_a_moment(self) -> None:
        if not self.__dict__.get("_is_about_to_go_on", False):
            self.__dict__["_is_about_to_go_on"] = True
            self.loop.call_later(MOMENT, functools.partial(self.call_soon, self._go_on))

    def _go_on(self) -> None:
        self.__dict__["_is_about_to_go_on"] = False
        if self.state == ProcessState.WAITING and self._awaitables and self._has_news():
            self.resume()
