# SPDX-License-Identifier: MIT
"""``alpot select``: the rules by their names, test sets, and a pool before any potential."""

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.structure_files import read_configurations


@pytest.fixture(scope="module")
def pool(make_cells, tmp_path_factory):
    """A file of 30 cells, the last three strained much more than the others."""
    from aiida_alpot.configurations import concatenate

    path = tmp_path_factory.mktemp("pool") / "pool.npz"
    strange = make_cells(3, seed=4, rattle=0.25, strain=0.1)
    concatenate([make_cells(27, seed=3, rattle=0.02), strange]).save(path)
    return path


@pytest.fixture
def given(pool, potential, make_cells, tmp_path):
    from aiida_alpot.mtp.mlip_files import write_potential

    write_potential(potential, tmp_path / "cu.mtp")
    make_cells(10, seed=5, rattle=0.1, repeats=(2,)).save(tmp_path / "known.npz")
    # the coefficients of the potential are random, and so are the forces that the gate would cap
    return [tmp_path / "cu.mtp", pool, "--training", tmp_path / "known.npz", "--no-gate"]


@pytest.mark.parametrize(
    "method", ["maxvol", "tail", "uncertainty", "farthest_points", "cur", "random"]
)
def test_every_rule_has_its_name_on_the_command_line(method, given, figures_of, tmp_path):
    words = ["--method", method, "--limit", 2, "--mode", "neighborhood", "-o", "selected.npz"]
    figures = figures_of("select", *given, *words)
    assert figures["n_selected"] == len(Configurations.load(tmp_path / "selected.npz")) == 2


def test_the_tail_has_its_options(given, figures_of):
    words = ["select", *given, "--mode", "neighborhood", "--method", "tail", "-o", "f.npz"]
    few = figures_of(*words, "--tail-k", 1)["n_selected"]
    more = figures_of(*words, "--tail-k", 0.05)["n_selected"]
    others = figures_of(*words, "--tail-k", 0.05, "--tail-kind", "variance")["n_selected"]
    assert 0 < few < more
    assert others != more


def test_difficult_and_gentle_test_sets_are_written_and_kept_out(given, alpot, tmp_path):
    words = ["select", *given, "--method", "uncertainty", "--limit", 10, "-o", "chosen.npz"]
    tests = ["--difficult", "difficult.npz", "--gentle", "gentle.npz", "--gentle-size", 4]
    result = alpot(*words, *tests)
    assert result.exit_code == 0, result.output
    sets = [Configurations.load(tmp_path / name) for name in ("chosen.npz", "difficult.npz")]
    assert len(sets[1]) == round(0.2 * (len(sets[0]) + len(sets[1])))
    assert f"{len(sets[1])} difficult ones for tests" in result.output
    frozen = ["--frozen", "difficult.npz", "gentle.npz"]
    again = alpot(*words[:-1], "again.npz", *frozen)
    assert again.exit_code == 0, again.output
    tested = set(sets[1].hashes()) | set(Configurations.load(tmp_path / "gentle.npz").hashes())
    assert not tested & set(Configurations.load(tmp_path / "again.npz").hashes())


def test_from_a_pool_the_first_labels_are_chosen_without_a_potential(pool, figures_of, tmp_path):
    words = ["select", "--pool", pool, "--level", 6, "--cutoff", 5, "--limit", 8, "--no-gate"]
    figures = figures_of(*words, "-o", "first.xyz")
    assert figures["n_candidates"] == 30
    first = read_configurations(tmp_path / "first.xyz")
    assert len(first) == figures["n_selected"] == 8
    verdicts = [one["verdict"] for one in figures["candidates"]]
    assert verdicts[27:] == ["selected"] * 3
    np.testing.assert_array_equal(first.species, ["Cu"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pool", "POOL", "--level", 6, "--cutoff", 5], "--limit"),
        (["--pool", "POOL", "--limit", 5], "--level and --cutoff"),
        (["POOL", "POOL", "--pool", "POOL"], "takes the place of POTENTIAL"),
        (["POOL"], "Missing argument 'CANDIDATES', or --pool"),
        (["POOL", "POOL"], "Missing option '--training'"),
        (["POOL", "POOL", "--training", "POOL", "--level", 6], "are for --pool"),
        (["POOL", "POOL", "--test-fraction", 0.5], "--test-fraction needs --difficult"),
        (["POOL", "POOL", "--test-split", "chain"], "--test-split needs --difficult"),
        (["POOL", "POOL", "--gentle-size", 5], "--gentle-size needs --gentle"),
        (["POOL", "POOL", "--tail-k", 2], "--tail-k needs --method tail"),
    ],
)
def test_what_is_missing_is_said(words, message, pool, alpot):
    words = [pool if word == "POOL" else word for word in words]
    result = alpot("select", *words, "-o", "f.npz")
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("method", ["parity", "farthest_points", "random"])
def test_a_frame_whose_atoms_overlap_is_selected_only_where_that_is_asked_for(
    files, alpot, method, tmp_path
):
    from aiida_alpot.configurations import concatenate

    frames = read_configurations(files / "test.xyz")
    overlapped = frames.select([0])
    overlapped.positions[1] = overlapped.positions[0] + [0.6, 0.0, 0.0]
    concatenate([frames, overlapped]).save(tmp_path / "frames.npz")
    words = ["select", files / "potential.mtp", "frames.npz", "--training", files / "labelled.xyz"]
    words += ["--method", method, "--limit", 20, "-o", "chosen.npz"]
    result = alpot(*words)
    assert result.exit_code == 0, result.output
    assert "distance 1" in result.output
    assert "--no-gate takes them" in result.output
    taken = alpot(*words, "--no-gate")
    assert "refused" not in taken.output
    assert overlapped.hashes()[0] in Configurations.load(tmp_path / "chosen.npz").hashes()
