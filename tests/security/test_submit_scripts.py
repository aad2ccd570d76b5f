# SPDX-License-Identifier: MIT
"""Names with quotes, spaces, ``$()`` and line breaks go through real submit scripts safely."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_alpot.calculations import LabelCalculation
from aiida_alpot.data import ConfigurationsData

NAMES = [
    'it\'s "quoted" $(touch hacked) `touch hacked`',
    "a;b && touch hacked | cat > hacked",
    "line\nbreak\r\n#SBATCH --partition=x\ntouch hacked",
    "../../../../tmp/hacked \\ * ? {a,b} ~ ! é 漢",
]


def label_builder(code, configurations, level, **inputs):
    builder = LabelCalculation.get_builder()
    builder.code = code
    builder.configurations = ConfigurationsData.from_configurations(configurations)
    calculator = {"name": "EMT", "settings": {}}
    builder.settings = orm.Dict({"calculator": calculator, "level_of_theory": level})
    builder.metadata.label = NAMES[0]
    builder.metadata.description = NAMES[2]
    builder.metadata.options.resources = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
    for name, value in inputs.items():
        builder[name] = value
    return builder


@pytest.mark.parametrize("code", ["alpot_code", "python_code"])
def test_names_of_configurations_come_back_as_they_went(code, request, copper_cells, emt_level):
    named = copper_cells.replace(
        identifier=_text(NAMES), sampler=_text(NAMES[::-1]), chain=_text(NAMES)
    )
    named = named.replace(positions=named.positions + (0.4 if code == "alpot_code" else 0.5))
    # a file of a calculator travels under the name that it has
    files = {
        f"file_{index}": orm.SinglefileData.from_string("x", filename=name)
        for index, name in enumerate(("it's $(touch hacked).txt", "two  spaces `touch hacked`"))
    }
    code = request.getfixturevalue(code)
    results, node = run_get_node(label_builder(code, named, emt_level, files=files))
    assert node.is_finished_ok, node.exit_message
    labelled = results["labelled"].get_configurations()
    assert labelled.identifier.tolist() == NAMES
    verdicts = results["result"].get_dict()["verdicts"]
    assert [one["identifier"] for one in verdicts] == NAMES
    folder = Path(node.outputs.remote_folder.get_remote_path())
    assert {one.filename for one in files.values()} <= {path.name for path in folder.iterdir()}
    for place in (folder, folder.parent, Path.cwd(), Path.home(), Path("/tmp")):
        assert not (place / "hacked").exists()


@pytest.mark.parametrize("name", ["request.json", "label_driver.py", "_aiidasubmit.sh"])
def test_a_file_that_would_replace_one_of_the_job_is_refused(
    name, alpot_code, copper_cells, emt_level
):
    evil = {"file": orm.SinglefileData.from_string("touch hacked", filename=name)}
    with pytest.raises(ValueError, match="keep for files of their own"):
        run_get_node(label_builder(alpot_code, copper_cells, emt_level, files=evil))


def test_a_computer_whose_folder_has_a_blank_and_a_quote_works(
    make_computer, tmp_path_factory, copper_cells, emt_level
):
    work = tmp_path_factory.mktemp("a b $(touch hacked)")
    computer = make_computer("a b", work)
    executable = str(Path(sys.executable).with_name("alpot"))
    code = orm.InstalledCode(label="alpot", computer=computer, filepath_executable=executable)
    cell = copper_cells.select([0])
    cell = cell.replace(positions=cell.positions + 0.6)
    _, node = run_get_node(label_builder(code.store(), cell, emt_level))
    assert node.is_finished_ok, node.exit_message
    assert not list(work.rglob("hacked"))


def _text(names):
    return np.array(names, dtype=np.str_)
