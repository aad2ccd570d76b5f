# SPDX-License-Identifier: MIT
"""Starts that belong together share a job, and are looked at before anything is submitted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write

from aiida_alpot.campaign import load_campaign
from aiida_alpot.campaign.settings import starts_per_job
from aiida_alpot.errors import GeometryError

HOT = "- {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}"
BULK = "    bulk: {crystal: fcc, a: 3.6, cubic: true}\n"


def jumps(n_paths, *, edges=(3.6, 3.6)):
    """Ends of jumps into a vacancy, start and end in turn."""
    ends = []
    for _ in range(n_paths):
        for edge, removed in zip(edges, (0, 1), strict=True):
            atoms = bulk("Cu", a=edge, cubic=True) * (2, 1, 1)
            if removed:
                atoms.positions[1] = atoms.positions[0]
            del atoms[0]
            ends.append(atoms)
    return ends


@pytest.fixture
def campaign_of(write_campaign, tmp_path):
    def write_and_load(ends, *, per_job=1, chosen="jumps"):
        write(tmp_path / "jumps.xyz", ends, format="extxyz")
        entry = (
            f"- {{name: barriers, kind: path_search, starts: [{chosen}], "
            f"starts_per_job: {per_job}, images: 3}}"
        )
        path = write_campaign((HOT, entry), (BULK, BULK + "    jumps: {file: jumps.xyz}\n"))
        return load_campaign(path)

    return write_and_load


@pytest.mark.parametrize(("asked", "given"), [(1, 2), (2, 2), (3, 4), (4, 4)])
def test_a_job_of_a_path_search_has_whole_pairs(campaign_of, asked, given):
    [entry] = campaign_of(jumps(3), per_job=asked).as_settings()["explore"]
    assert entry["starts_per_job"] == given
    assert entry["starts"] == [f"jumps_{i:03d}" for i in range(6)]


@pytest.mark.parametrize(
    ("kind", "asked", "given"), [("molecular_dynamics", 3, 3), ("path_search", 5, 6)]
)
def test_only_starts_that_belong_together_are_kept_together(kind, asked, given):
    assert starts_per_job(kind, asked, 7) == given


def test_a_dry_run_says_what_a_path_search_does(campaign_of, tmp_path):
    campaign = campaign_of(jumps(1))
    done = subprocess.run(
        [Path(sys.executable).with_name("alpot"), "run", campaign.path, "--dry-run"],
        env={**os.environ, "AIIDA_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "barriers: search for the saddle point between pairs of starts" in done.stdout
    assert "from jumps_000, jumps_001" in done.stdout


@pytest.mark.parametrize(
    ("ends", "chosen", "message"),
    [
        (
            jumps(1)[:1] + jumps(1),
            "jumps",
            r"explore\[0\].starts: The number of starts of a path search is 3",
        ),
        (jumps(1, edges=(3.6, 3.7)), "jumps", "jumps_000 and jumps_001 are the ends of a path"),
        (jumps(1), "jumps, bulk", "a path search is 3"),
    ],
)
def test_starts_that_are_nothing_for_their_sampler_are_refused_at_once(
    campaign_of, ends, chosen, message
):
    with pytest.raises(GeometryError, match=message):
        campaign_of(ends, chosen=chosen)
