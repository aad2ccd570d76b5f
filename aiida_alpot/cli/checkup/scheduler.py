# SPDX-License-Identifier: MIT
"""A command as a real job: through the transport and the scheduler of a computer.

Nothing is stored in the database and no daemon is needed, so that what fails is the computer.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from aiida_alpot.cli.checkup.finding import one_line
from aiida_alpot.errors import ServiceError

SCRIPT, OUTPUT, ERRORS, FINISHED = "job.sh", "job.out", "job.err", "job.finished"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds between two looks at the queue


class ConnectionFailedError(ServiceError):
    """The computer cannot be reached. Remedy: mend its transport."""


class JobFailedError(ServiceError):
    """The scheduler did not run a job. Remedy: options that it takes."""


@dataclass(frozen=True)
class ScriptRun:
    """What a job wrote on its standard output, and how long all of it took."""

    output: str
    seconds: float


def run_in_job(
    computer: Any,
    command: Sequence[str],
    *,
    options: Mapping[str, Any],
    prepend_text: str = "",
    timeout: float = 600,
) -> ScriptRun:
    """Run a command in a job of its own and wait for it.

    Parameters
    ----------
    computer : Computer
        Where; it must be configured.
    command : sequence of str
        The command and its arguments.
    options : mapping
        ``metadata.options`` of a CalcJob: resources, queue_name, account, ...
    prepend_text : str
        Shell commands before it.
    timeout : float
        Seconds to wait for its end.

    Raises
    ------
    ConnectionFailedError
        If the computer cannot be reached.
    JobFailedError
        If the job is refused, does not end in time, or fails.
    """
    start = time.monotonic()
    script = job_script(computer, command, options=options, prepend_text=prepend_text)
    try:
        transport = computer.get_transport()
        transport.open()
    except Exception as error:  # each transport has errors of its own
        raise ConnectionFailedError(one_line(error)) from error
    try:
        output = _run_script(computer, transport, script, timeout)
    finally:
        transport.close()
    return ScriptRun(output, time.monotonic() - start)


def job_script(
    computer: Any, command: Sequence[str], *, options: Mapping[str, Any], prepend_text: str = ""
) -> str:
    """Return the submit script of a command."""
    from aiida.common.datastructures import CodeRunMode
    from aiida.schedulers.datastructures import JobTemplate, JobTemplateCodeInfo

    scheduler = computer.get_scheduler()
    resources = dict(options.get("resources") or {})
    scheduler.preprocess_resources(resources, computer.get_default_mpiprocs_per_machine())
    template = JobTemplate()
    template.shebang = computer.get_shebang()
    template.job_name = "alpot-doctor"
    template.sched_output_path, template.sched_error_path = "scheduler.out", "scheduler.err"
    template.job_resource = scheduler.create_job_resource(**resources)
    template.import_sys_environment = options.get("import_sys_environment", True)
    for name in ("queue_name", "account", "qos", "max_memory_kb", "max_wallclock_seconds"):
        if options.get(name):
            template[name] = options[name]
    template.custom_scheduler_commands = options.get("custom_scheduler_commands") or None
    before = (computer.get_prepend_text(), prepend_text, options.get("prepend_text"))
    template.prepend_text = "\n\n".join(text for text in before if text)
    template.codes_info = [
        JobTemplateCodeInfo(cmdline_params=list(command), stdout_name=OUTPUT, stderr_name=ERRORS)
    ]
    template.codes_run_mode = CodeRunMode.SERIAL
    template.append_text = f"echo $? > {FINISHED}\n{computer.get_append_text()}"
    return str(scheduler.get_submit_script(template))


def _run_script(computer: Any, transport: Any, script: str, timeout: float) -> str:
    folder = _make_folder(computer, transport)
    with tempfile.TemporaryDirectory(prefix="alpot-") as here:
        local = Path(here) / SCRIPT
        local.write_text(script, encoding="utf-8")
        transport.putfile(str(local), str(folder / SCRIPT))
        scheduler = computer.get_scheduler()
        scheduler.set_transport(transport)
        number = _submit(scheduler, folder)
        _wait(scheduler, number, timeout)
        output = _judge(transport, folder, Path(here))
    transport.rmtree(str(folder))
    return output


def _make_folder(computer: Any, transport: Any) -> PurePosixPath:
    try:
        work_dir = computer.get_workdir().format(username=transport.whoami())
        folder = PurePosixPath(work_dir) / f"alpot-doctor-{uuid.uuid4().hex[:12]}"
        transport.makedirs(str(folder), ignore_existing=True)
    except Exception as error:  # each transport has errors of its own
        raise ConnectionFailedError(f"no folder can be made there: {one_line(error)}") from error
    return folder


def _submit(scheduler: Any, folder: PurePosixPath) -> str:
    try:
        number = scheduler.submit_job(str(folder), SCRIPT)
    except Exception as error:  # each scheduler has errors of its own
        raise JobFailedError(f"the job was refused: {one_line(error)}") from error
    if not isinstance(number, str):  # an exit code, where the scheduler told why
        raise JobFailedError(f"the job was refused: {one_line(number)}")
    return number


def _wait(scheduler: Any, number: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while True:
        found = scheduler.get_jobs(jobs=[number], as_dict=True).get(number)
        state = getattr(found and found.job_state, "value", None)
        if found is None or state == "done":
            return
        if time.monotonic() > deadline:
            scheduler.kill_job(number)
            raise JobFailedError(f"job {number} was still {state} after {timeout:.0f} s")
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)


def _judge(transport: Any, folder: PurePosixPath, here: Path) -> str:
    """Return the output of the job; raise where it did not end well."""
    texts = {}
    for name in (FINISHED, OUTPUT, ERRORS, "scheduler.err"):
        transport.get(str(folder / name), str(here / name), ignore_nonexisting=True)
        path = here / name
        texts[name] = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if texts[FINISHED].strip() != "0":
        told = [line for name in (ERRORS, "scheduler.err") for line in texts[name].splitlines()]
        last = next((line for line in reversed(told) if line.strip()), "it wrote nothing")
        status = texts[FINISHED].strip() or "nothing"
        raise JobFailedError(f"the job ended with {status} in {folder}: {one_line(last)}")
    return texts[OUTPUT]
