# SPDX-License-Identifier: MIT
"""Run the recipe workflows/01_copper_emt with other seeds, to see that it holds for them too.

Runs each seed as a campaign in the current AiiDA profile, whose daemon must run:
``python benchmarks/copper_seeds.py 0 1 2 --json seeds.json``. Prints turns, label calls and targets
of each.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiida_alpot.campaign import load_campaign
from aiida_alpot.cli.launch import submit_campaign
from aiida_alpot.cli.outcome import outcome_lines
from aiida_alpot.cli.profile import open_profile, patiently
from aiida_alpot.reports.outcome import read_outcome

RECIPE = Path(__file__).parents[1] / "workflows" / "01_copper_emt" / "campaign.yaml"


def run_seed(seed: int, folder: Path) -> dict[str, Any]:
    """Run the recipe with one seed; return what it took and what it reached."""
    text, count = re.subn(r"^seed: .*$", f"seed: {seed}", RECIPE.read_text("utf-8"), flags=re.M)
    assert count == 1, "the recipe has no line 'seed: ...'"
    path = folder / f"seed_{seed}.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.perf_counter()
    node = submit_campaign(load_campaign(path))
    while not patiently(lambda: node.is_terminated):
        time.sleep(1)
    seconds = time.perf_counter() - started
    outcome = read_outcome(node)
    summary = node.outputs.summary.get_dict()
    calls = summary["n_labelled"] + summary["n_looked_up"] + summary["n_failed"]
    print(
        f"seed {seed}: {summary['verdict']} after {summary['n_turns']} turns, {calls} labels, "
        f"{seconds:.0f} s"
    )
    print("\n".join(outcome_lines(outcome)), flush=True)
    return {
        "seed": seed,
        "verdict": summary["verdict"],
        "turns": summary["n_turns"],
        "labels": calls,
        "seconds": seconds,
        "ok": bool(node.is_finished_ok and outcome.targets_met),
        "figures": [asdict(figure) for figure in outcome.figures],
    }


def main() -> int:
    """Run the seeds of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    open_profile()
    with tempfile.TemporaryDirectory() as folder:
        results = [run_seed(seed, Path(folder)) for seed in arguments.seeds]
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    n_ok = sum(result["ok"] for result in results)
    print(f"{n_ok} of {len(results)} seeds converged and met every target")
    return 0 if n_ok == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
