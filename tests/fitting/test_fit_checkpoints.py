# SPDX-License-Identifier: MIT
"""A fit that was interrupted goes on to the same bits as one that was not."""

import json
import os
import signal

import pytest

from aiida_alpot.errors import InputFileError
from aiida_alpot.fitting.nonlinear import SearchState
from aiida_alpot.jobs.checkpoints import read_checkpoint

from .data import emt_set

FIT = {
    "job": "fit",
    "training": ["a.npz"],
    "level": 6,
    "cutoff": 4.5,
    "tolerance": 1e-6,
    "max_iterations": 8,
    "checkpoint_seconds": 1e6,
    "active_set": {"mode": "neighborhood"},
}
KINDS = {
    "projection": {"n_starts": 2},
    "matrix-free": {"method": "matrix-free", "threads": 2},
    "preliminary": {"n_starts": 4, "max_iterations": 4},
    "robust": {"robust": 3.0, "max_iterations": 4},
    "committee": {"committee": {"members": 2}, "max_iterations": 4},
    "going on": {"initial": "parent.mtp", "frozen": ["species"], "pull": {"strength": 1e-4}},
    "free atoms": {"atomic_energies": {"Cu": -0.5}, "zbl": {}, "max_iterations": 4},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory, run_job):
    folder = tmp_path_factory.mktemp("data")
    emt_set(12, seed=1).save(folder / "a.npz")
    emt_set(3, seed=2).save(folder / "b.npz")
    run_job(folder, **{**FIT, "level": 4, "training": ["b.npz"], "max_iterations": 3})
    (folder / "potential.mtp").rename(folder / "parent.mtp")
    return folder


@pytest.fixture
def job(run_job, tmp_path, data):
    def run(name, **keys):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file in ("a.npz", "b.npz", "parent.mtp"):
            (folder / file).write_bytes((data / file).read_bytes())
        return run_job(folder, **{**FIT, **keys}), folder

    return run


def numbers_of(result):
    return {key: value for key, value in result.items() if key not in {"seconds", "versions"}}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_fit_that_is_interrupted_again_and_again_ends_in_the_same_bits(
    job, kind, stop_after, monkeypatch
):
    if kind == "preliminary":
        monkeypatch.setattr("aiida_alpot.fitting.fit.part_step", lambda *_: 3)
    whole, folder = job("whole", **KINDS[kind])
    assert not (folder / "checkpoint.json").exists()
    stop_after(1, 3, 2, 6, 5)
    continued, parts, keys = {}, 0, dict(KINDS[kind])
    while True:
        continued, there = job(f"part_{parts}", **keys)
        if not continued.get("unfinished"):
            break
        assert not (there / "potential.mtp").exists()
        state = (there / "checkpoint.json").read_bytes()
        parts += 1
        (there.parent / f"part_{parts}").mkdir()
        (there.parent / f"part_{parts}" / "continue.json").write_bytes(state)
        keys = {**KINDS[kind], "checkpoint": "continue.json"}
    assert parts >= 3
    assert json.dumps(numbers_of(continued)) == json.dumps(numbers_of(whole))
    written = sorted(path.name for path in folder.glob("*potential*.mtp"))
    assert written
    for file in [*written, "active_set.npz"]:
        assert (there / file).read_bytes() == (folder / file).read_bytes()


def test_a_job_that_is_begun_again_in_its_folder_goes_on(job, stop_after, monkeypatch):
    whole, _ = job("whole")
    stop_after(4)
    assert job("again")[0]["unfinished"]
    examined = []
    from aiida_alpot.fitting import nonlinear

    original = nonlinear._Examiner.__call__

    def count(self, trial, after_foretold):
        examined.append(trial)
        return original(self, trial, after_foretold)

    monkeypatch.setattr(nonlinear._Examiner, "__call__", count)
    again, folder = job("again")
    assert numbers_of(again) == numbers_of(whole)
    n_continued = len(examined)
    examined.clear()
    job("other")
    assert len(examined) - n_continued >= 3
    assert not (folder / "checkpoint.json").exists()


def test_what_an_other_fit_left_in_the_folder_is_not_gone_on_from(job, stop_after):
    whole, _ = job("whole")
    stop_after(4)
    assert job("folder", seed=1, level=4)[0]["unfinished"]
    assert numbers_of(job("folder")[0]) == numbers_of(whole)
    (job("bad")[1] / "checkpoint.json").write_text("{", encoding="utf-8")
    assert numbers_of(job("bad")[0]) == numbers_of(whole)


def test_the_checkpoint_of_another_fit_is_refused(job, stop_after, tmp_path):
    stop_after(4)
    _, folder = job("one")
    (tmp_path / "two").mkdir()
    state = (folder / "checkpoint.json").read_bytes()
    (tmp_path / "two" / "continue.json").write_bytes(state)
    with pytest.raises(InputFileError, match="other data or with other settings"):
        job("two", checkpoint="continue.json", tolerance=1e-5)


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 2},
        {"job": "sample"},
        {"searches": 3},
        {"searches": [3]},
        {"searches": [{"losses": [], "damping": 1.0}]},
        {"searches": [{"losses": [1.0], "damping": 1.0, "trial": [1.0]}]},
        {"searches": [{"losses": [1.0], "damping": 1.0, "converged": True, "parameters": "x"}]},
    ],
)
def test_a_file_that_is_no_checkpoint_of_a_fit_is_refused(job, damage, stop_after, tmp_path):
    stop_after(4)
    state = read_checkpoint(job("one")[1] / "checkpoint.json")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "continue.json").write_text(json.dumps({**state, **damage}))
    with pytest.raises(InputFileError, match="checkpoint"):
        job("two", checkpoint="continue.json")


def test_a_fit_ends_before_its_wall_time_with_a_checkpoint(job):
    result, folder = job("short", stop_after_seconds=0.0)
    assert result["unfinished"]
    [search] = read_checkpoint(folder / "checkpoint.json")["searches"]
    assert len(search["losses"]) == 1


def test_a_fit_with_checkpoints_writes_one_at_a_signal_to_end(job, monkeypatch):
    from aiida_alpot.jobs import fit

    def interrupt(self, state: SearchState):
        if state.iteration == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(fit._Printer, "__call__", interrupt)
    result, folder = job("short")
    assert result["unfinished"]
    [search] = read_checkpoint(folder / "checkpoint.json")["searches"]
    assert len(search["losses"]) == 4
