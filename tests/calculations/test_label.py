# SPDX-License-Identifier: MIT
"""Label jobs, run for real: with the command, with a bare Python, and with what must fail."""

import json

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_alpot.calculations import LabelCalculation
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData


@pytest.fixture(scope="module")
def run_label(alpot_code, emt_level):
    def run(configurations, *, code=alpot_code, calculator=None, **settings):
        builder = LabelCalculation.get_builder()
        builder.code = code
        builder.configurations = ConfigurationsData.from_configurations(configurations)
        calculator = calculator or {"name": "EMT", "settings": {}}
        builder.settings = orm.Dict(
            {"calculator": calculator, "level_of_theory": emt_level, **settings}
        )
        return run_get_node(builder).node

    return run


@pytest.fixture(scope="module")
def labelled_by_command(run_label, copper_cells):
    return run_label(copper_cells, indices=[0, 2])


@pytest.fixture(scope="module")
def labelled_by_driver(run_label, copper_cells, python_code):
    return run_label(copper_cells, indices=[0, 2], code=python_code)


def test_a_batch_holds_the_labels_of_emt_in_its_order(labelled_by_command, labelled_copper):
    assert labelled_by_command.exit_status == 0
    found = labelled_by_command.outputs.labelled.get_configurations()
    expected = labelled_copper.select([0, 2])
    assert found.hashes() == expected.hashes()
    assert found.level_of_theory == expected.level_of_theory
    np.testing.assert_allclose(found.energy, expected.energy, atol=1e-10)
    np.testing.assert_allclose(found.forces, expected.forces, atol=1e-10)


def test_the_result_names_versions_and_a_verdict_for_each(labelled_by_command, copper_cells):
    result = labelled_by_command.outputs.result.get_dict()
    assert [one["status"] for one in result["verdicts"]] == ["labelled", "labelled"]
    assert [one["hash"] for one in result["verdicts"]] == copper_cells.select([0, 2]).hashes()
    assert {"numpy", "ase"} <= set(result["versions"])


def test_the_folder_of_a_job_can_be_run_again_by_hand(labelled_by_command):
    names = labelled_by_command.base.repository.list_object_names()
    script = labelled_by_command.base.repository.get_object_content("_aiidasubmit.sh")
    assert {"request.json", "configurations.npz"} <= set(names)
    assert "label' '--request' 'request.json'" in script
    assert "export OMP_NUM_THREADS=1" in script
    request = json.loads(labelled_by_command.base.repository.get_object_content("request.json"))
    assert request["job"] == "label"
    assert "indices" not in request


def test_a_bare_python_gives_the_same_bytes_with_the_driver_that_travels(
    labelled_by_driver, labelled_by_command
):
    assert labelled_by_driver.exit_status == 0
    assert "label_driver.py" in labelled_by_driver.base.repository.list_object_names()
    assert labelled_by_driver.outputs.labelled.content == (
        labelled_by_command.outputs.labelled.content
    )


def test_one_configuration_that_fails_leaves_a_partial_batch(run_label, copper_cells):
    iron = copper_cells.select([1]).replace(
        numbers=np.full(32, 26, dtype=np.int32), identifier=np.array(["iron"])
    )
    both = Configurations.from_atoms([copper_cells.atoms(0), iron.atoms(0)])
    node = run_label(both)
    assert node.exit_status == 401
    assert "iron" in node.exit_message
    assert node.outputs.labelled.label_hashes == copper_cells.hashes()[:1]
    assert not node.base.caching.is_valid_cache


def test_a_batch_without_any_label_is_an_error(run_label, copper_cells):
    iron = copper_cells.select([1]).replace(numbers=np.full(32, 26, dtype=np.int32))
    node = run_label(iron)
    assert node.exit_status == 310
    assert not node.base.caching.is_valid_cache


def test_an_unknown_calculator_is_refused_by_name(run_label, copper_cells):
    node = run_label(copper_cells, calculator={"name": "os.system", "settings": {}})
    assert node.exit_status == 201
    assert "os.system" in node.exit_message


def test_another_level_of_theory_than_asked_for_is_refused(run_label, copper_cells):
    node = run_label(copper_cells, level_of_theory='{"calculator":"Other"}')
    assert node.exit_status == 206
