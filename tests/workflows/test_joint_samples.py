# SPDX-License-Identifier: MIT
"""The two ends of a path reach one job, which finds the saddle point between them."""

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.sample import SampleWorkChain


@pytest.fixture(scope="module")
def sampled(alpot_code, campaign_settings):
    start = bulk("Cu", a=3.5898, cubic=True)
    end = start.copy()
    end.positions[1] = start.positions[0]
    ends = [start, end]
    for atoms in ends:
        del atoms[0]
    barriers = {
        "name": "barriers",
        "starts": ["start", "end"],
        "sampler": {"kind": "path_search", "images": 3, "fmax": 0.05},
        "max_frames": 4,
        "record_every": 1,
        "starts_per_job": 2,
    }
    exploration = {"calculator": {"ase": "EMT", "settings": {}}, "explore": [barriers], "labels": 5}
    builder = SampleWorkChain.get_builder()
    builder.settings = orm.Dict({**campaign_settings(), "exploration": exploration})
    builder.structures = ConfigurationsData.from_configurations(
        Configurations.from_atoms(ends, identifiers=["start", "end"])
    )
    builder.code = alpot_code
    builder.turn = orm.Int(0)
    return run_get_node(builder).node


def test_a_pair_of_starts_is_one_job(sampled):
    assert sampled.exit_status == 0, sampled.exit_message
    assert list(sampled.outputs.results) == ["barriers_000"]


def test_the_job_says_which_saddle_point_it_found(sampled):
    start, end = sampled.outputs.results.barriers_000["chains"]
    assert (start["chain"], start["stop"]) == ("start", "converged")
    assert "saddle point" in start["reason"]
    assert (end["chain"], end["stop"]) == ("end", "converged")


def test_frames_of_the_path_are_candidates(sampled):
    candidates = sampled.outputs.candidates.barriers_000.get_configurations()
    assert set(candidates.chain) == {"start", "end"}
    assert set(candidates.sampler) == {"barriers"}


def test_the_saddle_point_and_the_relaxed_end_are_handed_out(sampled):
    found = sampled.outputs.found.barriers_000
    told = sampled.outputs.results.barriers_000["found"]
    saddle, end = found.get_configurations()
    assert [one["name"] for one in told] == ["start", "end"]
    for atoms, one in zip((saddle, end), told, strict=True):
        atoms.calc = EMT()
        assert atoms.get_potential_energy() / len(atoms) == pytest.approx(one["energy"], abs=1e-9)
    assert 0.3 < 3 * (told[0]["energy"] - told[1]["energy"]) < 1.5, "a barrier of copper, eV"
    assert found.creator.process_label == "SampleCalculation"
