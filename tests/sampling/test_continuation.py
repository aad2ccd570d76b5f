# SPDX-License-Identifier: MIT
"""A run that was interrupted goes on to the same bits as one that was not."""

import json

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import InputFileError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.jobs.checkpoints import Checkpoints, Interrupted, read_checkpoint
from aiida_alpot.mtp.mlip_files import write_potential

KINDS = {
    "langevin": {
        "kind": "molecular_dynamics",
        "temperature_K": [30, 90],
        "steps": 30,
        "timestep_fs": 0.02,
    },
    "bussi": {
        "kind": "molecular_dynamics",
        "temperature_K": 60,
        "steps": 30,
        "timestep_fs": 0.02,
        "thermostat": "bussi",
    },
    "nve": {
        "kind": "molecular_dynamics",
        "temperature_K": 60,
        "steps": 30,
        "timestep_fs": 0.02,
        "ensemble": "nve",
    },
    "npt": {
        "kind": "molecular_dynamics",
        "temperature_K": 60,
        "steps": 30,
        "timestep_fs": 0.02,
        "ensemble": "npt",
    },
    "flexible": {
        "kind": "molecular_dynamics",
        "temperature_K": 60,
        "steps": 30,
        "timestep_fs": 0.02,
        "ensemble": "npt",
        "cell": "flexible",
        "pressure_GPa": [0.0, 1.0],
    },
    "relaxation": {"kind": "relaxation", "steps": 12, "fmax": 1e-6},
    "metadynamics": {
        "kind": "metadynamics",
        "variables": ["distance 0 1", "coordination 2 3.0"],
        "temperature_K": 60,
        "steps": 30,
        "hill_every": 7,
        "timestep_fs": 0.02,
    },
    "contour": {
        "kind": "contour_exploration",
        "energy_above_start_eV_per_atom": [0.0, 0.001],
        "max_step_A": 0.01,
        "steps": 30,
    },
    "hyperactive": {
        "kind": "molecular_dynamics",
        "temperature_K": 60,
        "steps": 30,
        "timestep_fs": 0.02,
        "bias": {"kind": "grade", "tau_rel": 0.3, "tau_hist": 5},
    },
    "leaning_contour": {
        "kind": "contour_exploration",
        "energy_above_start_eV_per_atom": [0.0, 0.001],
        "max_step_A": 0.01,
        "steps": 30,
        "bias": {"kind": "grade", "gamma": 0.3},
    },
}


@pytest.fixture(scope="module")
def potential_folder(tmp_path_factory, potential, make_cells):
    folder = tmp_path_factory.mktemp("potential")
    write_potential(potential, folder / "potential.mtp")
    training = make_cells(3, seed=1)
    build_active_set(potential, training).save(folder / "active_set.npz")
    starts = make_cells(2, seed=2)
    starts.save(folder / "starts.npz")
    return folder


def request_of(folder, kind):
    return {
        "job": "sample",
        "calculator": {
            "potential": str(folder / "potential.mtp"),
            "active_set": str(folder / "active_set.npz"),
        },
        "sampler": KINDS[kind],
        "starts": "starts.npz",
        "seed": 7,
        "gamma_select": 1.01,
        "gamma_break": None,
        "record_every": 3,
        "max_frames": 4,
        "gamma_known": 5.0,
        "audit_frames": 3,
        "limits": {
            "max_energy_change": None,
            "max_temperature_K": None,
            "collision_distance": 0.01,
        },
    }


@pytest.fixture
def job(run_job, tmp_path, potential_folder):
    def run(name, kind, **keys):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file in ("potential.mtp", "active_set.npz", "starts.npz"):
            (folder / file).write_bytes((potential_folder / file).read_bytes())
        request = request_of(potential_folder, kind)
        request["calculator"] = {"potential": "potential.mtp", "active_set": "active_set.npz"}
        result = run_job(folder, **{**request, **keys})
        return result, folder

    return run


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_job_that_is_interrupted_again_and_again_ends_in_the_same_bits(job, kind, stop_after):
    _, folder = job("whole", kind)
    stop_after(7, 25, 4, 18)
    there = in_parts(job, "part", kind)
    part, whole = (
        json.loads((one / "result.json").read_text(encoding="utf-8")) for one in (there, folder)
    )
    for one, other in zip(part["chains"], whole["chains"], strict=True):
        assert json.dumps(one) == json.dumps(other)
    for file in ("candidates.npz", "audit.npz"):
        assert (there / file).read_bytes() == (folder / file).read_bytes()


@pytest.mark.parametrize("kind", ["langevin", "npt", "contour", "metadynamics"])
def test_a_job_that_is_interrupted_leaves_the_same_frames_to_go_on_from(job, kind, stop_after):
    sampled, _ = job("trial", kind)
    limit = 0.9 * min(one["largest_grade"] for one in sampled["chains"])
    keys = {"restart": "last_good_frame", "gamma_known": limit, "record_every": 1}
    keys |= {"gamma_break": max(limit, 1.01), "audit_frames": 2}
    _, folder = job("whole", kind, **keys)
    left = (folder / "restarts.npz").read_bytes()
    stop_after(2, 3, 1)
    assert (in_parts(job, "part", kind, **keys) / "restarts.npz").read_bytes() == left


def test_a_job_that_is_interrupted_finds_what_it_would_have_found(job, stop_after):
    sampler = {"kind": "relaxation", "steps": 60, "fmax": 0.05}
    keys = {"sampler": sampler, "found": True, "calculator": {"ase": "EMT"}}
    keys |= {"gamma_select": None, "gamma_known": None, "audit_frames": 0}
    told, folder = job("whole", "relaxation", **keys)
    assert len(told["found"]) == 2
    steps = [one["steps"] for one in told["chains"]]
    stop_after(2, steps[0] + 1)
    there = in_parts(job, "part", "relaxation", **keys)
    part = json.loads((there / "result.json").read_text(encoding="utf-8"))
    assert part["found"] == told["found"]
    assert (there / "found.npz").read_bytes() == (folder / "found.npz").read_bytes()


@pytest.mark.parametrize("kind", ["langevin", "npt", "contour", "metadynamics", "relaxation"])
def test_a_job_whose_chains_go_on_and_that_is_interrupted_ends_in_the_same_bits(
    job, kind, stop_after, potential_folder, tmp_path
):
    starts = Configurations.load(potential_folder / "starts.npz")
    moved = starts.positions + np.random.default_rng(3).normal(0.0, 0.01, starts.positions.shape)
    before = starts.replace(positions=moved, chain=starts.identifier, step=np.array([5, 9]))
    for name in ("whole", "part"):
        (tmp_path / name).mkdir()
        before.save(tmp_path / name / "before.npz")
    keys = {"restarts": "before.npz", "restart": "last_good_frame"}
    whole, folder = job("whole", kind, **keys)
    assert [one["first_step"] for one in whole["chains"]] == [5, 9]
    stop_after(4, 2, 11)
    there = in_parts(job, "part", kind, **keys)
    part = json.loads((there / "result.json").read_text(encoding="utf-8"))
    for file in ("candidates.npz", "audit.npz"):
        assert (there / file).read_bytes() == (folder / file).read_bytes()
    assert part["chains"] == json.loads((folder / "result.json").read_text())["chains"]


def in_parts(job, name, kind, **keys):
    """Run a job that is interrupted to its end; return its folder."""
    parts = 0
    while True:
        result, folder = job(name, kind, **keys)
        if not result.get("unfinished"):
            break
        (folder / "continue.json").write_bytes((folder / "checkpoint.json").read_bytes())
        keys["checkpoint"] = "continue.json"
        parts += 1
    assert parts >= 2
    return folder


def test_a_job_ends_before_its_wall_time_with_a_checkpoint(job):
    result, folder = job("short", "nve", stop_after_seconds=0.0)
    assert result["unfinished"]
    assert read_checkpoint(folder / "checkpoint.json")["chains"][0]["frames"] == 1


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"schema": 1}', '{"schema": 1, "chains": []}', '{"schema": 1, "chains": [7]}'],
)
def test_a_file_that_is_no_checkpoint_is_refused(job, tmp_path, content):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "continue.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError, match="heckpoint"):
        job("bad", "nve", checkpoint="continue.json")


def test_a_checkpoint_is_written_when_it_is_due_and_at_a_signal(tmp_path):
    import os
    import signal

    with Checkpoints(tmp_path, every=0.0) as checkpoints:
        checkpoints.offer(lambda: {"number": 0.1 + 0.2})
        assert read_checkpoint(checkpoints.path) == {"number": 0.1 + 0.2}
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted):
            checkpoints.offer(lambda: {"number": 2})
    assert read_checkpoint(checkpoints.path) == {"number": 2}
