# SPDX-License-Identifier: MIT
"""Processor time to bring the labels of many jobs together: in a tree, and in one process.

The jobs are made up, a set of one cell and a dictionary of its verdict each, in a profile that
lies in memory. Prints JSON and a line of text: ``python benchmarks/label_gathering.py``.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.level_of_theory import level_of_theory

LEVEL = level_of_theory("EMT", {})


def made_up_labels(count: int) -> Configurations:
    """Return rattled cells of four copper atoms with random labels."""
    rng = np.random.default_rng(count)
    cells = Configurations.from_atoms([bulk("Cu", a=3.6, cubic=True)] * count)
    return cells.replace(
        positions=cells.positions + rng.normal(0.0, 0.1, cells.positions.shape),
        energy=rng.normal(size=count),
        forces=rng.normal(size=cells.positions.shape),
        level_of_theory=LEVEL,
    )


def outputs_of_jobs(labels: Configurations) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what is told of each job, and its outputs by their links."""
    from aiida import orm

    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.workflows.label.sources import LABELS, RESULT, numbered

    attempts, outputs = [], []
    for number, one in enumerate(labels.hashes()):
        verdict = {"hash": one, "seconds": 1.0, "reason": ""}
        content = ConfigurationsData.from_configurations(labels.select([number]))
        result = orm.Dict({"verdicts": [verdict]})
        outputs.append(
            {
                numbered(LABELS, number): content.store(),
                numbered(RESULT, number): result.store(),
            }
        )
        attempts.append(
            {
                "name": f"batch_{number}",
                "number": number,
                "attempt": 1,
                "indices": [number],
                "recipe": "",
                "node": f"job {number}",
                "end": "exit status 0",
                "exit_code": 0,
            }
        )
    return attempts, outputs


def collect(labels: Configurations, *, in_a_tree: bool) -> float:
    """Return the processor time that it takes in s."""
    from aiida import orm

    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.workflows.label.collect import collect_labels
    from aiida_alpot.workflows.label.gather import MOST_JOBS, gather, gather_again
    from aiida_alpot.workflows.label.sources import LABELS

    attempts, outputs = outputs_of_jobs(labels)
    bare = labels.without_labels()
    requested = ConfigurationsData.from_configurations(bare).store()
    begun = time.process_time()
    gathered: dict[str, str] = {}
    left = 0
    if in_a_tree:
        left = len(attempts) - len(attempts) % MOST_JOBS
        for number, first in enumerate(range(0, left, MOST_JOBS)):
            last = first + MOST_JOBS
            some = {link: node for one in outputs[first:last] for link, node in one.items()}
            gathered |= gather(LABELS, number, {"attempts": attempts[first:last]}, some)
        gathered = gather_again(LABELS, gathered)
    sources: dict[str, Any] = {link: orm.load_node(uuid) for link, uuid in gathered.items()}
    sources |= {link: node for one in outputs[left:] for link, node in one.items()}
    record = {"turn": 0, "level_of_theory": LEVEL, "attempts": attempts[left:]}
    collected = collect_labels(requested, orm.Dict(record), **sources)
    seconds = time.process_time() - begun
    if collected["labelled"].get_configurations().hashes() != labels.hashes():
        raise SystemExit("labels were lost")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--flat", type=int, nargs="*", default=[50, 100, 200])
    given = parser.parse_args()
    from aiida.manage.configuration import load_profile
    from aiida.storage.sqlite_temp import SqliteTempBackend

    load_profile(SqliteTempBackend.create_profile("gathering"), allow_switch=True)
    collect(made_up_labels(3), in_a_tree=False)  # what is loaded once
    tree = {n: round(collect(made_up_labels(n), in_a_tree=True), 2) for n in given.jobs}
    flat = {n: round(collect(made_up_labels(n), in_a_tree=False), 2) for n in given.flat}
    print(json.dumps({"tree_s": tree, "one_process_s": flat}))
    told = ", ".join(f"{n} jobs {seconds:.1f} s" for n, seconds in tree.items())
    other = ", ".join(f"{n} jobs {seconds:.1f} s" for n, seconds in flat.items())
    print(f"in a tree: {told}; in one process: {other}")


if __name__ == "__main__":
    main()
