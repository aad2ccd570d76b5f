# SPDX-License-Identifier: MIT
"""Try damaged files for a while: ``python -m fuzz --seconds 600``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from .readers import make_readers
from .trials import fuzz, prepare_folder, try_content


def main() -> None:
    """Try all readers, a round each, until the time is spent."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time for all")
    parser.add_argument("--readers", nargs="+", metavar="NAME")
    parser.add_argument("--round", type=int, default=200, help="inputs of a reader at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    readers = {
        name: one
        for name, one in make_readers().items()
        if arguments.readers is None or name in arguments.readers
    }
    totals: dict[str, dict[str, int]] = {name: {} for name in readers}
    seconds = dict.fromkeys(readers, 0.0)
    findings: dict[str, list[str]] = {}
    rounds = 0
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text).resolve()
        prepare_folder(folder)
        for reader in readers.values():
            for content in reader.seeds:
                refused = try_content(reader, content, folder)
                assert not refused, f"{reader.filename}: {refused}"
        while sum(seconds.values()) < arguments.seconds:
            for name, reader in readers.items():
                started = time.process_time()
                prepare_folder(folder)
                try:
                    outcomes = fuzz(
                        reader, folder, examples=arguments.round, start=arguments.seed + rounds
                    )
                    for outcome, count in outcomes.items():
                        totals[name][outcome] = totals[name].get(outcome, 0) + count
                except AssertionError as error:
                    message = str(error)
                    if message[:60] not in [one[:60] for one in findings.get(name, [])]:
                        findings.setdefault(name, []).append(message)
                        print(f"FINDING {name}: {message[:1500]}", flush=True)
                seconds[name] += time.process_time() - started
            rounds += 1
            if arguments.json is not None:  # what a run that is interrupted leaves
                write_figures(totals, seconds, findings, arguments.json)
    report(totals, seconds, findings, arguments.json)


def report(
    totals: dict[str, dict[str, int]],
    seconds: dict[str, float],
    findings: dict[str, list[str]],
    path: Path | None,
) -> None:
    """Print how many inputs ended in what, and leave with status 1 after a finding."""
    for name, outcomes in totals.items():
        n_inputs = sum(outcomes.values())
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{name:18} {n_inputs:8d} inputs  {seconds[name]:7.1f} s  {told}")
    total = sum(sum(outcomes.values()) for outcomes in totals.values())
    n_findings = sum(map(len, findings.values()))
    spent = sum(seconds.values())
    print(f"{total} inputs in {spent:.0f} s of processor time, {n_findings} findings")
    if path is not None:
        write_figures(totals, seconds, findings, path)
    sys.exit(1 if findings else 0)


def write_figures(
    totals: dict[str, dict[str, int]],
    seconds: dict[str, float],
    findings: dict[str, list[str]],
    path: Path,
) -> None:
    """Write the figures as JSON."""
    content = {
        "total": sum(sum(outcomes.values()) for outcomes in totals.values()),
        "seconds": {name: round(one, 2) for name, one in seconds.items()},
        "inputs": totals,
        "findings": findings,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
