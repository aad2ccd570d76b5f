# SPDX-License-Identifier: MIT
"""``alpot grade``: from files to grades."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import ActiveSetError, EmptyDataError, SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.grading.mlip_state import write_almtp
from aiida_alpot.mtp.mlip_files import write_potential


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(30, seed=1)


@pytest.fixture(scope="module")
def frames(make_cells):
    return make_cells(7, seed=2, rattle=0.1)


@pytest.fixture
def folder(tmp_path, potential, training, frames):
    write_potential(potential, tmp_path / "potential.mtp")
    training.save(tmp_path / "training.npz")
    frames.save(tmp_path / "frames.npz")
    return tmp_path


@pytest.fixture
def ask(folder, run_job):
    files = {"potential": "potential.mtp", "configurations": "frames.npz"}
    return partial(run_job, folder, job="grade", **files)


def test_grades_are_those_of_mlip_by_default(potential, training, frames, ask):
    result = ask(training=["training.npz"])
    active_set = build_active_set(potential, training, mode="configuration", method="parity")
    expected = ExtrapolationGrader(potential, active_set).grade(frames).per_configuration
    np.testing.assert_allclose(result["grades"], expected, rtol=1e-12)
    assert (result["mode"], result["method"]) == ("configuration", "parity")
    assert "per_atom" not in result


def test_by_neighborhood_there_is_a_list_of_grades_for_each_configuration(frames, ask):
    result = ask(training=["training.npz"], mode="neighborhood", method="projected")
    assert [len(grades) for grades in result["per_atom"]] == frames.n_atoms.tolist()
    assert [max(grades) for grades in result["per_atom"]] == result["grades"]


def test_an_active_set_from_a_file_gives_the_same_grades(folder, potential, training, ask):
    build_active_set(potential, training).save(folder / "active_set.npz")
    given = ask(active_set="active_set.npz")
    built = ask(training=["training.npz"], mode="neighborhood", method="projected")
    assert given["grades"] == built["grades"]


def test_the_active_set_in_the_file_of_the_potential_grades_where_no_other_is_given(
    folder, potential, training, ask
):
    active_set = build_active_set(potential, training, method="parity")
    active_set.save(folder / "active_set.npz")
    given = ask(active_set="active_set.npz")
    write_almtp(folder / "potential.almtp", potential, active_set)
    inside = ask(potential="potential.almtp")
    assert inside["grades"] == given["grades"]
    assert ask(potential="potential.almtp", active_set="potential.almtp") | {"seconds": 0} == (
        inside | {"seconds": 0}
    )


def test_an_active_set_of_another_potential_is_refused(folder, make_potential, training, ask):
    build_active_set(make_potential(8, seed=5), training).save(folder / "active_set.npz")
    with pytest.raises(ActiveSetError, match="another potential"):
        ask(active_set="active_set.npz")


def test_incomplete_requests_are_refused(folder, ask):
    with pytest.raises(SettingError, match="exactly one"):
        ask()
    with pytest.raises(SettingError, match="exactly one"):
        ask(training=["training.npz"], active_set="active_set.npz")
    Configurations.empty().save(folder / "frames.npz")
    with pytest.raises(EmptyDataError, match="to grade"):
        ask(training=["training.npz"])


def test_a_committee_grades_by_the_deviation_of_its_forces(folder, make_potential, frames, ask):
    members = [make_potential(6, seed=seed) for seed in range(3)]
    names = [f"potential_{number:03d}.mtp" for number in range(3)]
    for member, name in zip(members, names, strict=True):
        write_potential(member, folder / name)
    result = ask(committee=names)
    expected = CommitteeGrader(members).grade(frames)
    assert result["grader"] == "committee"
    assert result["n_members"] == 3
    np.testing.assert_allclose(result["grades"], expected.per_configuration, rtol=1e-12)
    assert [max(grades) for grades in result["per_atom"]] == result["grades"]
    with pytest.raises(SettingError, match="Either a committee grades or an active set"):
        ask(committee=names, training=["training.npz"])
    with pytest.raises(SettingError, match="committee of 1"):
        ask(committee=names[:1])
