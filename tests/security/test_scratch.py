# SPDX-License-Identifier: MIT
"""Folders of jobs on their computers: emptied where the job ended well, kept where it failed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_alpot.calculations import LabelCalculation
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.scratch import clean_folders


@pytest.fixture
def label(alpot_code, emt_level):
    """Label one crystal with EMT, which knows copper and not iron."""

    def run(symbol, a):
        cell = Configurations.from_atoms([bulk(symbol, a=a)])
        builder = LabelCalculation.get_builder()
        builder.code = alpot_code
        builder.configurations = ConfigurationsData.from_configurations(cell)
        calculator = {"name": "EMT", "settings": {}}
        builder.settings = orm.Dict({"calculator": calculator, "level_of_theory": emt_level})
        return run_get_node(builder).node

    return run


def folder_of(node):
    return Path(node.outputs.remote_folder.get_remote_path())


def test_folders_of_failed_jobs_are_kept_and_all_where_that_is_asked_for(label):
    good, bad = label("Cu", 3.6123), label("Fe", 2.8)
    assert good.is_finished_ok
    assert not bad.is_finished_ok
    reports = []
    process = SimpleNamespace(inputs={}, report=reports.append)
    keeping = SimpleNamespace(
        inputs={"options": orm.Dict({"label": {}, "keep_folders": True})}, report=reports.append
    )
    clean_folders(keeping, [good, bad])
    assert (folder_of(good) / "result.json").exists()
    clean_folders(process, [good, bad])
    assert not folder_of(good).exists()
    assert (folder_of(bad) / "result.json").exists()
    clean_folders(process, [good])  # what is gone already is no reason to complain
    assert reports == []


def test_a_computer_that_cannot_be_reached_is_told_of_and_stops_nothing(label, monkeypatch):
    node = label("Cu", 3.6234)
    reports = []

    def unreachable(self):
        raise OSError("connection refused")

    monkeypatch.setattr(orm.AuthInfo, "get_transport", unreachable)
    clean_folders(SimpleNamespace(inputs={}, report=reports.append), [node])
    assert reports == ["1 folders on localhost are not cleaned: connection refused"]
    assert folder_of(node).exists()
