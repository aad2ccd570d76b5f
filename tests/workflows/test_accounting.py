# SPDX-License-Identifier: MIT
"""What jobs cost: read from the scheduler where it tells, and charged to where they belong."""

from dataclasses import replace

import pytest
from aiida import orm
from aiida.common import LinkType
from plumpy import ProcessState

from aiida_alpot.workflows.accounting import (
    KnownCosts,
    core_hours,
    costs_of_jobs,
    sum_by,
)
from aiida_alpot.workflows.job_costs import cores_of_resources, parse_sacct
from aiida_alpot.workflows.label.throttle import MARK

SACCT = """Account|AllocCPUS|CPUTimeRAW|ElapsedRaw|JobID|State|
root|8|960|120|42|COMPLETED|
root|8|960|120|42.batch|COMPLETED|
root|8|952|119|42.0|COMPLETED|
"""


def test_the_scheduler_is_charged_for_the_job_not_for_its_steps_again():
    assert parse_sacct(SACCT, "42") == 960.0


def test_both_runs_of_a_job_that_was_requeued_count():
    requeued = SACCT.replace(
        "root|8|960|120|42|", "root|8|80|10|42|PREEMPTED|\nroot|8|960|120|42|", 1
    )
    assert parse_sacct(requeued, "42") == 1040.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Slurm accounting storage is disabled",
        "JobID|State|\n42|COMPLETED|",
        SACCT.split("\n", maxsplit=1)[0],
    ],
)
def test_what_is_no_accounting_tells_nothing(text):
    assert parse_sacct(text, "42") is None


def test_a_job_that_the_accounting_does_not_know_costs_nothing_known():
    assert parse_sacct(SACCT, "4") is None


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        (None, 1),
        ({"num_machines": 2, "num_mpiprocs_per_machine": 16}, 32),
        ({"num_machines": 1, "tot_num_mpiprocs": 6}, 6),
        ({"num_machines": 1, "num_mpiprocs_per_machine": 2, "num_cores_per_mpiproc": 4}, 8),
        ({"num_machines": 3, "num_mpiprocs_per_machine": 1, "num_cores_per_machine": 8}, 24),
    ],
)
def test_cores_are_those_that_the_resources_ask_for(resources, cores):
    assert cores_of_resources(resources) == cores


@pytest.fixture(scope="module")
def campaign(localhost):
    """A campaign with jobs of every stage, whose costs are known."""

    def process(kind, entry_point, *, caller=None, link="", extras=None, **attributes):
        node = kind(process_type=entry_point, label=attributes.pop("label", ""))
        if kind is orm.CalcJobNode:
            node.computer = localhost
            node.set_option("resources", attributes.pop("resources", {"num_machines": 1}))
        for name, value in attributes.items():
            node.base.attributes.set(name, value)
        if caller is not None:
            call = LinkType.CALL_CALC if kind is orm.CalcJobNode else LinkType.CALL_WORK
            node.base.links.add_incoming(caller, call, link)
        node.store()
        node.base.extras.set_many(extras or {})
        return node

    def job(name, caller, link, *, seconds=None, state=ProcessState.FINISHED, **more):
        node = process(
            orm.CalcJobNode, f"aiida.calculations:{name}", caller=caller, link=link,
            **{"job_id": "7", **more},
        )  # fmt: skip
        if seconds is not None:
            result = orm.Dict({"seconds": seconds})
            result.base.links.add_incoming(node, LinkType.CREATE, "result")
            result.store()
        node.set_process_state(state)
        return node

    def chain(name, caller, link, **more):
        return process(
            orm.WorkChainNode, f"aiida.workflows:{name}", caller=caller, link=link, **more
        )

    top = process(orm.WorkChainNode, "aiida.workflows:alpot.campaign")
    first = chain("alpot.label.ase", top, "label_start")
    job("alpot.label", first, "batch_000", seconds=2.0)
    learn = chain("alpot.learn", top, "learn")
    turn = chain("alpot.turn", learn, "turn_003")
    sample = chain("alpot.sample", turn, "sample")
    job("alpot.sample", sample, "nvt_000", seconds=10.0)
    job(
        "alpot.sample",
        sample,
        "npt_000",
        seconds=99.0,
        detailed_job_info={"stdout": SACCT},
        job_id="42",
    )
    job("alpot.select", turn, "select", seconds=1.0)
    label = chain("somebody.elses", turn, "label", extras={MARK: True})
    vasp = chain("vasp.v2.vasp", label, "batch_000_attempt_1")
    job(
        "vasp.vasp", vasp, "calculation",
        resources={"num_machines": 1, "num_mpiprocs_per_machine": 4},
        last_job_info={"wallclock_time_seconds": 30},
    )  # fmt: skip
    replayed = job("vasp.vasp", vasp, "calculation_2", seconds=50.0)
    replayed.base.extras.set("_aiida_cached_from", "some-uuid")
    fit = chain("alpot.fit", turn, "fit")
    job("alpot.fit", fit, "fit", seconds=5.0, resources={"num_machines": 1, "tot_num_mpiprocs": 2})
    job("alpot.properties", top, "validation", seconds=3.0)
    job("alpot.label", first, "unsubmitted", state=ProcessState.KILLED, job_id=None)
    return top


def test_each_job_is_charged_to_its_stage(campaign):
    stages = sum_by(costs_of_jobs(campaign), "stage")
    assert stages == {
        "label": 2.0 + 4 * 30.0,
        "sample": 10.0 + 960.0,
        "select": 1.0,
        "fit": 10.0,
        "measure": 3.0,
    }
    assert core_hours(costs_of_jobs(campaign)) == pytest.approx(sum(stages.values()) / 3600)


def test_each_job_is_charged_to_its_turn(campaign):
    turns = sum_by(costs_of_jobs(campaign), "turn")
    assert turns == {0: 2.0, 3: 10.0 + 960.0 + 1.0 + 120.0 + 10.0, -1: 3.0}


def test_it_is_told_where_a_cost_comes_from(campaign):
    sources = {cost.name: cost.source for cost in costs_of_jobs(campaign)}
    assert sources["npt_000"] == sources["calculation"] == "scheduler"
    assert sources["nvt_000"] == "job"
    assert sources["calculation_2"] == "cache"


def test_a_second_look_reads_only_what_has_not_ended(campaign):
    known = KnownCosts()
    costs = costs_of_jobs(campaign, known)
    assert set(known.jobs) == {cost.pk for cost in costs if not cost.is_running}
    assert costs_of_jobs(campaign, known) == costs
    assert costs_of_jobs(campaign, KnownCosts()) == costs


def add_turn(caller, number, *, state):
    """Store a turn with one job, which has ended unless the turn has not."""
    turn = orm.WorkChainNode()
    turn.process_type = "aiida.workflows:alpot.turn"
    turn.base.links.add_incoming(caller, LinkType.CALL_WORK, f"turn_{number:03d}")
    turn.set_process_state(state)
    turn.store()
    job = orm.CalcJobNode()
    job.process_type = "aiida.calculations:alpot.fit"
    job.base.links.add_incoming(turn, LinkType.CALL_CALC, "fit")
    job.set_process_state(state)
    job.store()
    return turn, job


def test_turns_that_have_ended_are_walked_once(aiida_profile):
    top = orm.WorkChainNode().store()
    ended, first = add_turn(top, 1, state="finished")
    _, second = add_turn(top, 2, state="waiting")
    known = KnownCosts()
    costs = costs_of_jobs(top, known)
    assert [(cost.pk, cost.turn, cost.stage) for cost in costs] == [
        (first.pk, 1, "fit"),
        (second.pk, 2, "fit"),
    ]
    assert list(known.branches) == [ended.pk]
    known.branches[ended.pk] = [replace(costs[0], core_seconds=5.0)]  # as if it was not read again
    again = costs_of_jobs(top, known)
    assert [cost.pk for cost in again] == [first.pk, second.pk]
    assert again[0].core_seconds == 5.0
    top.set_process_state("finished")
    second.set_process_state("finished")
    costs_of_jobs(top, known)
    assert [cost.pk for cost in known.branches[top.pk]] == [first.pk, second.pk]
