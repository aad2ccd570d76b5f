# SPDX-License-Identifier: MIT
"""Ancestors are found in time that grows with their number, not with that of the paths to them."""

from __future__ import annotations

import time

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_alpot.reports.ancestry import ancestors, trace_parents

N_TURNS = 30


def made_by(inputs, count):
    """Return data that a calculation made of others."""
    calculation = orm.CalcJobNode()
    for number, node in enumerate(inputs):
        calculation.base.links.add_incoming(node, LinkType.INPUT_CALC, f"input_{number}")
    calculation.store()
    made = []
    for number in range(count):
        one = orm.Data()
        one.base.links.add_incoming(calculation, LinkType.CREATE, f"output_{number}")
        made.append(one.store())
    return calculation, made


@pytest.fixture(scope="module")
def turns(aiida_profile):
    """A start, the calculations of many turns, and what the last one made.

    Each turn hands two data on to the next, by 2^30 paths in all.
    """
    start = orm.Data().store()
    calculations, handed = [], [start]
    for _ in range(N_TURNS):
        calculation, handed = made_by(handed, 2)
        calculations.append(calculation)
    return start, calculations, handed


def test_ancestors_are_all_that_went_before(turns):
    start, calculations, (last, twin) = turns
    found = ancestors(last.pk, trace_parents([last.pk]))
    assert {start.pk, *(one.pk for one in calculations)} <= found
    assert not {last.pk, twin.pk} & found
    assert len(found) == 1 + N_TURNS + 2 * (N_TURNS - 1)


def test_many_paths_take_no_time(turns):
    _, _, (last, _) = turns
    begun = time.process_time()
    ancestors(last.pk, trace_parents([last.pk]))
    assert time.process_time() - begun < 10


def test_one_trace_serves_several_nodes(turns):
    _, calculations, (last, twin) = turns
    parents = trace_parents([last.pk, twin.pk])
    assert ancestors(twin.pk, parents) == ancestors(last.pk, parents)
    assert ancestors(calculations[0].pk, parents) < ancestors(calculations[1].pk, parents)


def test_what_was_made_of_nothing_has_no_ancestors(turns):
    start, _, _ = turns
    assert ancestors(start.pk, trace_parents([start.pk])) == set()
