# SPDX-License-Identifier: MIT
"""Run the recipe workflows/01_copper_emt with other seeds, to see that it holds for them too.

Runs each seed as a campaign in the current AiiDA profile, whose daemon must run:
``python benchmarks/copper_seeds.py 0 1 2``. Prints turns, label calls and targets of each.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from aiida_alpot.campaign import load_campaign
from aiida_alpot.cli.launch import submit_campaign
from aiida_alpot.cli.outcome import outcome_lines
from aiida_alpot.cli.profile import open_profile, patiently
from aiida_alpot.reports.outcome import read_outcome

RECIPE = Path(__file__).parents[1] / "workflows" / "01_copper_emt" / "campaign.yaml"


def run_seed(seed: int, folder: Path) -> bool:
    """Run the recipe with one seed; return whether it converged and met every target."""
    text, count = re.subn(r"^seed: .*$", f"seed: {seed}", RECIPE.read_text("utf-8"), flags=re.M)
    assert count == 1, "the recipe has no line 'seed: ...'"
    path = folder / f"seed_{seed}.yaml"
    path.write_text(text, encoding="utf-8")
    node = submit_campaign(load_campaign(path))
    while not patiently(lambda: node.is_terminated):
        time.sleep(2)
    outcome = read_outcome(node)
    summary = node.outputs.summary.get_dict()
    calls = summary["n_labelled"] + summary["n_looked_up"] + summary["n_failed"]
    print(f"seed {seed}: {summary['verdict']} after {summary['n_turns']} turns, {calls} labels")
    print("\n".join(outcome_lines(outcome)), flush=True)
    return node.is_finished_ok and outcome.targets_met


def main() -> int:
    """Run the seeds of the command line."""
    open_profile()
    seeds = [int(word) for word in sys.argv[1:]] or [0, 1]
    with tempfile.TemporaryDirectory() as folder:
        results = [run_seed(seed, Path(folder)) for seed in seeds]
    print(f"{sum(results)} of {len(results)} seeds converged and met every target")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
