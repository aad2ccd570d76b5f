# SPDX-License-Identifier: MIT
"""Time of one refresh of ``alpot watch``: the first look at a long campaign, and the next ones.

The campaign is made up, in a profile that lies in memory: turns that have ended, each with jobs of
all stages, and one that is labelling. Prints JSON and a line of text:
``python benchmarks/watching.py``.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

SETTINGS = {
    "name": "made up",
    "budget": {"labels": 10000, "turns": 100},
    "explore": [{"name": "nvt", "starts": ["bulk"]}],
}
JOBS = {"sample": 4, "select": 1, "label": 12, "fit": 1}
"""Jobs of each stage of a turn; each stage but the selection is a process of its own."""


def add_process(parent: Any, kind: str, entry_point: str, link: str, **inputs: Any) -> Any:
    """Store a process below another one, at work."""
    from aiida import orm
    from aiida.common.links import LinkType

    is_job = kind == "calculations"
    node = orm.CalcJobNode() if is_job else orm.WorkChainNode()
    node.process_type = f"aiida.{kind}:{entry_point}"
    if parent is not None:
        call = LinkType.CALL_CALC if is_job else LinkType.CALL_WORK
        node.base.links.add_incoming(parent, call, link)
    for name, value in inputs.items():
        node.base.links.add_incoming(
            value.store(), LinkType.INPUT_CALC if is_job else LinkType.INPUT_WORK, name
        )
    node.set_process_state("waiting")
    return node.store()


def end_process(node: Any, **outputs: Any) -> None:
    """Let a process end well, with its outputs."""
    from aiida import orm
    from aiida.common.links import LinkType

    is_job = isinstance(node, orm.CalcJobNode)
    for name, value in outputs.items():
        if is_job:
            value.base.links.add_incoming(node, LinkType.CREATE, name)
        value.store()
        if not is_job:
            value.base.links.add_incoming(node, LinkType.RETURN, name)
    node.set_exit_status(0)
    node.set_process_state("finished")
    node.seal()


def record_of(turn: int) -> dict[str, Any]:
    """Return as much of the record of a turn as a table shows."""
    chain = {"chain": "bulk", "sampler": "nvt", "frames": 100, "largest_grade": 3.0}
    counts = {"n_candidates": 20, "n_selected": 12, "n_labelled": 12, "n_looked_up": 0}
    samples = [{**chain, "chain": f"bulk_{number}"} for number in range(JOBS["sample"])]
    return {
        **counts,
        "turn": turn,
        "samples": samples,
        "n_failed": 0,
        "largest_grade": 3.0,
        "errors": None,
        "seconds": {},
        "extrapolating": True,
    }


def add_turn(learn: Any, settings: Any, turn: int, *, has_ended: bool) -> None:
    """Store a turn with all its jobs; one that has not ended is at its labels."""
    from aiida import orm

    link = f"turn_{turn:03d}"
    number = orm.Int(turn)
    node = add_process(learn, "workflows", "alpot.turn", link, settings=settings, turn=number)
    for stage, count in JOBS.items():
        at_work = stage == "label" and not has_ended
        chain = node if stage == "select" else None
        if chain is None:
            name = "alpot.label.ase" if stage == "label" else f"alpot.{stage}"
            chain = add_process(node, "workflows", name, stage)
        for place in range(count):
            job = add_process(chain, "calculations", f"alpot.{stage}", f"{stage}_{place:03d}")
            if not at_work:
                end_process(job, result=orm.Dict({"seconds": 1.0, "chains": []}))
        entries = [{"status": "labelled", "work": 32, "core_seconds": 1.0}] * count
        if chain is not node and not at_work:
            end_process(
                chain, **({"ledger": orm.Dict({"entries": entries})} if stage == "label" else {})
            )
        if at_work:
            return
    end_process(node, record=orm.Dict(record_of(turn)))


def make_campaign(n_turns: int) -> Any:
    """Store a campaign that has ended so many turns and is at the next."""
    from aiida import orm

    settings = orm.Dict(SETTINGS).store()
    campaign = add_process(None, "workflows", "alpot.campaign", "", settings=settings)
    learn = add_process(campaign, "workflows", "alpot.learn", "learn", settings=settings)
    for turn in range(1, n_turns + 2):
        add_turn(learn, settings, turn, has_ended=turn <= n_turns)
    return campaign


def measure(n_turns: int, repeats: int) -> dict[str, Any]:
    """Return the processor times of looks at a campaign in s."""
    from aiida import orm

    from aiida_alpot.reports.progress import FinishedTurns, read_progress

    campaign = make_campaign(n_turns)
    finished = FinishedTurns()
    seconds = []
    for _ in range(repeats + 1):
        begun = time.process_time()
        progress = read_progress(orm.load_node(campaign.pk), finished)
        seconds.append(time.process_time() - begun)
    return {
        "turns": n_turns,
        "processes": orm.QueryBuilder().append(orm.ProcessNode).count(),
        "labels_used": progress.labels_used,
        "first_look_s": seconds[0],
        "next_look_s": min(seconds[1:]),
    }


def main() -> None:
    """Measure campaigns of the lengths given."""
    from aiida import load_profile
    from aiida.storage.sqlite_temp import SqliteTempBackend

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    load_profile(SqliteTempBackend.create_profile(), allow_switch=True)
    found = measure(arguments.turns, arguments.repeats)
    print(json.dumps(found))
    print(
        f"{found['processes']} processes: the first look {found['first_look_s']:.3f} s, each "
        f"further one {found['next_look_s']:.3f} s"
    )


if __name__ == "__main__":
    main()
