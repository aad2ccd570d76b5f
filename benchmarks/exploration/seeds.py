# SPDX-License-Identifier: MIT
"""The command of a benchmark of several seeds: run those that are missing, keep, tell, draw."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from .teachers import NAMES, Teacher, make_teacher

Results = list[dict[str, Any]]


def run_seeds(
    description: str,
    *,
    run_seed: Callable[..., dict[str, Any]],
    summarize: Callable[[Results], dict[str, Any]],
    tell: Callable[[dict[str, Any]], Iterable[str]],
    draw: Callable[[Results, Path, Teacher], None],
    ways: Sequence[str] = (),
) -> None:
    """Read the options, run the seeds that the file of results lacks, print a line for each way.

    The file is written after each seed, so that one that is interrupted loses one seed. Of seeds
    that it holds ``run_seed(teacher, seed, known)`` runs those of ``ways`` that they lack.
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
    known = {one["seed"]: one for one in results}
    for seed in sorted({*range(given.seeds), *known}):
        if seed not in known:
            results.append(run_seed(teacher, seed))
        elif _lacks(known[seed], ways):
            run_seed(teacher, seed, known[seed])
        else:
            continue
        if given.json is not None:
            whole = [one for one in results if not _lacks(one, ways)]
            keep(given.json, teacher.name, summarize(whole), results)
    for line in tell(summarize(results)):
        print(line)
    if given.plot is not None:
        draw(results, given.plot, teacher)


def _lacks(result: dict[str, Any], ways: Sequence[str]) -> bool:
    return not set(ways) <= set(result.get("curves", ways))


def keep(path: Path, teacher: str, summary: dict[str, Any], results: Results) -> None:
    """Write a summary to read, and a line for each seed, of which four digits are enough."""
    write_by_line(path, {"teacher": teacher, "summary": summary}, "seeds", results)


def write_by_line(path: Path, head: dict[str, Any], name: str, results: Results) -> None:
    """Write what is to be read, and under ``name`` a line for each result, of four digits."""
    lines = ",\n".join(json.dumps(rounded(one), default=str) for one in results)
    opening = json.dumps(head, indent=1).removesuffix("\n}") + "," if head else "{"
    path.write_text(f'{opening}\n "{name}": [\n{lines}\n]}}\n', encoding="utf-8")


def rounded(value: Any) -> Any:
    """Return nested content with all its numbers cut to four digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def load_seeds(path: Path | None) -> Results:
    """Return the seeds that a file of results holds, none without a file."""
    if path is None or not path.exists():
        return []
    seeds: Results = json.loads(path.read_text(encoding="utf-8"))["seeds"]
    return seeds
