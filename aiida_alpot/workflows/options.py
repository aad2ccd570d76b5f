# SPDX-License-Identifier: MIT
"""Options of the scheduler by role, and which code runs a role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

_DEFAULT_RESOURCES = {"num_machines": 1, "num_mpiprocs_per_machine": 1}


def job_options(options: orm.Dict | None, role: str, code: orm.AbstractCode) -> dict[str, Any]:
    """Return ``metadata.options`` of a job: what is given for its role, over the defaults.

    Jobs run under MPI where the options say so, else where the code does; resources default to one
    process.
    """
    chosen: dict[str, Any] = dict(options.get_dict().get(role, {})) if options is not None else {}
    chosen.setdefault("resources", _DEFAULT_RESOURCES)
    chosen.setdefault("withmpi", bool(code.with_mpi))
    return chosen


def code_for(codes: Mapping[str, orm.AbstractCode], role: str) -> orm.AbstractCode:
    """Return the code of a role, which is ``alpot`` unless the role has one of its own."""
    return codes[role] if role in codes else codes["alpot"]
