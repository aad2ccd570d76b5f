# SPDX-License-Identifier: MIT
"""Compiled kernels: can their machine code be kept, here and where the jobs run.

Where it cannot, each job compiles anew, which takes a minute of every job.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida_alpot.cli.checkup.finding import Finding
from aiida_alpot.cli.checkup.plan import short_options
from aiida_alpot.cli.checkup.scheduler import run_in_job
from aiida_alpot.errors import ServiceError

ANOTHER_FOLDER = "export ALPOT_CACHE_DIR=FOLDER"


def check_kernels_here() -> Finding:
    """Check that compiled kernels can be kept on this computer."""
    return _judge("kernels", look_at_kernels(), f"{ANOTHER_FOLDER}, in ~/.profile")


def look_at_kernels() -> dict[str, Any]:
    """Compile or load the kernels; return host, folder or None, seconds, error or None."""
    found: dict[str, Any] = {"host": platform.node(), "folder": None, "seconds": 0.0, "error": None}
    try:
        import aiida_alpot.mtp
        from aiida_alpot.jobs.warm_up import compile_kernels
        from aiida_alpot.machine_code import folder_for
    except ImportError as error:
        found["error"] = f"cannot be imported: {error}"
        return found
    found["seconds"] = compile_kernels()
    folder = folder_for(Path(str(aiida_alpot.mtp.__file__)).parent)
    found["folder"] = None if folder is None else str(folder)
    return found


def check_kernels_there(code: Any, options: Mapping[str, Any], *, timeout: float) -> Finding:
    """Check by a real job that compiled kernels can be kept on a compute node of a code."""
    computer = code.computer
    name = f"kernels on a node of {computer.label}"
    remedy = (
        f"{ANOTHER_FOLDER} in the prepend_text of {code.full_label}, on a disk that its nodes write"
    )
    try:
        done = run_in_job(
            computer,
            [str(code.get_executable()), "doctor", "--here", "--json"],
            options=short_options(dict(options)),
            prepend_text=code.prepend_text,
            timeout=timeout,
        )
        found = json.loads(done.output.splitlines()[-1])
    except ServiceError as error:
        return Finding(name, False, str(error), f"install aiida-alpot {_version()} there")
    except (ValueError, IndexError):
        told = "it does not know 'doctor --here': another version"
        return Finding(name, False, told, f"install aiida-alpot {_version()} there")
    return _judge(name, found, remedy)


def _judge(name: str, found: Mapping[str, Any], remedy: str) -> Finding:
    if found["error"] is not None:
        return Finding(name, False, str(found["error"]), "pip install numba")
    told = f"ready after {found['seconds']:.1f} s on {found['host']}"
    if found["folder"] is None:
        return Finding(
            name, False, f"{told}, but no folder takes them: each job compiles anew", remedy
        )
    return Finding(name, True, f"{told}, kept in {found['folder']}")


def _version() -> str:
    import aiida_alpot

    return aiida_alpot.__version__
