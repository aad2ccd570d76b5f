# SPDX-License-Identifier: MIT
"""Run the job that stands in a folder: read ``request.json``, write ``result.json``.

Each job module offers ``run(request, folder) -> mapping`` and the class of its request under the
name ``REQUEST``; the mapping is the job's part of the result. Modules are imported when their job
is run, so that ``alpot --help`` stays fast.
"""

from __future__ import annotations

import importlib
import platform
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import aiida_alpot
from aiida_alpot.errors import AlpotError, SettingError
from aiida_alpot.jobs.driver_errors import alpot_errors
from aiida_alpot.jobs.requests import (
    REQUEST_FILE,
    RESULT_FILE,
    SCHEMA,
    parse_request,
    read_request,
    write_result,
)

JOBS = ("fit", "evaluate", "grade", "sample", "relax", "select", "carve", "label", "properties")


def run_request(path: str | Path) -> dict[str, Any]:
    """Run the request at ``path`` (a file, or a folder that holds ``request.json``).

    The result is written beside the request and returned. If the job raises an error that the user
    can mend, its class and message are written before it is raised again.

    Raises
    ------
    AlpotError
        Whatever the job raises.
    SettingError
        If the job is not known or a key is wrong.
    """
    path = Path(path)
    path = path / REQUEST_FILE if path.is_dir() else path
    started = time.perf_counter()
    content: dict[str, Any] = {}
    if path.parent.is_dir():  # the result of an earlier run must not stand for this one
        (path.parent / RESULT_FILE).unlink(missing_ok=True)
    try:
        content = read_request(path)
        payload = _run(content, path.parent)
    except AlpotError as error:
        described = {"class": type(error).__name__, "message": str(error)}
        if path.parent.is_dir():
            _write(path.parent, content, {"error": described}, started)
        raise
    return _write(path.parent, content, payload, started)


def _run(content: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    job = content.get("job")
    if job not in JOBS:
        raise SettingError(f"Unknown job {job!r}; allowed are {', '.join(JOBS)}.")
    module = importlib.import_module(f"aiida_alpot.jobs.{job}")
    with alpot_errors():
        result: Mapping[str, Any] = module.run(parse_request(module.REQUEST, content), folder)
    return result


def _write(
    folder: Path, content: Mapping[str, Any], payload: Mapping[str, Any], started: float
) -> dict[str, Any]:
    result = {
        "schema": SCHEMA,
        "job": content.get("job"),
        "cpu": cpu_type(),
        "seconds": time.perf_counter() - started,
        **payload,
        "versions": versions() | payload.get("versions", {}),
    }
    write_result(folder, result)
    return result


def versions() -> dict[str, str]:
    """Return the versions that can change the numbers of a job."""
    found = {"aiida-alpot": aiida_alpot.__version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "numba", "ase"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def cpu_type() -> str:
    """Return the name of the processor as the compiler sees it, or the machine's architecture."""
    try:
        import llvmlite.binding
    except ImportError:
        return platform.machine()
    return str(llvmlite.binding.get_host_cpu_name())
