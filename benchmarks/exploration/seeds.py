# SPDX-License-Identifier: MIT
"""The command of a benchmark of several seeds: run those that are missing, keep, tell, draw."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .teachers import NAMES, Teacher, make_teacher

Results = list[dict[str, Any]]


def run_seeds(
    description: str,
    *,
    run_seed: Callable[[Teacher, int], dict[str, Any]],
    summarize: Callable[[Results], dict[str, Any]],
    tell: Callable[[dict[str, Any]], Iterable[str]],
    draw: Callable[[Results, Path, Teacher], None],
) -> None:
    """Read the options, run the seeds that the file of results lacks, print a line for each way.

    The file is written after each seed, so that one that is interrupted loses one seed.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--teacher", choices=NAMES, default="emt")
    parser.add_argument("--data", type=Path, help="folder of the published potentials")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="seeds that it holds are not run again")
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    teacher = make_teacher(given.teacher, data=given.data)
    results = load_seeds(given.json)
    known = {one["seed"] for one in results}
    for seed in (seed for seed in range(given.seeds) if seed not in known):
        results.append(run_seed(teacher, seed))
        if given.json is not None:
            content = {"teacher": teacher.name, "summary": summarize(results), "seeds": results}
            given.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for line in tell(summarize(results)):
        print(line)
    if given.plot is not None:
        draw(results, given.plot, teacher)


def load_seeds(path: Path | None) -> Results:
    """Return the seeds that a file of results holds, none without a file."""
    if path is None or not path.exists():
        return []
    seeds: Results = json.loads(path.read_text(encoding="utf-8"))["seeds"]
    return seeds
