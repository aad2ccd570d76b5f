# SPDX-License-Identifier: MIT
"""Codes: is each program there, and does it label one small cell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from aiida_alpot.cli.checkup.finding import Finding, one_line
from aiida_alpot.cli.checkup.plan import kind_of, short_options

GPAW_SETTINGS = {"ecut": 150, "kpts": [1, 1, 1], "convergence": {"density": 1e-2}}


def check_program(code: Any) -> Finding:
    """Check that the program of a code is there and can be run."""
    name = f"code {code.full_label}"
    try:
        code.validate_filepath_executable()
    except Exception as error:  # the transport of a computer can fail in many ways
        remedy = f"verdi code relabel {code.full_label} {code.label}-old, then alpot init"
        return Finding(name, False, one_line(error), remedy)
    return Finding(name, True, f"{code.get_executable()} is there")


def check_labels(code: Any, options: Mapping[str, Any], *, timeout: float) -> Finding:
    """Check by a real job in the daemon that a code labels one small cell."""
    name = f"labels of {code.full_label}"
    if kind_of(code) == "vasp":
        return Finding(name, True, "not tried: VASP needs the settings of a campaign (--campaign)")
    from aiida.engine import submit
    from aiida.manage.caching import disable_caching

    with disable_caching():
        node = submit(small_label_job(code, options))
    return judge(name, node, timeout=timeout)


def judge(name: str, node: Any, *, timeout: float) -> Finding:
    """Wait for a process that labels, and say how it ended."""
    deadline = time.monotonic() + timeout
    while not node.is_terminated:
        if time.monotonic() > deadline:
            return Finding(
                name,
                False,
                f"PK {node.pk} is still {node.process_state.value} after {timeout:.0f} s",
                f"verdi process status {node.pk}; a longer --timeout where the queue is long",
            )
        time.sleep(0.2)
    if not node.is_finished_ok:
        told = node.exit_message or f"state {node.process_state}"
        return Finding(
            name,
            False,
            f"a small job ended with {node.exit_status}: {one_line(told)}",
            f"verdi process report {node.pk}",
        )
    seconds = (node.mtime - node.ctime).total_seconds()
    return Finding(name, True, f"one cell was labelled in {seconds:.1f} s")


def small_label_job(code: Any, options: Mapping[str, Any]) -> Any:
    """Return the inputs of a job that labels one small cell with ``alpot`` or GPAW."""
    from aiida import orm
    from ase.build import bulk

    from aiida_alpot.calculations import LabelCalculation
    from aiida_alpot.configurations import Configurations
    from aiida_alpot.data import ConfigurationsData

    is_alpot = kind_of(code) == "alpot"
    atoms = bulk("Cu", a=3.6) if is_alpot else bulk("Al", a=4.05)
    calculator = (
        {"name": "EMT", "settings": {}} if is_alpot else {"name": "GPAW", "settings": GPAW_SETTINGS}
    )
    builder = LabelCalculation.get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(
        Configurations.from_atoms([atoms])
    )
    builder.settings = orm.Dict({"calculator": calculator, "indices": [0]})
    chosen = {"withmpi": bool(code.with_mpi), **short_options(dict(options))}
    builder.metadata = {"label": "alpot doctor", "options": chosen}
    return builder
