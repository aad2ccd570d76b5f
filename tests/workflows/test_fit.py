# SPDX-License-Identifier: MIT
"""Fits of a campaign, from scratch and from a potential."""

import numpy as np
from aiida import orm

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.fit import FitWorkChain


def run_fit(alpot_code, settings, labelled, *, turn, initial=None):
    from aiida.engine import run_get_node

    builder = FitWorkChain.get_builder()
    builder.code = alpot_code
    builder.settings = orm.Dict(settings)
    builder.turn = orm.Int(turn)
    builder.training = {"turn_000": ConfigurationsData.from_configurations(labelled)}
    if initial is not None:
        builder.initial = initial
    return run_get_node(builder).node


def test_only_a_fit_with_a_parent_is_pulled_and_keeps_values(
    alpot_code, campaign_settings, labelled_copper
):
    settings = campaign_settings()
    settings["potential"]["level"] = 4
    settings["fit"] |= {"pull": 0.5, "frozen": ["radial"], "max_iterations": 3}
    first = run_fit(alpot_code, settings, labelled_copper, turn=0)
    assert first.is_finished_ok, first.exit_message
    request = first.called[0].inputs.settings.get_dict()
    assert request["pull"] is None
    assert request["frozen"] == []
    second = run_fit(alpot_code, settings, labelled_copper, turn=1, initial=first.outputs.potential)
    assert second.is_finished_ok, second.exit_message
    request = second.called[0].inputs.settings.get_dict()
    assert request["pull"] == {"strength": 0.5}
    before, after = (one.outputs.potential.get_potential() for one in (first, second))
    assert np.array_equal(after.radial_coefficients, before.radial_coefficients)
    assert not np.array_equal(after.moment_coefficients, before.moment_coefficients)
