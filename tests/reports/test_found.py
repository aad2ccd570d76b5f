# SPDX-License-Identifier: MIT
"""What the searches of the last turn found, with the potential and the job that it comes from."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.reports.found import describe_found, found_by_searches


def process(name, caller=None, package="alpot", **inputs):
    node = orm.WorkChainNode(process_type=f"aiida.workflows:{package}.{name}")
    for label, given in inputs.items():
        node.base.links.add_incoming(given.store(), LinkType.INPUT_WORK, label)
    if caller is not None:
        link = f"{name}_{len(caller.called)}"
        node.base.links.add_incoming(caller, LinkType.CALL_WORK, link)
    return node.store()


def searched(turn, number, energies):
    """Add a sample to a turn, whose search found copper at these lattice constants."""
    sample = process("sample", turn, turn=orm.Int(number))
    names = [f"child_{index}" for index in range(len(energies))]
    cells = [bulk("Cu", a=3.6 + energy / 100) for energy in energies]
    result = {
        "found": [
            {"name": name, "energy": energy} for name, energy in zip(names, energies, strict=True)
        ]
    }
    outputs = {
        "found__search_000": ConfigurationsData.from_configurations(
            Configurations.from_atoms(cells, identifiers=names)
        ),
        "results__search_000": orm.Dict(result),
    }
    for label, node in outputs.items():
        node.store().base.links.add_incoming(sample, LinkType.RETURN, label)
    return outputs["found__search_000"]


@pytest.fixture
def campaign(aiida_profile):
    return process("campaign", package="test")  # which those who list campaigns do not meet


def test_the_last_turn_with_a_search_counts(campaign):
    learn = process("learn", campaign)
    searched(process("turn", learn), 1, [-3.5])
    last = searched(process("turn", learn), 2, [-3.7, -3.6])
    process("turn", learn)  # has only begun
    [found] = found_by_searches(campaign)
    assert (found.job, found.turn, found.node.uuid) == ("search_000", 2, last.uuid)
    assert describe_found([found]) == {
        "search_000": {
            "turn": 2,
            "potential": "",
            "structures": last.uuid,
            "energies_eV_per_atom": {"child_0": -3.7, "child_1": -3.6},
        }
    }


def test_a_campaign_without_a_search_found_nothing(campaign):
    process("turn", process("learn", campaign))
    assert found_by_searches(campaign) == []
    assert describe_found([]) == {}
