# SPDX-License-Identifier: MIT
"""What the gate refuses is in the ledger, and what failed for good is not asked for again."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory, WorkflowFactory

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.label.quarantine import find_quarantined, is_own_fault
from aiida_alpot.workflows.label.skipped import list_skipped, skipped_entries
from aiida_alpot.workflows.records import count_entries, count_spent

LEVEL = '{"calculator":"EMT","settings":{"asap_cutoff":true}}'


@pytest.fixture(scope="module")
def failed_for_good(copper_cells, alpot_code):
    """One cell of iron, which EMT does not know, beside one of copper."""
    iron = copper_cells.select([1]).replace(
        numbers=np.full(32, 26, dtype=np.int32), identifier=np.array(["iron"])
    )
    both = Configurations.from_atoms([copper_cells.atoms(0), iron.atoms(0)])
    builder = WorkflowFactory("alpot.label.ase").get_builder()
    builder.code = alpot_code
    builder.configurations = ConfigurationsData.from_configurations(both)
    calculator = {"name": "EMT", "settings": {"asap_cutoff": True}}
    section = {"workchain": "ase", "calculator": calculator, "level_of_theory": LEVEL}
    builder.settings = orm.Dict({"label": section})
    return run_get_node(builder).node


def settings(level=LEVEL, **gate):
    return {"gate": gate, "label": {"level_of_theory": level}}


def test_what_failed_for_good_is_an_output_of_its_own(failed_for_good):
    assert failed_for_good.exit_status == 0
    quarantined = failed_for_good.outputs.quarantined
    assert quarantined.get_configurations().identifier.tolist() == ["iron"]
    assert (quarantined.level_of_theory, quarantined.n_labelled) == (LEVEL, 0)
    copper, iron = failed_for_good.outputs.ledger["entries"]
    assert (iron["status"], iron["quarantined"]) == ("failed", True)
    assert not copper.get("quarantined")


def test_campaigns_of_the_same_level_find_it_unless_they_ask_not_to(failed_for_good):
    found = find_quarantined(settings())
    assert [node.uuid for node in found.values()] == [failed_for_good.outputs.quarantined.uuid]
    assert set(found) == {"set_000"}
    assert find_quarantined(settings(quarantine_distance=0.02)) != {}
    assert find_quarantined(settings(quarantine_distance=None)) == {}
    assert find_quarantined(settings(level="another")) == {}


@pytest.mark.parametrize(
    ("cause", "alone", "expected"),
    [
        ("crashed", False, True),
        ("unconverged", False, True),
        ("failed", False, True),
        ("out of time", True, True),
        ("out of time", False, False),
        ("out of memory", True, True),
        ("lost", True, False),
        ("not reached", False, False),
        ("refused", True, False),
        ("truncated", True, False),
        ("", True, False),
    ],
)
def test_only_what_is_the_fault_of_the_configuration_is_quarantined(cause, alone, expected):
    assert is_own_fault(cause, alone=alone) is expected


def test_an_error_of_every_configuration_is_that_of_the_set_up():
    assert not is_own_fault("failed", alone=True, works=False)
    assert is_own_fault("crashed", alone=True, works=False)


@pytest.fixture(scope="module")
def selection(failed_for_good, copper_cells, labelled_copper, alpot_code):
    """A job that is offered the iron again, a copy of it, and a frame with overlapping atoms."""
    iron = failed_for_good.outputs.quarantined.get_configurations()
    near = iron.replace(positions=iron.positions + 1e-3, identifier=np.array(["near iron"]))
    overlapping = copper_cells.select([3]).replace(identifier=np.array(["overlapping"]))
    positions = overlapping.positions.copy()
    positions[1] = positions[0] + 0.3
    candidates = concatenate(
        [
            iron,
            near,
            overlapping.replace(positions=positions),
            copper_cells.select([2]).replace(positions=copper_cells.positions[64:96] * 1.02),
        ]
    )
    builder = CalculationFactory("alpot.select").get_builder()
    builder.code = alpot_code
    builder.candidates = {"nvt_000": ConfigurationsData.from_configurations(candidates)}
    builder.training = {"turn_000": ConfigurationsData.from_configurations(labelled_copper)}
    builder.quarantined = find_quarantined(settings())
    builder.settings = orm.Dict(
        {"species": ["Cu", "Fe"], "level": 4, "cutoff": 4.5, "mode": "neighborhood", "limit": 4}
    )
    return run_get_node(builder).node


def test_the_select_job_refuses_what_is_quarantined(selection):
    assert selection.exit_status == 0
    verdicts = {one["identifier"]: one["verdict"] for one in selection.outputs.result["candidates"]}
    assert [verdicts[name] for name in ("iron", "near iron", "overlapping")] == [
        "quarantined",
        "quarantined",
        "distance",
    ]
    assert selection.outputs.selected.n_configurations <= 1


def test_each_refusal_is_an_entry_of_a_ledger_that_costs_nothing(selection):
    ledger = list_skipped(selection.outputs.result, orm.Int(4))
    entries = ledger["entries"]
    assert [entry["rule"] for entry in entries] == ["quarantined", "quarantined", "distance"]
    assert {(entry["status"], entry["turn"], entry["node"]) for entry in entries} == {
        ("skipped", 4, selection.uuid)
    }
    assert len({entry["hash"] for entry in entries}) == 3
    assert count_entries(entries)["n_skipped"] == 3
    assert count_spent(entries) == 0


def test_refusals_that_are_not_listed_are_counted():
    listed = {"identifier": "a", "hash": "h", "rule": "distance", "reason": "r"}
    result = {"refused": [listed], "refused_unlisted": {"near_duplicate": 7}}
    entries = skipped_entries(result, 1, None)
    assert [(entry["rule"], entry.get("count", 1)) for entry in entries] == [
        ("distance", 1),
        ("near_duplicate", 7),
    ]
    assert count_entries(entries)["n_skipped"] == 8
