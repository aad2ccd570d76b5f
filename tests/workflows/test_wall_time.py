# SPDX-License-Identifier: MIT
"""A job that runs into its wall time is continued, not begun anew, and ends in the same bits."""

import itertools
import math

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from ase.calculators.emt import EMT

from aiida_alpot.calculations.continued import margin_of
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData

SECONDS = 8
"""Wall time of the jobs that are too short; they end by themselves after half of it."""
NEEDED = 6.0
"""Seconds that the work takes at first, about: two jobs. It grows until one does not do."""


@pytest.fixture
def run(alpot_code):
    """Run a WorkChain, with a wall time for one role or without; return it and its jobs."""

    def run(entry_point, role, seconds, **inputs):
        builder = WorkflowFactory(entry_point).get_builder()
        for name, value in {"code": alpot_code, "turn": orm.Int(0), **inputs}.items():
            setattr(builder, name, value)
        if seconds is not None:
            builder.options = orm.Dict({role: {"max_wallclock_seconds": seconds}})
        node = run_get_node(builder).node
        assert node.exit_status == 0, node.exit_message
        jobs = [one for one in node.called if isinstance(one, orm.CalcJobNode)]
        return node, sorted(jobs, key=lambda job: job.pk)

    return run


@pytest.fixture
def labelled(copper_cells):
    """Copper cells with the energies and forces of EMT."""
    cells = [copper_cells.atoms(index) for index in range(len(copper_cells))]
    for atoms in cells:
        atoms.calc = EMT()
        atoms.get_forces()
    return Configurations.from_atoms(cells, level_of_theory="emt")


def until_one_does_not_do(run, amount):
    """Return the amount of work that takes more than one job, with the WorkChain and its jobs."""
    while True:
        node, jobs = run(amount)
        if len(jobs) > 1:
            return amount, node, jobs
        amount *= 2


def require_chain(jobs):
    """Require that each job went on from the checkpoint of the one before."""
    assert len(jobs) >= 2
    for job, after in itertools.pairwise(jobs):
        assert job.exit_status == 320
        assert not job.base.caching.is_valid_cache
        assert after.inputs.checkpoint.uuid == job.outputs.checkpoint.uuid
        assert job.outputs.remote_folder.is_empty
    assert jobs[-1].is_finished_ok
    assert "checkpoint" not in jobs[-1].outputs


def test_sampling_goes_on_after_its_wall_time_to_the_same_bits(
    run, campaign_settings, named_structures, labelled
):
    fitted, _ = run(
        "alpot.fit",
        "fit",
        None,
        settings=orm.Dict(campaign_settings()),
        training={"start": ConfigurationsData.from_configurations(labelled)},
    )

    def sample(steps, seconds=None):
        dynamics = {"kind": "molecular_dynamics", "temperature_K": 60, "steps": steps}
        sampler = {"name": "cool", "starts": ["bulk"], "sampler": dynamics, "starts_per_job": 1}
        grades = {**campaign_settings()["grades"], "gamma_entry": 0.1, "gamma_break": 1e9}
        settings = campaign_settings(
            explore=[{**sampler, "max_frames": 6, "record_every": 5}], grades=grades
        )
        return run(
            "alpot.sample",
            "sample",
            seconds,
            settings=orm.Dict(settings),
            structures=ConfigurationsData.from_configurations(named_structures),
            potential=fitted.outputs.potential,
            active_set=fitted.outputs.active_set,
        )

    trial, _ = sample(1000)
    first = int(1000 * NEEDED / trial.outputs.results.cool_000["seconds"])
    steps, short, jobs = until_one_does_not_do(lambda steps: sample(steps, SECONDS), first)
    require_chain(jobs)
    whole, [_] = sample(steps)
    one, other = (node.outputs.candidates.cool_000 for node in (whole, short))
    assert one.content == other.content
    one, other = (node.outputs.results.cool_000["chains"] for node in (whole, short))
    assert one == other
    assert one[0]["completed"]
    assert one[0]["steps"] == steps


def test_a_fit_goes_on_after_its_wall_time_to_the_same_bits(run, campaign_settings, labelled):
    def train(n_starts, seconds=None):
        fit = {"max_iterations": 200, "tolerance": 0.0, "n_starts": n_starts}
        return run(
            "alpot.fit",
            "fit",
            seconds,
            settings=orm.Dict(
                campaign_settings(
                    fit={**campaign_settings()["fit"], **fit},
                    potential={"level": 10, "cutoff": 5.0, "min_distance": None},
                )
            ),
            training={"start": ConfigurationsData.from_configurations(labelled)},
        )

    trial, _ = train(1)
    first = math.ceil(NEEDED / trial.outputs.result["seconds"])
    n_starts, short, jobs = until_one_does_not_do(lambda n: train(n, SECONDS), first)
    require_chain(jobs)
    whole, [_] = train(n_starts)
    assert short.outputs.potential.content == whole.outputs.potential.content
    assert short.outputs.active_set.content == whole.outputs.active_set.content
    one, other = (node.outputs.result.get_dict() for node in (whole, short))
    assert one["loss_history"] == other["loss_history"]
    assert one["errors"] == other["errors"]


@pytest.mark.parametrize(
    ("limit", "margin"), [(6, 3), (8, 4), (20, 5), (100, 20), (3600, 600), (86400, 600)]
)
def test_a_job_leaves_itself_time_to_end(limit, margin):
    assert margin_of(limit) == margin
