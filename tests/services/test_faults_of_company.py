# SPDX-License-Identifier: MIT
"""Several campaigns at once on one daemon: each ends as if it were alone."""

from __future__ import annotations

import pytest

from aiida_alpot.workflows.label.adoption import MARK

from .campaigns import end_of, forget, jobs_of
from .daemon import wait_for


@pytest.mark.full
def test_two_campaigns_at_once_end_as_each_does_alone(disturbed, started, tmp_path):
    with disturbed("two campaigns at once"):
        other = started(tmp_path / "other", seed=4)
    together = end_of(other)
    forget(other)
    assert end_of(started(tmp_path / "alone", seed=4)) == together


@pytest.mark.full
def test_the_same_campaign_twice_at_once_pays_for_no_label_twice(
    started, interference, undisturbed, tmp_path
):
    interference.hold("label")
    first = started(tmp_path / "first")
    interference.wait_held("label")
    twin = started(tmp_path / "twin")
    wait_for(twin, condition=is_labelling)
    interference.release("label")
    for node in (first, twin):
        outcome = end_of(node)
        assert outcome.potential == undisturbed.potential
        assert outcome.training == undisturbed.training
    # in later turns either may be the one that pays
    jobs = [job for node in (first, twin) for job in jobs_of(node, "label")]
    paid = sorted(one for job in jobs for one in job.base.extras.get(MARK)["hashes"])
    assert paid == sorted({dict(entry)["hash"] for entry in undisturbed.ledger})


def is_labelling(campaign):
    """Return whether the label WorkChain of a campaign waits for jobs."""
    return any(
        child.process_type.endswith("alpot.label.ase") and child.process_state.value == "waiting"
        for child in campaign.called
    )
