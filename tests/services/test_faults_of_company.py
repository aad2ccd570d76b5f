# SPDX-License-Identifier: MIT
"""Several campaigns at once on one daemon: each ends as if it were alone."""

from __future__ import annotations

import pytest

from aiida_alpot.workflows.label.adoption import MARK

from .campaigns import end_of, forget, jobs_of, start_campaign
from .daemon import wait_for

CODE = "alpot_interfered@slurm"


@pytest.mark.full
def test_two_campaigns_at_once_end_as_each_does_alone(disturbed, tmp_path):
    with disturbed("two campaigns at once"):
        other = start_campaign(tmp_path / "other", CODE, seed=4)
    together = end_of(other)
    forget(other)
    other = start_campaign(tmp_path / "alone", CODE, seed=4)
    assert end_of(other) == together
    forget(other)


@pytest.mark.full
def test_labels_that_are_at_work_for_one_campaign_are_not_paid_by_another(
    disturbed, interference, undisturbed, tmp_path
):
    interference.hold("label")
    with disturbed("the same campaign twice at once") as node:
        interference.wait_held("label")
        twin = start_campaign(tmp_path / "twin", CODE)
        wait_for(twin, condition=is_labelling)
        interference.release("label")
    outcome = end_of(twin)
    assert outcome.potential == undisturbed.potential
    assert outcome.training == undisturbed.training
    jobs = [job for one in (node, twin) for job in jobs_of(one, "label")]
    asked = [one for job in jobs for one in job.base.extras.get(MARK)["hashes"]]
    first = {dict(entry)["hash"] for entry in undisturbed.ledger if dict(entry)["turn"] == 0}
    assert sorted(one for one in asked if one in first) == sorted(first)
    forget(twin)


def is_labelling(campaign):
    """Return whether the label WorkChain of a campaign waits for jobs."""
    return any(
        child.process_type.endswith("alpot.label.ase") and child.process_state.value == "waiting"
        for child in campaign.called
    )
