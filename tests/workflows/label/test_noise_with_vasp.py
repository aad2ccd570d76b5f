# SPDX-License-Identifier: MIT
"""The noise of labels, measured with the test double of VASP: none, for it computes with EMT."""

import json

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk

from aiida_alpot.campaign.equivalent_cells import distorted_crystals
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.converge import ConvergeWorkChain
from aiida_alpot.workflows.label.builder import complete_level


@pytest.fixture(scope="module")
def measured(vasp_code, vasp_settings):
    calculator = {"name": "VASP", "settings": vasp_settings()}
    label = {"workchain": "vasp", "calculator": calculator, "level_of_theory": "", "max_jobs": 4}
    label["level_of_theory"] = complete_level(label, ["Cu"])
    start = Configurations.from_atoms([bulk("Cu", a=3.7)], identifiers=["copper"])
    crystals = distorted_crystals(start, seed=0, most_atoms=2).select([0])
    builder = ConvergeWorkChain.get_builder()
    builder.settings = orm.Dict({"species": ["Cu"], "label": label})
    builder.crystals = ConfigurationsData.from_configurations(crystals)
    builder.most_atoms = orm.Int(2)
    builder.codes = {"alpot": vasp_code}
    return run_get_node(builder).node


def test_finer_k_points_and_cutoff_are_asked_for_at_levels_of_their_own(measured):
    assert measured.exit_status == 0, measured.exit_message
    levels = {}
    for one in measured.called:
        if "labelled" in one.outputs:
            level = json.loads(one.outputs.labelled.level_of_theory)
            levels[one.base.links.get_incoming().first().link_label] = level
    assert set(levels) == {"label_own", "label_k_mesh", "label_cutoff"}
    assert len({json.dumps(one) for one in levels.values()}) == 3
    assert levels["label_k_mesh"]["settings"]["kpoints"] == pytest.approx(0.5 / 1.5, abs=1e-6)


def test_the_double_has_no_noise(measured):
    noise = measured.outputs.noise.get_dict()
    assert set(noise["sources"]) == {"k_mesh", "cutoff", "cell_shape", "origin", "supercell"}
    assert noise["failed"] == []
    assert max(noise["floor"].values()) < 1e-3
    assert all(noise["cells_agree"].values())
