# SPDX-License-Identifier: MIT
"""Damaged files and noise end in one of our errors, soon, in little memory, and run nothing.

``make fuzz`` tries many more of the same inputs.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest
import yaml

from aiida_alpot.campaign.schema import CampaignFile
from aiida_alpot.jobs.run import JOBS

FOLDER = Path(__file__).parents[2] / "benchmarks"
YAML = ("campaign", "changes", "machines")
EXAMPLES = {**dict.fromkeys(YAML, 25), "configurations": 40, "streamed": 40}
NAMES = (
    *(*YAML, "mtp", "almtp", "cfg", "configurations", "streamed", "active_set"),
    *("request", "result", "progress", "fit_checkpoint", "sample_checkpoint"),
    *("vasp_run", "vasp_facts", "data.xyz", "data.traj", "POSCAR", "data.cif", "geometry.in"),
    *("data.pwi", "data.gen", "data.lammps-data", "data.pdb", "data.xsf", "OUTCAR"),
    *("vasprun.xml", "data.dump", "XDATCAR", "data.pwo"),
)
NEVER_REFUSED = ("progress", "vasp_facts")
"""Readers that pass over what they cannot read."""


@pytest.fixture(scope="module")
def fuzzing():
    """The modules of ``benchmarks/fuzz`` by their names."""
    sys.path.insert(0, str(FOLDER))
    names = ("campaign_files", "guard", "jobs", "readers", "trials")
    yield {name: importlib.import_module(f"fuzz.{name}") for name in names}
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def readers(fuzzing):
    return fuzzing["readers"].make_readers()


def test_every_reader_is_tried(readers):
    assert sorted(readers) == sorted(NAMES)


def test_the_requests_have_every_key_that_there_is(fuzzing):
    requests = {one["job"]: one for one in fuzzing["jobs"].REQUESTS}
    assert sorted(requests) == sorted(JOBS)
    for job, request in requests.items():
        wanted = importlib.import_module(f"aiida_alpot.jobs.{job}").REQUEST
        fields = {field.name for field in dataclasses.fields(wanted)}
        assert set(request) - {"job"} == fields, job


def test_the_whole_campaign_has_every_section_and_every_key_of_those_that_decide(fuzzing):
    content = yaml.safe_load(fuzzing["campaign_files"].WHOLE_CAMPAIGN)
    assert set(content) == set(CampaignFile.model_fields) - {"machines"}
    for name in ("potential", "budget", "converge"):
        section = CampaignFile.model_fields[name].annotation
        assert set(content[name]) == set(section.model_fields), name
    (carve, _) = CampaignFile.model_fields["carve"].annotation.__args__
    assert set(content["carve"]) == set(carve.model_fields)
    of_committee = {f"force_deviation_{one}" for one in ("entry", "select", "break")}
    of_others = {*of_committee, "target_error", "tail_k", "tail_kind"}
    grades = CampaignFile.model_fields["grades"].annotation.model_fields
    assert set(content["grades"]) == set(grades) - of_others


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_end_in_our_own_errors(name, fuzzing, readers, tmp_path):
    trials, reader, folder = fuzzing["trials"], readers[name], tmp_path.resolve()
    trials.prepare_folder(folder)
    for content in reader.seeds:  # what is not damaged is accepted
        assert trials.try_content(reader, content, folder) == ""
    trials.prepare_folder(folder)
    outcomes = trials.fuzz(reader, folder, examples=EXAMPLES.get(name, 60))
    assert sum(outcomes.values()) >= EXAMPLES.get(name, 60) // 2
    refused = any(outcome.endswith("Error") for outcome in outcomes)
    assert refused is (name not in NEVER_REFUSED)


def test_the_guard_notices_what_a_reader_must_not_do(fuzzing, tmp_path, monkeypatch):
    import socket
    import subprocess
    import time

    guard, trials = fuzzing["guard"], fuzzing["trials"]
    monkeypatch.setattr(guard, "LONGEST", 0.3)

    def hang(path):
        end = time.process_time() + 10
        while time.process_time() < end:
            pass

    def grow(path):
        return bytearray(3 * guard.MOST_MEMORY)

    def leave(path):
        Path("/etc/hostname").read_text(encoding="utf-8")

    def run(path):
        subprocess.run(["true"], check=True)

    def connect(path):
        with socket.socket() as one:
            one.settimeout(0.1)
            one.connect(("127.0.0.1", 9))

    def crash(path):
        raise IndexError("list index out of range")

    for act, told in (
        (hang, "takes more than"),
        (grow, "MemoryError"),
        (leave, "/etc/hostname"),
        (run, "subprocess"),
        (connect, "socket"),
        (crash, "IndexError"),
    ):
        reader = fuzzing["readers"].Reader("file", act, (b"",))
        with pytest.raises(guard.Finding, match=told):
            trials.try_content(reader, b"", tmp_path.resolve())
