# SPDX-License-Identifier: MIT
"""A request is run where it stands, and its result says what happened and with which versions."""

import json

import numpy as np
import pytest
from ase.build import bulk

import aiida_alpot
from aiida_alpot import errors
from aiida_alpot.errors import InputFileError, LevelOfTheoryError, SettingError
from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.driver_errors import alpot_errors
from aiida_alpot.jobs.run import run_request


def result_of(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def test_a_folder_runs_as_its_request_file_does(label_folder):
    folder = label_folder([bulk("Cu")], "EMT")
    by_folder = run_request(folder)
    by_file = run_request(folder / "request.json")
    assert by_folder["verdicts"][0]["hash"] == by_file["verdicts"][0]["hash"]


def test_the_result_records_versions_processor_and_time(label_folder):
    folder = label_folder([bulk("Cu")], "EMT")
    returned = run_request(folder)
    written = result_of(folder)
    assert written == json.loads(json.dumps(returned))
    assert written["schema"] == 1
    assert written["job"] == "label"
    assert written["versions"]["aiida-alpot"] == aiida_alpot.__version__
    assert written["versions"]["numpy"] == np.__version__
    assert written["cpu"]
    assert 0 < written["seconds"] < 60


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"job": "lable"}, SettingError),
        ({"configurations": "absent.npz"}, InputFileError),
        ({"configurations": "../configurations.npz"}, InputFileError),
        ({"calculator": {"name": "os.system", "settings": {}}}, SettingError),
        ({"threads": 1}, SettingError),
        ({"level_of_theory": "another"}, LevelOfTheoryError),
    ],
)
def test_an_error_is_written_with_its_class_and_raised(label_folder, changes, error):
    folder = label_folder([bulk("Cu")], "EMT", changes=changes)
    with pytest.raises(error) as caught:
        run_request(folder)
    assert result_of(folder)["error"] == {"class": error.__name__, "message": str(caught.value)}
    assert not (folder / "labelled.npz").exists()


def test_a_request_that_cannot_be_read_is_an_error_in_the_result_too(tmp_path):
    (tmp_path / "request.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputFileError):
        run_request(tmp_path)
    assert result_of(tmp_path)["error"]["class"] == "InputFileError"


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(InputFileError, match="Cannot read"):
        run_request(tmp_path / "absent" / "request.json")


def test_the_result_of_an_earlier_run_never_stands_for_a_new_one(label_folder, monkeypatch):
    folder = label_folder([bulk("Cu")], "EMT")
    run_request(folder)

    def crash(*arguments, **keywords):
        raise MemoryError

    monkeypatch.setattr(label_driver, "check_job", crash)
    with pytest.raises(MemoryError):
        run_request(folder)
    assert not (folder / "result.json").exists()


@pytest.mark.parametrize("error", label_driver.DriverError.__subclasses__())
def test_each_error_of_the_driver_is_one_of_the_package(error):
    own = getattr(errors, error.__name__)
    assert own.exit_status == error.exit_status
    with pytest.raises(own, match="what to do"), alpot_errors():
        raise error("what to do")
