# SPDX-License-Identifier: MIT
"""Faults at each step of a turn: the campaign ends as if nothing had happened.

Each test runs a small campaign of EMT through Slurm on PostgreSQL and RabbitMQ, breaks something
on the way and compares the potential byte by byte, the data sets and the ledger with those of a
campaign that was left alone. Attempts and seconds may differ.
"""

from __future__ import annotations

import pytest

from . import daemon as daemons
from . import slurm
from .campaigns import jobs_of
from .processes import wait_until

STEPS = ("sample", "select", "label", "fit")


def visit_steps(interference, strike):
    """Hold a job of each step of the first turn in its turn, and strike while it runs."""
    for step, following in zip(STEPS, (*STEPS[1:], None), strict=True):
        interference.wait_held(step)
        strike()
        if following is not None:
            interference.hold(following)
        interference.release(step)


def test_the_campaign_that_is_left_alone_learns_something(undisturbed):
    assert undisturbed.exit_status in (0, 501, 502)
    assert len(undisturbed.training) > 1
    assert {dict(entry)["status"] for entry in undisturbed.ledger} == {"labelled"}


def kill_all_workers():
    before = set(daemons.worker_numbers())
    for _ in before:
        daemons.kill_worker()
    wait_until(
        lambda: len(set(daemons.worker_numbers()) - before) == len(before),
        timeout=60,
        what="there are new workers",
    )


def test_the_workers_are_killed_at_each_step_of_a_turn(disturbed, interference):
    interference.hold("sample")
    with disturbed("kill -9 of the workers at each step"):
        visit_steps(interference, kill_all_workers)


def test_a_job_of_each_step_is_cancelled(disturbed, interference, services):
    interference.hold("sample")
    with disturbed("scancel of a job at each step") as node:
        visit_steps(interference, lambda: slurm.cancel_jobs(services))
    for step in STEPS:
        assert any(job.exit_status == 301 for job in jobs_of(node, step))


FILES = {
    "sample": "candidates.npz",
    "select": "selected.npz",
    "label": "labelled.npz",
    "fit": "potential.mtp",
}
DAMAGES = {"truncated": "truncate -s -40 {file}", "empty": ": > {file}"}


@pytest.mark.parametrize(
    "damages",
    [
        {"sample": "truncated", "select": "empty", "label": "truncated", "fit": "empty"},
        pytest.param(
            {"sample": "empty", "select": "truncated", "label": "empty", "fit": "truncated"},
            marks=pytest.mark.full,
        ),
    ],
    ids=lambda damages: f"labels are {damages['label']}",
)
def test_a_file_of_each_step_is_damaged(disturbed, interference, damages):
    for step, damage in damages.items():
        interference.after(step, DAMAGES[damage].format(file=FILES[step]))
    told = ", ".join(f"{FILES[step]} {damage}" for step, damage in damages.items())
    with disturbed(told) as node:
        pass
    for step in STEPS:
        assert jobs_of(node, step)[0].exit_status == 305


NOT_A_NUMBER = {
    "sample": ("candidates.npz", "positions"),
    "select": ("selected.npz", "positions"),
    "label": ("labelled.npz", "energy"),
}
SPOIL_ARRAY = """
{python} - <<END
import numpy
content = dict(numpy.load("{file}"))
content["{array}"] = content["{array}"].copy()
content["{array}"][0] = numpy.nan
numpy.savez_compressed("{file}", **content)
END
"""


def test_an_output_of_each_step_is_not_a_number(disturbed, interference, slurm_python):
    python = slurm_python.filepath_executable
    for step, (file, array) in NOT_A_NUMBER.items():
        interference.after(step, SPOIL_ARRAY.format(python=python, file=file, array=array))
    interference.after("fit", "sed -i 's/^\\(moment_coeffs = {\\)[^,]*/\\1nan/' potential.mtp")
    with disturbed("NaN in an output of each step") as node:
        pass
    for step in STEPS:
        assert jobs_of(node, step)[0].exit_status == 305
