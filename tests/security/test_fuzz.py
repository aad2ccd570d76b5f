# SPDX-License-Identifier: MIT
"""Damaged files and noise end in one of our errors, soon, in little memory, and run nothing.

``make fuzz`` tries many more of the same inputs.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"
EXAMPLES = {"campaign": 25, "machines": 25, "configurations": 40, "streamed": 40}
NAMES = (
    *("campaign", "machines", "mtp", "almtp", "cfg", "configurations", "streamed", "active_set"),
    *("request", "result", "data.xyz", "data.traj", "POSCAR", "data.cif", "geometry.in"),
    *("data.pwi", "data.gen", "data.lammps-data", "data.pdb", "data.xsf", "OUTCAR"),
    *("vasprun.xml", "data.dump", "XDATCAR", "data.pwo"),
)


@pytest.fixture(scope="module")
def fuzzing():
    """The module ``benchmarks/fuzz.py``."""
    spec = importlib.util.spec_from_file_location("alpot_fuzz", SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def readers(fuzzing):
    return fuzzing.make_readers()


def test_every_reader_is_tried(readers):
    assert sorted(readers) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_end_in_our_own_errors(name, fuzzing, readers, tmp_path):
    reader, folder = readers[name], tmp_path.resolve()
    fuzzing.prepare_folder(folder)
    for content in reader.seeds:  # what is not damaged is accepted
        assert fuzzing.try_content(reader, content, folder) == ""
    fuzzing.prepare_folder(folder)
    outcomes = fuzzing.fuzz(reader, folder, examples=EXAMPLES.get(name, 60))
    assert sum(outcomes.values()) >= EXAMPLES.get(name, 60) // 2
    assert any(outcome.endswith("Error") for outcome in outcomes)


def test_the_guard_notices_what_a_reader_must_not_do(fuzzing, tmp_path, monkeypatch):
    import socket
    import subprocess
    import time

    monkeypatch.setattr(fuzzing, "LONGEST", 0.3)

    def hang(path):
        end = time.process_time() + 10
        while time.process_time() < end:
            pass

    def grow(path):
        return bytearray(3 * fuzzing.MOST_MEMORY)

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
        reader = fuzzing.Reader("file", act, (b"",))
        with pytest.raises(fuzzing.Finding, match=told):
            fuzzing.try_content(reader, b"", tmp_path.resolve())
