# SPDX-License-Identifier: MIT
"""The daemon: does it run, with workers, and with the code that is installed now."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiida_alpot
from aiida_alpot.cli.checkup.finding import Finding
from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

SLOW_POLL = 10  # seconds
LEVELS = 6  # campaign, loop, turn, fan-out, a fit beside them, and one to spare
INSTALLED = ("aiida-alpot", "aiida-core", "aiida-vasp")
UNUSED = ("cli", "reports")  # folders of which a worker loads nothing


def check_daemon(profile: Profile) -> Finding:
    """Check that the daemon runs, that it has workers, and that they know the code of today.

    A worker loads the package when it starts. One that is older than a source file, or that belongs
    to another Python, runs other code than the command line; its processes would end with what a
    later version has mended, or stick where it does not know a class.
    """
    from aiida_alpot.cli.profile import daemon_is_running

    restart = f"verdi -p {profile.name} daemon restart"
    if not daemon_is_running(profile):
        return Finding("daemon", False, "not running", f"verdi -p {profile.name} daemon start")
    workers = find_workers(profile)
    if not workers:
        return Finding("daemon", False, "it runs, but has no worker", restart)
    foreign = [worker for worker in workers if not _is_of_this_python(worker)]
    if foreign:
        told = f"its worker belongs to {_python_of(foreign[0])}, not {sys.prefix}"
        return Finding("daemon", False, told, restart)
    changed, file = newest_source()
    oldest = min(worker.create_time() for worker in workers)
    if changed > oldest:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(oldest))
        return Finding("daemon", False, f"started {since}, before {file} was changed", restart)
    return Finding("daemon", True, _describe(profile, len(workers)))


def check_slots(profile: Profile, most_processes: int) -> Finding:
    """Check that the workers have slots for all processes of a campaign at its widest.

    A process that waits for its children keeps its slot; where all slots are kept by such, nothing
    goes on for ever.

    Parameters
    ----------
    profile : Profile
        The daemon's.
    most_processes : int
        Most processes of one fan-out of the campaign.
    """
    there = count_slots(profile)
    needed = most_processes + LEVELS
    if there < needed:
        return Finding(
            "slots",
            False,
            f"{there} of the daemon, and the campaign can have {needed} processes at a time",
            _more_slots(profile, needed),
        )
    return Finding("slots", True, f"{there}, of which the campaign needs {needed} at most")


def require_slots(profile: Profile, n_waiting: int) -> None:
    """Raise where the processes of a campaign that wait for others can take every slot.

    Jobs beyond the slots only queue up; but where each slot is kept by a process that waits for
    one without a slot, the daemon does nothing any more, for ever.

    Parameters
    ----------
    profile : Profile
        The daemon's.
    n_waiting : int
        Processes below the turns of a campaign that may wait for others at a time.

    Raises
    ------
    ServiceError
        With the command that gives the daemon enough of them.
    """
    there = count_slots(profile)
    needed = n_waiting + LEVELS + 1
    if 0 < there < needed:
        raise ServiceError(
            f"The daemon of profile '{profile.name}' has {there} slots, and the campaign can have "
            f"{needed - 1} processes that wait for others: nothing would go on for ever. Give it "
            f"more with '{_more_slots(profile, needed)}', or lower max_jobs in the machines file."
        )


def count_slots(profile: Profile) -> int:
    """Return how many processes the workers of the daemon take at a time."""
    from aiida.manage import get_config

    slots = get_config().get_option("daemon.worker_process_slots", scope=profile.name)
    return len(find_workers(profile)) * int(slots)


def _more_slots(profile: Profile, needed: int) -> str:
    """Return the commands that give the daemon slots for so many processes."""
    each = -(-needed // max(1, len(find_workers(profile))))
    return (
        f"verdi -p {profile.name} config set daemon.worker_process_slots {each}, then "
        f"verdi -p {profile.name} daemon restart"
    )


def find_workers(profile: Profile) -> list[Any]:
    """Return the workers of the daemon as processes of psutil."""
    import psutil  # type: ignore[import-untyped]
    from aiida.engine.daemon.client import get_daemon_client

    number = get_daemon_client(profile.name).get_daemon_pid()
    workers = []
    try:
        for process in psutil.Process(number).children(recursive=True):
            if process.cmdline()[-2:] == ["daemon", "worker"]:
                workers.append(process)
    except psutil.Error:
        pass  # it ended while we looked
    return workers


def newest_source() -> tuple[float, str]:
    """Return when what the daemon loads was changed last, and which file that was."""
    folder = Path(aiida_alpot.__file__).parent
    sources = folder.rglob("*.py")
    files = [path for path in sources if path.relative_to(folder).parts[0] not in UNUSED]
    for name in INSTALLED:  # when a package was installed; its entry points name what is loaded
        with suppress(PackageNotFoundError):
            found = Path(str(distribution(name).locate_file("")))
            files += found.glob(f"{name.replace('-', '_')}-*.dist-info/METADATA")
    newest = max(files, key=lambda path: path.stat().st_mtime)
    return newest.stat().st_mtime, str(newest.relative_to(newest.parents[1]))


def _describe(profile: Profile, n_workers: int) -> str:
    from aiida.manage import get_config

    config = get_config()
    interval = config.get_option("runner.poll.interval", scope=profile.name)
    slots = config.get_option("daemon.worker_process_slots", scope=profile.name)
    slow = f", looks at processes every {interval} s only" if interval > SLOW_POLL else ""
    plural = "s" if n_workers > 1 else ""
    return (
        f"{n_workers} worker{plural} with aiida-alpot {aiida_alpot.__version__}, "
        f"{n_workers * slots} slots{slow}"
    )


def _is_of_this_python(worker: Any) -> bool:
    words = worker.cmdline()
    return not words[0].startswith("/") or _python_of(worker) == sys.prefix


def _python_of(worker: Any) -> str:
    return str(Path(worker.cmdline()[0]).parents[1])
