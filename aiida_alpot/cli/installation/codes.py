# SPDX-License-Identifier: MIT
"""Making codes of AiiDA: alpot, GPAW, and any program on a cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from aiida_alpot.errors import ServiceError

_KINDS: dict[str, dict[str, Any]] = {
    "alpot": {"description": "Jobs of aiida-alpot.", "with_mpi": False},
    "gpaw": {
        "description": "GPAW, for labels.",
        "prepend_text": "unset PYTHONPATH\nexport OMP_NUM_THREADS=1",
    },
    "vasp": {
        "description": "VASP, for labels.",
        "default_calc_job_plugin": "vasp.vasp",
        "with_mpi": True,
        "prepend_text": "ulimit -s unlimited\nexport OMP_NUM_THREADS=1",
    },
}


def ensure_alpot_code(computer: Any, program: str | None = None) -> tuple[Any, bool]:
    """Return the code ``alpot`` on a computer and whether it was made now.

    Parameters
    ----------
    computer : Computer
        Where it runs.
    program : str, optional
        Path of the command there; the one of this Python if absent.

    Raises
    ------
    ServiceError
        If the command ``alpot`` cannot be found beside this Python or on the PATH.
    """
    return ensure_code("alpot", computer, program or alpot_here())


def alpot_here() -> str:
    """Return the path of the command ``alpot`` on this computer.

    Raises
    ------
    ServiceError
        If it is neither beside this Python nor on the PATH.
    """
    beside = Path(sys.executable).parent / "alpot"
    found = str(beside) if beside.is_file() else shutil.which("alpot")
    if found is None:
        raise ServiceError(
            f"There is no command 'alpot' beside {sys.executable} or on the PATH. Install the "
            "package: pip install aiida-alpot."
        )
    return found


def ensure_gpaw_code(computer: Any) -> tuple[Any, bool] | None:
    """Return the code gpaw@localhost and whether it was made now; None where there is no GPAW."""
    existing = _existing_code("gpaw", computer)
    if existing is not None:
        return existing, False
    for python in _pythons():
        if imports_gpaw(python):
            return ensure_code("gpaw", computer, python)
    return None


def imports_gpaw(python: str) -> bool:
    """Return whether a Python can import GPAW and ASE."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        found = subprocess.run(
            [python, "-c", "import gpaw, ase"],
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0


def ensure_code(label: str, computer: Any, program: str) -> tuple[Any, bool]:
    """Return the code ``label`` on a computer and whether it was made now.

    What a label begins with tells what the program is: ``alpot``; ``gpaw``, a Python that knows
    GPAW or the command ``gpaw``; ``vasp``, an executable of VASP.
    """
    from aiida import orm

    existing = _existing_code(label, computer)
    if existing is not None:
        return existing, False
    kind = next((kind for kind in _KINDS if label.startswith(kind)), None)
    settings = dict(_KINDS[kind]) if kind else {}
    if PurePath(program).name == "gpaw":  # the command runs in parallel, a bare Python does not
        settings["with_mpi"] = True
    code = orm.InstalledCode(
        label=label, computer=computer, filepath_executable=program, **settings
    )
    return code.store(), True


def _pythons() -> Iterator[str]:
    seen = set()
    for candidate in (sys.executable, shutil.which("python3"), "/usr/bin/python3"):
        if candidate and candidate not in seen and Path(candidate).is_file():
            seen.add(candidate)
            yield candidate


def _existing_code(label: str, computer: Any) -> Any:
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_code(f"{label}@{computer.label}")
    except NotExistent:
        return None
