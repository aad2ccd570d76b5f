# SPDX-License-Identifier: MIT
"""The jobs that sampled for a potential are asked for alone, whatever else a profile holds."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.reports.labels import SAMPLE, sampler_runs
from aiida_alpot.workflows import query_parts

N_FOREIGN = 60


def sample_job(name):
    """Return a job that sampled, with settings and a remark as inputs, and what it made."""
    job = orm.CalcJobNode()
    job.process_type = SAMPLE
    sampler = {"kind": "molecular_dynamics", "temperature_K": [300, 900], "steps": 60}
    inputs = {
        "remark": {"name": "a remark", "turn": 9, "sampler": {}},
        "settings": {"name": name, "turn": 1, "sampler": sampler},
    }
    for link, content in inputs.items():
        job.base.links.add_incoming(orm.Dict(content).store(), LinkType.INPUT_CALC, link)
    job.store()
    candidates = orm.Data()
    candidates.base.links.add_incoming(job, LinkType.CREATE, "candidates")
    return job, candidates.store()


@pytest.fixture(scope="module")
def sampled(aiida_profile, copper_cells):
    """A training set and the job that sampled for it."""
    job, candidates = sample_job("hot")
    collect = orm.CalcFunctionNode()
    collect.base.links.add_incoming(candidates, LinkType.INPUT_CALC, "requested")
    collect.store()
    training = ConfigurationsData.from_configurations(copper_cells)
    training.base.links.add_incoming(collect, LinkType.CREATE, "labelled")
    return training.store(), job


def steps_of_the_database(call):
    """Return how many instructions SQLite carries out during a call, in tens."""
    session = get_manager().get_profile_storage().get_session()
    connection = session.connection().connection.driver_connection
    steps = 0

    def count():
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 10)
    call()
    connection.set_progress_handler(None, 0)
    return 10 * steps


def test_jobs_are_found_with_their_settings_and_no_other_input(sampled):
    training, job = sampled
    runs = sampler_runs([training.uuid])
    assert list(runs) == [(training.uuid, 1, "hot")]
    run = runs[training.uuid, 1, "hot"]
    assert run.uuid == job.uuid
    assert run.temperature(30) == pytest.approx(600)


def test_more_nodes_than_one_query_takes_are_asked_for_in_parts(sampled, monkeypatch):
    training, _ = sampled
    whole = sampler_runs([training.uuid])
    monkeypatch.setattr(query_parts, "AT_A_TIME", 2)
    assert sampler_runs([training.uuid]) == whole


def test_the_work_of_the_database_does_not_grow_with_other_campaigns(sampled):
    training, _ = sampled
    sampler_runs([training.uuid])  # statements are compiled once
    before = steps_of_the_database(lambda: sampler_runs([training.uuid]))
    for number in range(N_FOREIGN):
        sample_job(f"foreign {number}")
    after = steps_of_the_database(lambda: sampler_runs([training.uuid]))
    assert 0 < after < before + N_FOREIGN  # less than one instruction for each
