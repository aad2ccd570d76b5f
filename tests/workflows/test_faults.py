# SPDX-License-Identifier: MIT
"""Jobs that are lost on the way are tried again, once, and what they left is kept."""

import sys
from pathlib import Path

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_alpot.data import ConfigurationsData, PotentialData

ALPOT = Path(sys.executable).with_name("alpot")


@pytest.fixture
def unreliable_code(script_code, tmp_path):
    """A code that is killed ``n_losses`` times before it works."""

    def make(n_losses):
        counter = tmp_path / f"losses_{n_losses}"
        return script_code(
            tmp_path / f"alpot_{n_losses}",
            f"echo lost >> {counter}\n"
            f"[ $(wc -l < {counter}) -gt {n_losses} ] || kill -9 $$\n"
            f'exec {ALPOT} "$@"',
        )

    return make


@pytest.fixture
def careless_code(script_code, tmp_path):
    """A code whose first job damages its files by a command of the shell."""

    def make(damage):
        mark = tmp_path / "damaged"
        return script_code(
            tmp_path / "alpot_careless",
            f'{ALPOT} "$@" || exit $?\n[ -e {mark} ] || {{ touch {mark}; {damage}; }}',
        )

    return make


@pytest.fixture
def label(campaign_settings, copper_cells):
    def run(code, shift):
        builder = WorkflowFactory("alpot.label.ase").get_builder()
        builder.code = code
        shifted = copper_cells.replace(positions=copper_cells.positions + shift).select([0])
        builder.configurations = ConfigurationsData.from_configurations(shifted)
        builder.settings = orm.Dict({"label": campaign_settings()["label"]})
        return run_get_node(builder).node

    return run


def test_a_job_that_was_killed_is_tried_again(label, unreliable_code):
    node = label(unreliable_code(1), 0.111)
    assert node.exit_status == 0
    first, second = sorted(
        (child for child in node.called if isinstance(child, orm.CalcJobNode)),
        key=lambda child: child.pk,
    )
    assert first.exit_status == 301
    assert not first.base.caching.is_valid_cache
    assert second.exit_status == 0
    entry = node.outputs.ledger["entries"][0]
    assert (entry["status"], entry["attempt"], entry["node"]) == ("labelled", 2, second.uuid)


def test_a_job_that_is_always_killed_is_a_failure_with_its_reason(label, unreliable_code):
    node = label(unreliable_code(9), 0.222)
    assert node.exit_status == 301
    jobs = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    assert len(jobs) == 2
    entry = node.outputs.ledger["entries"][0]
    assert (entry["status"], entry["attempt"]) == ("failed", 2)
    assert "301" in entry["reason"]
    assert entry["node"] in {job.uuid for job in jobs}


@pytest.mark.parametrize(
    ("damage", "shift"), [(": > labelled.npz", 0.333), ("rm labelled.npz", 0.444)]
)
def test_a_file_of_labels_that_is_empty_or_gone_is_made_again(label, careless_code, damage, shift):
    node = label(careless_code(damage), shift)
    assert node.exit_status == 0
    statuses = [job.exit_status for job in node.called if isinstance(job, orm.CalcJobNode)]
    assert sorted(statuses) == [0, 305]
    entry = node.outputs.ledger["entries"][0]
    assert (entry["status"], entry["attempt"], entry["cause"]) == ("labelled", 2, "")


def test_a_fit_that_was_killed_goes_on_from_the_same_potential_again(
    unreliable_code, campaign_settings, labelled_copper, make_potential
):
    builder = WorkflowFactory("alpot.fit").get_builder()
    builder.code = unreliable_code(1)
    builder.settings = orm.Dict(campaign_settings())
    builder.turn = orm.Int(1)
    builder.initial = PotentialData.from_potential(make_potential(4, cutoff=4.5))
    builder.training = {"turn_000": ConfigurationsData.from_configurations(labelled_copper)}
    node = run_get_node(builder).node
    assert node.exit_status == 0
    first, second = sorted(node.called, key=lambda child: child.pk)
    assert (first.exit_status, second.exit_status) == (301, 0)
    assert second.inputs.initial.uuid == first.inputs.initial.uuid
    assert second.inputs.settings.get_dict() == first.inputs.settings.get_dict()
