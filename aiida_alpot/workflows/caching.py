# SPDX-License-Identifier: MIT
"""Caching of AiiDA, switched off for a process and for all that it calls."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_alpot.workflows.once import OnceWorkChain


class CachingWorkChain(OnceWorkChain):
    """A WorkChain that hands ``metadata.disable_cache`` on to the processes that it submits."""

    def submit(self, process: Any, inputs: Any = None, **keywords: Any) -> orm.ProcessNode:
        """Submit the inputs of a process; see :meth:`.once.OnceWorkChain.submit`."""
        if self.inputs.metadata.get("disable_cache"):
            process.metadata.disable_cache = True
        return super().submit(process, inputs, **keywords)
