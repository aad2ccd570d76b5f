# SPDX-License-Identifier: MIT
"""A data set of 100,000 configurations in AiiDA: a node for each increment, load, merge, split.

Run ``python benchmarks/data_sets.py``; ``--json FILE`` keeps the figures, ``--configurations`` and
``--increments`` change the size. The profile lies in a temporary folder, on SQLite. Times are those
of one process; the files are in the cache of the system, as after a job that has written them.
"""

# ruff: noqa: E402 - the number of threads and the folder of AiiDA are set before they are loaded
from __future__ import annotations

import os
import tempfile

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
_HOME = tempfile.TemporaryDirectory(prefix="alpot-data-sets-")
os.environ["AIIDA_PATH"] = _HOME.name

import argparse
import json
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

warnings.simplefilter("ignore")  # AiiDA tells of the folder that it makes

from aiida import load_profile, orm
from aiida.manage.configuration import create_profile, get_config

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.jobs.run import cpu_type
from aiida_alpot.selection.split import split_by_chain
from aiida_alpot.workflows.lookup import find_labels

LEVEL = '{"calculator":"EMT","settings":{"asap_cutoff":false}}'
SIZES = (8, 16, 32)


def make_increment(n: int, number: int) -> Configurations:
    """Return labelled cells of 8 to 32 atoms, at random: nothing in them packs well."""
    rng = np.random.default_rng(number)
    counts = rng.choice(SIZES, n)
    n_atoms = int(counts.sum())
    return Configurations(
        numbers=rng.choice([29, 79], n_atoms).astype(np.int32),
        positions=rng.uniform(0.0, 8.0, (n_atoms, 3)),
        cells=8.0 * np.eye(3) + 0.1 * rng.standard_normal((n, 3, 3)),
        pbc=np.ones((n, 3), bool),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        energy=rng.standard_normal(n),
        energy_extrapolated=np.full(n, np.nan),
        forces=rng.standard_normal((n_atoms, 3)),
        stress=rng.standard_normal((n, 6)),
        magnetic_moments=np.full(n_atoms, np.nan),
        force_mask=np.ones(n_atoms, bool),
        weight=np.ones(n),
        identifier=np.array([f"turn_{number:03d}/hot/bulk/{index:06d}" for index in range(n)]),
        turn=np.full(n, number),
        sampler=np.array(["hot"] * n),
        chain=np.array([f"bulk_{index % 10}" for index in range(n)]),
        step=np.arange(n),
        grade=rng.uniform(1.0, 3.0, n),
        level_of_theory=LEVEL,
    )


class Clock:
    """Keeps wall and processor time of named steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, dict[str, float]] = {}

    def time(self, name: str, step: Callable[[], Any], *, repeats: int = 1) -> Any:
        """Run a step, keep the least time of its repeats and return what it gives."""
        times = []
        for _ in range(repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            found = step()
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        wall, cpu = min(times)
        self.seconds[name] = {"wall": round(wall, 4), "cpu": round(cpu, 4)}
        print(f"{name:44} {wall:8.3f} s  (CPU {cpu:.3f} s)", flush=True)
        return found


def measure(n_configurations: int, n_increments: int) -> dict[str, Any]:
    """Return the figures of a data set of so many configurations."""
    clock = Clock()
    each = n_configurations // n_increments
    increments = [make_increment(each, number) for number in range(n_increments)]
    nodes = clock.time(
        "store, a node for each increment",
        lambda: [ConfigurationsData.from_configurations(one).store() for one in increments],
    )
    uuids = [node.uuid for node in nodes]
    growth = _bytes_below(Path(_HOME.name))
    loaded = clock.time("load all nodes", lambda: _load(uuids), repeats=3)
    whole = clock.time("merge", lambda: concatenate(loaded), repeats=3)
    assert len(whole) == each * n_increments
    rng = np.random.default_rng(0)
    train, test = clock.time("split by chains", lambda: split_by_chain(whole, 0.1, rng))
    parts = clock.time("take both parts", lambda: (whole.select(train), whole.select(test)))
    assert sum(map(len, parts)) == len(whole)
    clock.time("hashes of all configurations", whole.hashes)
    one = clock.time("store all of it as one node", lambda: _store(whole))
    clock.time("load that node", lambda: orm.load_node(one).get_configurations(), repeats=3)
    found = clock.time("query sizes and species, no array read", _query, repeats=3)
    assert found[0] == len(whole)
    wanted = increments[-1].hashes()
    labels = clock.time("look up 1000 labels by hash", lambda: find_labels(wanted, LEVEL))
    assert len(labels) == len(wanted)
    atoms = int(whole.offsets[-1])
    return {
        "n_configurations": len(whole),
        "n_increments": n_increments,
        "n_atoms": atoms,
        "bytes_per_configuration_stored": round(growth / len(whole), 1),
        "peak_memory_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seconds": clock.seconds,
        "cpu": cpu_type(),
    }


def _load(uuids: list[str]) -> list[Configurations]:
    query = orm.QueryBuilder().append(ConfigurationsData, filters={"uuid": {"in": uuids}})
    return [node.get_configurations() for node in query.all(flat=True)]


def _store(configurations: Configurations) -> str:
    return str(ConfigurationsData.from_configurations(configurations).store().uuid)


def _query() -> tuple[int, int]:
    query = orm.QueryBuilder()
    query.append(
        ConfigurationsData,
        filters={
            "attributes.species": {"contains": ["Cu"]},
            "attributes.level_of_theory": LEVEL,
            "attributes.n_configurations": {"<": 50_000},
        },
        project=["attributes.n_configurations", "attributes.n_atoms"],
    )
    rows = query.all()
    return sum(row[0] for row in rows), sum(row[1] for row in rows)


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", type=int, default=100_000)
    parser.add_argument("--increments", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    create_profile(
        get_config(create=True),
        name="data",
        email="data@localhost",
        storage_backend="core.sqlite_dos",
        storage_config={"filepath": str(Path(_HOME.name) / "storage")},
    )
    load_profile("data")
    figures = measure(arguments.configurations, arguments.increments)
    load, merge = figures["seconds"]["load all nodes"], figures["seconds"]["merge"]
    print(
        f"{figures['n_configurations']} configurations with {figures['n_atoms']} atoms in "
        f"{figures['n_increments']} nodes: loaded in {load['wall']:.2f} s, merged in "
        f"{merge['wall']:.2f} s; {figures['bytes_per_configuration_stored']:.0f} bytes each on disk"
    )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
