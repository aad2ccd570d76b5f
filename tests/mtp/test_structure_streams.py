# SPDX-License-Identifier: MIT
"""Files read and written part by part hold what they hold when read and written at once."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest
from ase.build import bulk, molecule

from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import EmptyDataError, InputFileError, LevelOfTheoryError
from aiida_alpot.jobs.run import run_request
from aiida_alpot.mtp import initial_potential, write_potential
from aiida_alpot.mtp.structure_files import read_configurations, write_configurations
from aiida_alpot.mtp.structure_streams import (
    ConfigurationsWriter,
    stream_configurations,
    write_stream,
)


def labelled(n: int) -> Configurations:
    """Crystals of 1 to 8 atoms and a molecule, some with labels, origins and long names."""
    rng = np.random.default_rng(0)
    structures = [bulk("Cu", a=3.6, cubic=index % 3 == 0) * (1, 1, 2) for index in range(n - 1)]
    bare = Configurations.from_atoms(
        [*structures, molecule("CH4")],
        identifiers=[f"{index:0{index % 7 + 1}d}" for index in range(n)],
        origins=[Origin(index % 4, "md", f"chain {index % 5}", index, 1.5) for index in range(n)],
    )
    return bare.replace(
        energy=np.where(np.arange(n) % 5 == 0, np.nan, rng.standard_normal(n)),
        forces=rng.standard_normal(bare.forces.shape),
        stress=np.where(bare.pbc.all(axis=1)[:, None], rng.standard_normal((n, 6)), np.nan),
        level_of_theory=json.dumps({"code": "none"}),
    )


def assert_equal(one: Configurations, other: Configurations) -> None:
    for field in dataclasses.fields(Configurations):
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(other, field.name), err_msg=field.name
        )


@pytest.mark.parametrize("suffix", [".npz", ".cfg", ".xyz", ".extxyz", ".traj"])
@pytest.mark.parametrize("atoms_per_part", [1, 30, 10**6])
def test_the_parts_of_a_file_are_the_file(suffix, atoms_per_part, tmp_path):
    path = tmp_path / f"set{suffix}"
    write_configurations(labelled(40), path, species=("Cu", "C", "H"))
    whole = read_configurations(path)
    parts = list(stream_configurations(path, atoms_per_part=atoms_per_part))
    assert_equal(concatenate(parts), whole)
    most = max(atoms_per_part, int(whole.n_atoms.max()))
    assert all(part.offsets[-1] <= most for part in parts)
    assert (len(parts) == 1) == (atoms_per_part == 10**6)


def test_structures_without_a_name_are_numbered_through_the_file(tmp_path):
    path = tmp_path / "bare.xyz"
    path.write_text("1\n\nCu 0 0 0\n" * 7)
    parts = list(stream_configurations(path, atoms_per_part=3))
    names = [name for part in parts for name in part.identifier]
    assert names == [str(index) for index in range(7)]


@pytest.mark.parametrize("atoms_per_part", [1, 50, 10**6])
def test_a_set_written_in_parts_is_the_same_file(atoms_per_part, tmp_path):
    labelled(40).save(tmp_path / "whole.npz")
    parts = stream_configurations(tmp_path / "whole.npz", atoms_per_part=atoms_per_part)
    with ConfigurationsWriter(tmp_path / "parts.npz") as writer:
        for part in parts:
            writer.write(part)
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.npz", "whole.npz"]


@pytest.mark.parametrize("suffix", [".npz", ".cfg", ".xyz", ".traj"])
def test_a_stream_is_written_as_the_whole_set(suffix, tmp_path):
    labelled(20).save(tmp_path / "given.npz")
    species = ("Cu", "C", "H")
    write_configurations(labelled(20), tmp_path / f"whole{suffix}", species=species)
    parts = stream_configurations(tmp_path / "given.npz", atoms_per_part=9)
    write_stream(parts, tmp_path / f"parts{suffix}", species=species)
    whole = read_configurations(tmp_path / f"whole{suffix}")
    assert_equal(read_configurations(tmp_path / f"parts{suffix}"), whole)


def test_the_order_of_arrays_in_memory_leaves_no_trace(tmp_path):
    one = labelled(9)
    other = one.replace(forces=np.asfortranarray(one.forces), cells=np.asfortranarray(one.cells))
    assert other.to_bytes() == one.to_bytes()
    arrays = {field.name: getattr(other, field.name) for field in dataclasses.fields(other)}
    np.savez_compressed(tmp_path / "by_columns.npz", schema=np.array(1), **arrays)
    parts = list(stream_configurations(tmp_path / "by_columns.npz", atoms_per_part=5))
    assert_equal(concatenate(parts), one)


def test_an_error_on_the_way_leaves_no_file(tmp_path):
    def fail() -> None:
        with ConfigurationsWriter(tmp_path / "out.npz") as writer:
            writer.write(labelled(3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(share, tmp_path):
    labelled(40).save(tmp_path / "whole.npz")
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputFileError, match=r"cut\.npz.*truncated"):
        list(stream_configurations(tmp_path / "cut.npz"))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputFileError, match="no such file"):
        list(stream_configurations(tmp_path / "absent.xyz"))
    np.savez(tmp_path / "other.npz", schema=np.array(1), numbers=np.zeros(3))
    with pytest.raises(InputFileError, match="not a file of configurations"):
        list(stream_configurations(tmp_path / "other.npz"))
    (tmp_path / "empty.xyz").write_text("")
    with pytest.raises(EmptyDataError, match="at least one"):
        list(stream_configurations(tmp_path / "empty.xyz"))
    (tmp_path / "cut.cfg").write_text("BEGIN_CFG\n Size\n 1\n")
    with pytest.raises(InputFileError, match=r"cut\.cfg"):
        list(stream_configurations(tmp_path / "cut.cfg"))


def test_several_levels_of_theory_in_one_file_are_refused(tmp_path):
    one = labelled(4)
    write_configurations(one, tmp_path / "one.xyz")
    write_configurations(one.replace(level_of_theory="{}"), tmp_path / "two.xyz")
    text = (tmp_path / "one.xyz").read_text() + (tmp_path / "two.xyz").read_text()
    (tmp_path / "both.xyz").write_text(text)
    with pytest.raises(LevelOfTheoryError, match="several levels"):
        list(stream_configurations(tmp_path / "both.xyz", atoms_per_part=10))


def test_the_memory_of_an_evaluation_does_not_grow_with_the_file(tmp_path):
    potential = initial_potential(
        2, 3.0, species=["Cu"], min_distance=2.0, rng=np.random.default_rng(0)
    )
    cells = Configurations.from_atoms([bulk("Cu", a=3.6, cubic=True) * (1, 1, 2)] * 50)
    peaks = {}
    for n_copies in (2, 60, 240):  # the first compiles
        folder = tmp_path / str(n_copies)
        folder.mkdir()
        cells.select(np.tile(np.arange(50), n_copies)).save(folder / "set.npz")
        write_potential(potential, folder / "potential.mtp")
        request = {"job": "evaluate", "potential": "potential.mtp", "configurations": "set.npz"}
        (folder / "request.json").write_text(json.dumps({"schema": 1, **request}))
        tracemalloc.start()
        result = run_request(folder)
        peaks[n_copies] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert result["errors"]["n_configurations"] == 50 * n_copies
    assert peaks[240] < 1.1 * peaks[60]
