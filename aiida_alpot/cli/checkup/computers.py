# SPDX-License-Identifier: MIT
"""Computers: can each be reached, and does its scheduler run a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_alpot.cli.checkup.finding import Finding
from aiida_alpot.cli.checkup.plan import short_options
from aiida_alpot.cli.checkup.scheduler import ConnectionFailedError, JobFailedError, run_in_job


def check_computer(
    computer: Any, options: Mapping[str, Any], *, run_job: bool, timeout: float
) -> Finding:
    """Check that a computer is configured and reached, and runs ``true`` as a job.

    Parameters
    ----------
    computer : Computer
        Which.
    options : mapping
        Options of the jobs that will run there.
    run_job : bool
        Whether a job is run; else it is only reached.
    timeout : float
        Seconds to wait for the job.
    """
    label, transport = computer.label, computer.transport_type
    name = f"computer {label}"
    if not computer.is_configured:
        return Finding(
            name, False, "not configured", f"verdi computer configure {transport} {label}"
        )
    try:
        if not run_job:
            with computer.get_transport():
                return Finding(name, True, f"reached by {transport}")
        done = run_in_job(computer, ["true"], options=short_options(dict(options)), timeout=timeout)
    except ConnectionFailedError as error:
        return Finding(name, False, f"not reached by {transport}: {error}", _reach(computer))
    except JobFailedError as error:
        remedy = (
            "give queue and account that its scheduler takes, in a machines file: alpot doctor "
            f"--machines FILE; what else is wrong: verdi computer test {label}"
        )
        return Finding(name, False, f"{computer.scheduler_type}: {error}", remedy)
    except Exception as error:  # each transport has errors of its own
        detail = f"not reached by {transport}: {' '.join(str(error).split())}"
        return Finding(name, False, detail, _reach(computer))
    told = f"{transport}, {computer.scheduler_type}: 'true' ran in {done.seconds:.1f} s"
    return Finding(name, True, told)


def _reach(computer: Any) -> str:
    if computer.transport_type.startswith("core.ssh"):
        host = computer.get_configuration().get("host") or computer.hostname
        return f"'ssh {host} true' must ask for nothing; then verdi computer test {computer.label}"
    return f"verdi computer test {computer.label}"
