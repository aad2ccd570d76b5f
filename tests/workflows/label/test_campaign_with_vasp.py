# SPDX-License-Identifier: MIT
"""A whole small campaign from its file, labelled by the test double of VASP."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.calculators.emt import EMT

from aiida_alpot.campaign import load_campaign
from aiida_alpot.campaign.settings import code_labels
from aiida_alpot.cli.dry_run import first_job_lines
from aiida_alpot.cli.launch import campaign_builder

CAMPAIGN = """\
name: copper-vasp
species: [Cu]
potential: {level: 4, cutoff: 4.5}
start:
  training:
    - {crystal: fcc, a: 3.6, cubic: true, strain: 0.02, rattle: 0.05, copies: 3}
  structures:
    bulk: {crystal: fcc, a: 3.6, cubic: true}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 900, steps: 60}
grades: {gamma_select: 1.5, gamma_break: 10}
label:
  calculator: VASP
  code: vasp@localhost
  settings:
    encut: 300
    kspacing: 0.5
    family: of-the-double
    incar: {ismear: 1, sigma: 0.2}
fit: {max_iterations: 30}
budget: {labels: 5, labels_per_turn: 2, turns: 1}
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    path = tmp_path_factory.mktemp("campaign") / "campaign.yaml"
    path.write_text(CAMPAIGN, encoding="utf-8")
    return load_campaign(path)


@pytest.fixture(scope="module")
def ended(campaign, alpot_code, vasp_code, potcar_family):
    return run_get_node(campaign_builder(campaign)).node


def test_the_file_names_the_code_and_the_workchain(campaign):
    assert code_labels(campaign)["label"] == "vasp@localhost"
    assert campaign.as_settings()["label"]["workchain"] == "vasp"
    assert "sha512" not in campaign.level_of_theory


def test_a_dry_run_shows_what_vasp_would_be_asked_for(campaign, alpot_code, potcar_family):
    shown = "\n".join(first_job_lines(campaign))
    assert "vasp.v2.vasp" in shown
    assert "sha512:" in shown
    assert "ismear: 1" in shown
    assert "mesh: [4, 4, 4]" in shown


def test_a_campaign_labels_with_vasp_from_file_to_potential(ended):
    assert ended.exit_status in (0, 501, 502), ended.exit_message
    assert ended.outputs.potential.level == 4
    runs = [
        one
        for one in ended.called_descendants
        if isinstance(one, orm.CalcJobNode) and one.process_type.endswith("vasp.vasp")
    ]
    assert len(runs) == len(ended.outputs.ledger["entries"]) >= 4
    assert {entry["status"] for entry in ended.outputs.ledger["entries"]} == {"labelled"}


def test_its_training_set_holds_what_the_double_computed(ended):
    training = ended.outputs.training["turn_000"].get_configurations()
    assert "sha512" in training.level_of_theory
    for index in range(len(training)):
        atoms = training.atoms(index)
        atoms.calc = EMT()
        assert training.energy[index] == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
        rows = training.atoms_slice(index)
        np.testing.assert_allclose(training.forces[rows], atoms.get_forces(), atol=1e-7)
