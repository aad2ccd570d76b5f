# SPDX-License-Identifier: MIT
"""Amending and resuming campaigns that have ended: what is taken over, what is refused."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy import ProcessState

from aiida_alpot.campaign.load import load_campaign
from aiida_alpot.campaign.settings import workchain_options
from aiida_alpot.cli.campaign_commands.resume import require_more
from aiida_alpot.cli.launch import EXTRA, describe_campaign
from aiida_alpot.cli.successors import amend_campaign
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.errors import BudgetError, CampaignFileError, LevelOfTheoryError, SettingError
from aiida_alpot.grading.active_set import empty_active_set
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.reports.paused import describe_paused, paused_processes
from aiida_alpot.reports.successors import PREDECESSOR_EXTRA, chains_of, successor_of
from aiida_alpot.workflows.campaign import CampaignWorkChain
from aiida_alpot.workflows.restate import is_forced

CAMPAIGN = """\
name: to_amend
species: [Cu]
potential: {level: 2, cutoff: 4.5}
start:
  structures: {bulk: {crystal: fcc, a: 3.6, cubic: true}}
  training: [{crystal: fcc, a: 3.7, cubic: true, rattle: 0.03}]
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}
label: {calculator: EMT}
budget: {labels: 20, turns: 3}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("campaign")
    (folder / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def state_left(tmp_path_factory, labelled_copper):
    """What a campaign had come to after its second turn."""
    rng = np.random.default_rng(0)
    potential = initial_potential(2, 4.5, species=("Cu",), min_distance=2.0, rng=rng)
    path = tmp_path_factory.mktemp("active_set") / "active_set.npz"
    empty_active_set(potential).save(path)
    entries = [{"status": "labelled", "hash": str(one)} for one in range(4)]
    return {
        "turn": orm.Int(2),
        "refit": orm.Bool(False),
        "potential": PotentialData.from_potential(potential),
        "active_set": ActiveSetData.from_file(path),
        "training": {"turn_000": ConfigurationsData.from_configurations(labelled_copper)},
        "ledgers": {"start": orm.Dict({"entries": entries})},
    }


@pytest.fixture
def ended(folder, state_left, alpot_code):
    """Return a campaign that goes on from that state and has ended, by default killed."""

    def make(*, status=None, predecessor=None):
        campaign = load_campaign(folder / "campaign.yaml")
        process = instantiate_process(
            get_manager().get_runner(),
            CampaignWorkChain,
            settings=orm.Dict(campaign.as_settings()),
            options=orm.Dict(workchain_options(campaign)),
            structures=ConfigurationsData.from_configurations(campaign.structures),
            start=ConfigurationsData.from_configurations(campaign.training),
            codes={"alpot": alpot_code},
            predecessor=state_left,
        )
        node = process.node
        node.base.extras.set(EXTRA, describe_campaign(campaign))
        if predecessor is not None:
            node.base.extras.set(PREDECESSOR_EXTRA, predecessor.uuid)
        node.set_process_state(ProcessState.KILLED if status is None else ProcessState.FINISHED)
        if status is not None:
            node.set_exit_status(status)
        node.seal()
        return node

    return make


def amend(node, folder, changes, **options):
    return amend_campaign(node, changes, folder / "changes.yaml", **options)


def test_an_amendment_keeps_state_structures_and_options(ended, folder):
    node = ended()
    builder, described = amend(node, folder, {"budget": {"labels": 44}})
    assert builder.settings["budget"]["labels"] == 44
    assert builder.settings["budget"]["turns"] == 3
    assert builder.predecessor["turn"].value == 2
    assert builder.predecessor["potential"].uuid == node.inputs.predecessor.potential.uuid
    assert builder.structures.uuid == node.inputs.structures.uuid
    assert builder.options.uuid == node.inputs.options.uuid
    assert not builder.predecessor["refit"].value
    assert "labels: 44" in described["text"]
    assert builder.amendment["settings"] == {"budget.labels": [20, 44]}


def test_a_start_without_labels_is_asked_for_again(ended, folder):
    node = ended()
    builder, _ = amend(node, folder, {"grades": {"gamma_select": 1.9}})
    assert builder.start.uuid == node.inputs.start.uuid
    builder, _ = amend(node, folder, {"seed": 5})  # which rattles other cells
    assert builder.start.uuid != node.inputs.start.uuid
    assert builder.predecessor["unlabelled"]["given_002"].uuid == node.inputs.start.uuid


def test_new_training_structures_join_those_that_are_labelled(ended, folder):
    more = [
        {"crystal": "fcc", "a": 3.7, "cubic": True, "rattle": 0.03},
        {"crystal": "bcc", "a": 2.9, "cubic": True},
    ]
    builder, _ = amend(ended(), folder, {"start": {"training": more}})
    assert builder.start.n_configurations == 1
    assert builder.start.get_configurations().n_atoms.tolist() == [2]


def test_a_higher_level_asks_for_a_fit(ended, folder):
    builder, _ = amend(ended(), folder, {"potential": {"level": 4}})
    assert builder.predecessor["refit"].value


def test_another_level_of_theory_is_refused_unless_it_is_forced_by_name(ended, folder):
    changes = {"label": {"calculator": "LennardJones", "settings": {"sigma": 2.3, "epsilon": 0.4}}}
    with pytest.raises(LevelOfTheoryError, match="--force level_of_theory"):
        amend(ended(), folder, changes)
    builder, _ = amend(ended(), folder, changes, forced=["level_of_theory"])
    forced = builder.predecessor["training"]["turn_000"]
    assert "LennardJones" in forced.level_of_theory
    assert is_forced(forced)
    assert forced.creator.inputs.configurations.level_of_theory != forced.level_of_theory
    assert builder.amendment["forced"] == ["level_of_theory"]


def test_mistakes_in_the_changes_are_named_by_their_file(ended, folder):
    with pytest.raises(CampaignFileError, match=r"changes\.yaml: unknown key budget\.label"):
        amend(ended(), folder, {"budget": {"label": 3}})


def test_a_campaign_without_a_file_cannot_be_amended_by_one(ended, folder):
    node = ended()
    node.base.extras.delete(EXTRA)
    with pytest.raises(SettingError, match="not submitted from a campaign file"):
        amend(node, folder, {"seed": 5})


@pytest.mark.parametrize(
    ("status", "budget", "error"),
    [
        (0, {}, SettingError),
        (201, {}, SettingError),
        (501, {}, BudgetError),
        (501, {"labels": 20}, BudgetError),
        (501, {"turns": 9}, BudgetError),
        (502, {"labels": 90}, BudgetError),
        (503, {}, SettingError),
    ],
)
def test_going_on_is_refused_where_it_would_end_at_once(ended, status, budget, error):
    with pytest.raises(error, match="alpot"):
        require_more(ended(status=status), budget)


@pytest.mark.parametrize(
    ("status", "budget"),
    [(None, {}), (504, {}), (302, {}), (501, {"labels": 21}), (502, {"turns": 4})],
)
def test_what_was_stopped_killed_or_spent_may_go_on(ended, status, budget):
    require_more(ended(status=status), budget)


def test_a_chain_of_successors_is_one_entry(ended):
    first = ended()
    second = ended(predecessor=first)
    third = ended(predecessor=second)
    alone = ended()
    assert chains_of([alone, third, first, second]) == [[alone], [first, second, third]]
    assert successor_of(first) == second
    assert successor_of(third) is None


def test_paused_processes_are_counted_by_their_reason(ended):
    node = ended()
    running = orm.WorkChainNode(process_type="aiida.workflows:alpot.campaign").store()
    assert paused_processes(node) == paused_processes(running) == []
    running.pause()
    running.set_process_status("Pausing after failed transport task")
    (paused,) = paused_processes(running)
    told = "1 process is paused because: Pausing after failed transport task"
    assert describe_paused([paused]) == told
