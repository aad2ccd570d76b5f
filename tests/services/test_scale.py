# SPDX-License-Identifier: MIT
"""Many label jobs of one frame through Slurm, at most 50 in flight: none lost, none done twice.

It records the jobs per minute, the memory of the daemon's workers and the growth of the database.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import submit
from aiida.plugins import WorkflowFactory
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData

from . import daemon as daemons
from .figures import record_figures
from .postgres import database_size, query
from .slurm import jobs

IN_FLIGHT = 50
N_WORKERS, SLOTS = 2, 30  # of each worker; the WorkChain and its calcfunctions need a few too
MEBIBYTE = 2**20
LOOK_SECONDS = 2.0


def frames(count, *, seed):
    """Return rattled cells of one to four atoms, all different."""
    rng = np.random.default_rng(seed)
    cells = []
    for _ in range(count):
        atoms = bulk("Cu", a=3.6, cubic=True)
        atoms.rattle(0.05, rng=rng)
        cells.append(atoms)
    return Configurations.from_atoms(cells, identifiers=[f"frame_{i}" for i in range(count)])


def label_builder(code, configurations, emt_level):
    builder = WorkflowFactory("alpot.label.ase").get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(configurations)
    label = {
        "workchain": "ase",
        "calculator": {"name": "EMT", "settings": {}},
        "level_of_theory": emt_level,
        "batch_size": 1,
        "max_jobs": IN_FLIGHT,
        "max_attempts": 2,
        "min_success": 1.0,
    }
    builder.settings = orm.Dict({"species": ["Cu"], "label": label})
    options = {"max_wallclock_seconds": 600, "max_memory_kb": 400_000}
    builder.options = orm.Dict({"label": options})
    return builder


@dataclass
class Watch:
    """What is seen while the jobs run: how many are queued, and the memory of the workers."""

    folder: Path
    start: float = field(default_factory=time.monotonic)
    cpu_start: float = field(default_factory=daemons.worker_seconds)
    cpu_seconds: float = 0.0
    queued: list[int] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)

    def look(self):
        self.queued.append(len(jobs(self.folder)))
        self.cpu_seconds = daemons.worker_seconds() - self.cpu_start
        memory = daemons.worker_memory()
        if memory:
            self.memory.append((time.monotonic() - self.start, sum(memory.values())))

    def growth(self):
        """Return the growth of the memory in bytes from the second quarter to the last one."""
        used = [amount for _, amount in self.memory]
        quarter = max(1, len(used) // 4)
        return float(np.median(used[-quarter:]) - np.median(used[quarter : 2 * quarter]))


def label_many(count, services, code, emt_level, *, seed, timeout):
    """Label so many frames; return the process, what was seen, seconds, bytes in the database."""
    configurations = frames(count, seed=seed)
    before = database_size(services, "production")
    watch = Watch(services)
    node = submit(label_builder(code, configurations, emt_level))
    while not node.is_terminated:
        watch.look()
        assert time.monotonic() - watch.start < timeout, f"{node} is still {node.process_state}"
        time.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - watch.start
    query(services, "VACUUM", database="production")
    return node, watch, seconds, database_size(services, "production") - before


def check(node, watch, seconds, bytes_in_database, count):
    """Check that nothing was lost or done twice, and record the figures."""
    assert node.is_finished_ok, node.exit_message
    entries = node.outputs.ledger.get_dict()["entries"]
    assert [entry["status"] for entry in entries] == ["labelled"] * count
    assert {entry["attempt"] for entry in entries} == {1}
    calculations = [one for one in node.called if isinstance(one, orm.CalcJobNode)]
    assert len(calculations) == count
    assert len({one.get_job_id() for one in calculations}) == count
    assert all(one.is_finished_ok for one in calculations)
    assert node.outputs.labelled.n_labelled == count
    assert 2 <= max(watch.queued) <= IN_FLIGHT
    growth = watch.growth()
    per_minute = 60 * count / seconds
    figures = {
        "jobs": count,
        "seconds": round(seconds, 1),
        "jobs_per_minute": round(per_minute, 1),
        "worker_cpu_seconds_per_job": round(watch.cpu_seconds / count, 3),
        "load_average": os.getloadavg()[1],
        "most_in_the_queue": max(watch.queued),
        "database_bytes_per_label": round(bytes_in_database / count),
        "worker_memory_MiB_first": round(watch.memory[0][1] / MEBIBYTE, 1),
        "worker_memory_MiB_last": round(watch.memory[-1][1] / MEBIBYTE, 1),
        "worker_memory_growth_MiB": round(growth / MEBIBYTE, 1),
        "memory_MiB_by_second": [
            (round(when), round(used / MEBIBYTE, 1))
            for when, used in watch.memory[:: max(1, len(watch.memory) // 50)]
        ],
    }
    line = (
        f"{count} label jobs through Slurm in {seconds:.0f} s, {per_minute:.0f} a minute, "
        f"{figures['worker_cpu_seconds_per_job']:.2f} s of a worker's processor each; "
        f"{figures['database_bytes_per_label'] / 1000:.1f} kB of database for a label; workers "
        f"{figures['worker_memory_MiB_first']:.0f} to {figures['worker_memory_MiB_last']:.0f} MiB"
    )
    record_figures(f"scale_{count}", figures, line)
    return growth


@pytest.fixture(scope="module")
def tight_daemon(daemon, production_profile, aiida_config):
    """A daemon with hardly more slots than the jobs in flight need."""

    def restart(slots):
        if slots is None:  # the default of AiiDA
            production_profile.unset_option("daemon.worker_process_slots")
        else:
            production_profile.set_option("daemon.worker_process_slots", slots)
        aiida_config.store()
        daemons.stop_daemon()
        daemons.start_daemon(N_WORKERS)

    before = production_profile.get_option("daemon.worker_process_slots")
    restart(SLOTS)
    yield
    restart(before)


@pytest.mark.timeout(6000)
@pytest.mark.usefixtures("tight_daemon")
def test_two_hundred_label_jobs_through_slurm(services, slurm_python, emt_level):
    done = label_many(200, services, slurm_python, emt_level, seed=1, timeout=5000)
    assert check(*done, 200) < 60 * MEBIBYTE


@pytest.mark.full
@pytest.mark.timeout(10800)
@pytest.mark.usefixtures("tight_daemon")
def test_two_thousand_label_jobs_through_slurm(services, slurm_python, emt_level):
    done = label_many(2000, services, slurm_python, emt_level, seed=2, timeout=10000)
    assert check(*done, 2000) < 60 * MEBIBYTE
