# SPDX-License-Identifier: MIT
"""The key ``restart`` of a sampler: who may have it, and what becomes of it."""

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.errors import CampaignFileError
from aiida_alpot.sampling.registry import SAMPLERS
from aiida_alpot.sampling.restarting import can_go_on

HOT = "- {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}"
OTHERS = sorted(kind for kind, (sampler, _) in SAMPLERS.items() if not can_go_on(sampler))


@pytest.fixture
def explored(write_campaign):
    """Load a campaign with one sampler and return its settings."""

    def load(entry):
        return load_campaign(write_campaign((HOT, entry))).as_settings()["explore"]

    return load


def test_chains_begin_at_their_starts_unless_the_campaign_says_otherwise(explored):
    [entry] = explored(HOT)
    assert entry["restart"] == "start"
    [entry] = explored(HOT.replace("steps: 10", "steps: 10, restart: last_good_frame"))
    assert entry["restart"] == "last_good_frame"
    assert "restart" not in entry["sampler"]


@pytest.mark.parametrize(
    "kind", sorted(kind for kind, (one, _) in SAMPLERS.items() if not can_go_on(one))
)
def test_a_sampler_whose_chains_cannot_go_on_is_refused_with_those_that_can(explored, kind):
    with pytest.raises(CampaignFileError) as raised:
        explored(f"- {{name: made, kind: {kind}, starts: [bulk], restart: last_good_frame}}")
    message = str(raised.value)
    assert "explore[0].restart" in message
    assert f"start for {kind}" in message
    assert "molecular_dynamics, relaxation, metadynamics, contour_exploration" in message


def test_another_word_is_refused(explored):
    with pytest.raises(CampaignFileError, match="start or last_good_frame"):
        explored(HOT.replace("steps: 10", "steps: 10, restart: last"))
