# SPDX-License-Identifier: MIT
"""The checks of ``alpot doctor``: what each found, and what to do where something fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_alpot.errors import AlpotError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

GPAW_SETTINGS = {"ecut": 150, "kpts": [1, 1, 1], "convergence": {"density": 1e-2}}


@dataclass(frozen=True)
class Finding:
    """What one check found; ``remedy`` is empty where all is well."""

    name: str
    passed: bool
    detail: str
    remedy: str = ""


def check_up(profile_name: str | None, *, jobs: bool = True) -> Iterator[Finding]:
    """Yield the findings, the cheap ones first; what depends on a failed one is left out.

    Parameters
    ----------
    profile_name : str, optional
        As :func:`aiida_alpot.cli.profile.open_profile`.
    jobs : bool
        Whether a small real job is run with each code.
    """
    from aiida_alpot.cli.profile import open_profile

    yield check_kernel_cache()
    try:
        profile = open_profile(profile_name)
    except AlpotError as error:
        yield Finding("profile", False, str(error), "alpot init")
        return
    yield Finding("profile", True, f"{profile.name}, storage {profile.storage_backend}")
    yield check_broker(profile)
    yield check_daemon(profile)
    yield from check_codes(run_jobs=jobs)


def check_kernel_cache() -> Finding:
    """Check that compiled kernels can be kept, so that each job need not compile them again."""
    try:
        from aiida_alpot.jobs.warm_up import compile_kernels
    except ImportError as error:
        return Finding("kernels", False, f"cannot be imported: {error}", "pip install numba")
    seconds = compile_kernels()
    folder = _cache_folder()
    if not _is_writable(folder):
        return Finding(
            "kernels",
            False,
            f"compiled in {seconds:.1f} s, but {folder} cannot be written to, so that each job "
            "compiles anew",
            "export NUMBA_CACHE_DIR=$HOME/.cache/numba",
        )
    return Finding("kernels", True, f"ready after {seconds:.1f} s")


def _cache_folder() -> Path:
    import os

    import aiida_alpot.mtp

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return Path(chosen) if chosen else Path(aiida_alpot.mtp.__file__).parent


def _is_writable(folder: Path) -> bool:
    import os

    existing = next((one for one in (folder, *folder.parents) if one.exists()), None)
    return existing is not None and os.access(existing, os.W_OK)


def check_broker(profile: Profile) -> Finding:
    """Check that the profile has a broker, without which nothing can be submitted."""
    broker = profile.process_control_backend
    if broker is None:
        return Finding(
            "broker",
            False,
            f"profile {profile.name} has none, so that nothing can be submitted",
            f"verdi profile configure-broker core.zeromq -p {profile.name}",
        )
    return Finding("broker", True, str(broker))


def check_daemon(profile: Profile) -> Finding:
    """Check that the daemon runs."""
    from aiida.manage import get_config

    from aiida_alpot.cli.profile import daemon_is_running

    if not daemon_is_running(profile):
        return Finding("daemon", False, "not running", f"verdi -p {profile.name} daemon start")
    interval = get_config().get_option("runner.poll.interval", scope=profile.name)
    slow = f" (looks at processes every {interval} s only)" if interval > 10 else ""
    return Finding("daemon", True, f"running{slow}")


def check_codes(*, run_jobs: bool) -> Iterator[Finding]:
    """Check every code that a campaign can use, by a small real job with each."""
    from aiida_alpot.cli.profile import all_codes

    usable = all_codes()
    if not any(_is_alpot(code) for code in usable):
        yield Finding("codes", False, "there is no code that runs alpot", "alpot init")
    for code in usable:
        if _is_alpot(code) or code.label.startswith("gpaw"):
            yield check_code(code, run_job=run_jobs)


def _is_alpot(code: Any) -> bool:
    return Path(str(code.get_executable())).name.startswith("alpot")


def check_code(code: Any, *, run_job: bool) -> Finding:
    """Check that the program of a code is there, and that it labels one small cell."""
    name = f"code {code.full_label}"
    renew = f"verdi code relabel {code.full_label} {code.label}-old, then alpot init"
    try:
        code.validate_filepath_executable()
    except Exception as error:  # the transport of a computer can fail in many ways
        return Finding(name, False, _one_line(error), renew)
    if not run_job:
        return Finding(name, True, str(code.get_executable()))
    return _try_job(name, code, renew)


def _try_job(name: str, code: Any, renew: str) -> Finding:
    from aiida.engine import run_get_node
    from aiida.manage.caching import disable_caching

    try:
        with disable_caching():
            _, node = run_get_node(small_label_job(code))
    except Exception as error:  # as above
        return Finding(name, False, f"a small job failed: {_one_line(error)}", renew)
    if not node.is_finished_ok:
        told = node.exit_message or f"state {node.process_state}"
        return Finding(
            name,
            False,
            f"a small job ended with {node.exit_status}: {_one_line(told)}",
            f"verdi process report {node.pk}",
        )
    seconds = (node.mtime - node.ctime).total_seconds()
    return Finding(name, True, f"a small job took {seconds:.1f} s")


def small_label_job(code: Any) -> Any:
    """Return the inputs of a job that labels one small cell with a code."""
    from aiida import orm
    from ase.build import bulk

    from aiida_alpot.calculations import LabelCalculation
    from aiida_alpot.configurations import Configurations
    from aiida_alpot.data import ConfigurationsData

    is_alpot = _is_alpot(code)
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
    builder.metadata = {
        "label": "alpot doctor",
        "options": {
            "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1},
            "withmpi": bool(code.with_mpi),
            "max_wallclock_seconds": 300,
        },
    }
    return builder


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
