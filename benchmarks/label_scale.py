# SPDX-License-Identifier: MIT
"""Many label jobs of one small cell each, a limited number in flight, on this machine.

In a profile of its own, as ``alpot init`` makes it (SQLite, the built-in broker, ``core.direct``),
in a temporary folder, with hardly more slots of the daemon than the processes need. Prints JSON
and a line of text: jobs per minute, the processor time of the daemon's workers for each, their
memory at the start, in the middle and at the end, what database and repository grow by for each
label, and the processes that were lost. ``tests/services`` measures the same on PostgreSQL,
RabbitMQ and Slurm.

    python benchmarks/label_scale.py [--jobs 200] [--in-flight 50] [--workers 2] [--slots 30]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk

from aiida_alpot.configurations import Configurations

MEBIBYTE = 2**20
LOOK_SECONDS = 1.0


def rattled_cells(count: int) -> Configurations:
    """Return cells of four copper atoms, all different."""
    rng = np.random.default_rng(count)
    cells = []
    for _ in range(count):
        atoms = bulk("Cu", a=3.6, cubic=True)
        atoms.rattle(0.05, rng=rng)
        cells.append(atoms)
    return Configurations.from_atoms(cells, identifiers=[f"frame_{n}" for n in range(count)])


def make_profile(slots: int) -> tuple[Any, Any]:
    """Return a loaded profile, and a bare Python as the code that labels."""
    from aiida.manage import get_config

    from aiida_alpot.cli.installation import ensure_computer, ensure_profile, find_own_verdi

    find_own_verdi()
    profile, _ = ensure_profile("scale", email="scale@localhost")
    get_config().set_option("daemon.worker_process_slots", slots, scope="scale")
    get_config().store()
    computer, _ = ensure_computer()
    from aiida import orm

    code = orm.InstalledCode(label="python", computer=computer, filepath_executable=sys.executable)
    return profile, code.store()


def label_inputs(code: Any, configurations: Configurations, in_flight: int) -> Any:
    """Return the inputs of the WorkChain that labels each configuration by a job of its own."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.level_of_theory import level_of_theory

    builder = WorkflowFactory("alpot.label.ase").get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(configurations)
    section = {
        "workchain": "ase",
        "calculator": {"name": "EMT", "settings": {}},
        "level_of_theory": level_of_theory("EMT", {}),
        "batch_size": 1,
        "max_jobs": in_flight,
    }
    builder.settings = orm.Dict({"species": ["Cu"], "label": section})
    return builder


def sizes_of_storage(profile: Any) -> tuple[int, int]:
    """Return the bytes of the database and of the repository of a profile on SQLite."""
    folder = Path(profile.storage_config["filepath"])
    files = [(path, path.stat().st_size) for path in folder.rglob("*") if path.is_file()]
    database = sum(size for path, size in files if path.name.startswith("database.sqlite"))
    return database, sum(size for _, size in files) - database


def look_at(workers: list[Any]) -> tuple[int, float]:
    """Return memory in bytes and processor time in s of all workers together."""
    memory, seconds = 0, 0.0
    for worker in workers:
        memory += worker.memory_info().rss
        times = worker.cpu_times()
        seconds += times.user + times.system
    return memory, seconds


def n_in_flight(node: Any) -> tuple[int, int]:
    """Return how many jobs of a process are at work, and how many have ended."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters={"id": node.pk}, tag="label")
    query.append(
        orm.CalcJobNode, with_incoming="label", project="attributes.process_state", tag="job"
    )
    states = query.all(flat=True)
    n_ended = sum(state in ("finished", "excepted", "killed") for state in states)
    return len(states) - n_ended, n_ended


def measure(count: int, in_flight: int, n_workers: int, slots: int, timeout: float) -> dict:
    """Label so many cells; return the figures."""
    from aiida import orm
    from aiida.engine import submit
    from aiida.engine.daemon.client import get_daemon_client

    from aiida_alpot.cli.checkup.daemon import find_workers

    profile, code = make_profile(slots)
    client = get_daemon_client(profile.name)
    client.start_daemon(n_workers)
    try:
        while len(find_workers(profile)) < n_workers:
            time.sleep(0.5)
        time.sleep(5.0)  # until they have loaded what they need
        workers = find_workers(profile)
        before = sizes_of_storage(profile)
        looks = [(0.0, 0, *look_at(workers))]
        most = 0
        begun = time.monotonic()
        node = submit(label_inputs(code, rattled_cells(count), in_flight))
        while not node.is_terminated and time.monotonic() - begun < timeout:
            time.sleep(LOOK_SECONDS)
            flying, ended = n_in_flight(node)
            most = max(most, flying)
            looks.append((time.monotonic() - begun, ended, *look_at(workers)))
        seconds = time.monotonic() - begun
        after = sizes_of_storage(profile)
    finally:
        client.stop_daemon(wait=True)
    is_done = bool(node.is_finished_ok)
    entries = node.outputs.ledger["entries"] if "ledger" in node.outputs else []
    jobs = [one for one in node.called if isinstance(one, orm.CalcJobNode)]
    last_ended = max((job.mtime for job in jobs), default=node.ctime)
    memory = [one[2] / MEBIBYTE for one in looks]
    return {
        "jobs": count,
        "finished": is_done,
        "in_flight_at_most": most,
        "workers": n_workers,
        "slots": n_workers * slots,
        "seconds": round(seconds, 1),
        "jobs_per_minute": round(60 * count / seconds, 1),
        "seconds_after_the_last_job": round((node.mtime - last_ended).total_seconds(), 1),
        "worker_cpu_seconds_per_job": round((looks[-1][3] - looks[0][3]) / count, 3),
        "memory_MiB": {
            "start": round(memory[min(5, len(memory) - 1)], 1),
            "middle": round(memory[len(memory) // 2], 1),
            "end": round(memory[-1], 1),
        },
        "database_kB_per_label": round((after[0] - before[0]) / count / 1000, 1),
        "repository_kB_per_label": round((after[1] - before[1]) / count / 1000, 1),
        "labelled": sum(entry["status"] == "labelled" for entry in entries),
        "processes_lost": sum(not job.is_finished_ok for job in jobs) + count - len(jobs),
        "load_average": round(os.getloadavg()[1], 1),
        "ended_by_second": [
            (round(when), ended) for when, ended, *_ in looks[:: max(1, len(looks) // 30)]
        ],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=30, help="Of each worker.")
    parser.add_argument("--timeout", type=float, default=7200.0, help="s")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alpot-scale-") as folder:
        os.environ["AIIDA_PATH"] = folder
        figures = measure(given.jobs, given.in_flight, given.workers, given.slots, given.timeout)
    memory = figures["memory_MiB"]
    print(json.dumps(figures))
    print(
        f"{figures['jobs']} label jobs, at most {figures['in_flight_at_most']} in flight, in "
        f"{figures['seconds']:.0f} s: {figures['jobs_per_minute']:.0f} a minute, "
        f"{figures['worker_cpu_seconds_per_job']:.2f} s of a worker's processor each; memory of "
        f"the workers {memory['start']:.0f}, {memory['middle']:.0f}, {memory['end']:.0f} MiB; "
        f"{figures['database_kB_per_label']:.1f} kB of database and "
        f"{figures['repository_kB_per_label']:.1f} kB of files a label; "
        f"{figures['processes_lost']} processes lost"
    )


if __name__ == "__main__":
    main()
