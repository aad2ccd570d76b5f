# SPDX-License-Identifier: MIT
"""The section `converge`: what reaches the loop, and what is refused before it starts."""

import pytest

from aiida_alpot.campaign.load import load_campaign
from aiida_alpot.errors import CampaignFileError

FILE = """
name: small
species: [Cu]
start:
  training: [{crystal: fcc, a: 3.6, cubic: true, rattle: 0.05, copies: 2}]
  structures: {bulk: {crystal: fcc, a: 3.6, cubic: true}}
explore: [{name: nvt, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 20}]
label: {calculator: EMT}
budget: {labels: 20}
"""
SETS = "test_sets: {hot: [{crystal: fcc, a: 3.6, cubic: true, rattle: 0.1}]}\n"


def settings_of(tmp_path, more=""):
    path = tmp_path / "campaign.yaml"
    path.write_text(FILE + more, encoding="utf-8")
    return load_campaign(path).as_settings()


def test_without_targets_two_turns_must_hold_and_nothing_is_audited(tmp_path):
    converge = settings_of(tmp_path)["converge"]
    assert converge["turns"] == 2
    assert converge["audit_labels"] == 0


def test_targets_on_test_sets_are_those_of_the_audit_too(tmp_path):
    targets = "test_targets: {forces_rmse_eV_per_A: 0.05}\n"
    converge = settings_of(tmp_path, SETS + targets)["converge"]
    assert converge["audit_labels"] == 4
    assert converge["targets"] == {"forces_rmse_eV_per_A": 0.05}
    own = "converge: {targets: {forces_mae_eV_per_A: 0.01}, audit_labels: 2}\n"
    converge = settings_of(tmp_path, SETS + targets + own)["converge"]
    assert (converge["audit_labels"], converge["targets"]) == (2, {"forces_mae_eV_per_A": 0.01})


def test_a_property_goes_to_the_job_and_its_tolerances_to_the_criterion(tmp_path):
    entry = "{kind: equation_of_state, structure: bulk, tolerances: {lattice_constant_A: 0.1 %}}"
    converge = settings_of(tmp_path, f"converge: {{properties: [{entry}]}}\n")["converge"]
    assert converge["properties"] == [{"kind": "equation_of_state", "structure": "bulk"}]
    assert converge["tolerances"] == [{"lattice_constant_A": "0.1 %"}]


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ("{rate: 0}", "converge.rate"),
        ("{turns: 0}", "converge.turns"),
        ("{audit_labels: -1}", "converge.audit_labels"),
        ("{test_tolerance: much}", "converge.test_tolerance"),
        ("{targets: {forces: 1}}", "converge.targets.forces"),
        ("{properties: [{kind: elastic}]}", "tolerances"),
        ("{properties: [{kind: elastic, tolerances: {C11: 1}}]}", "C11"),
        ("{properties: [{kind: trajectory_errors, tolerances: {a: 1}}]}", "trajectory_errors"),
        ("{properties: [{kind: elastic, structure: slab, tolerances: {C11_GPa: 1}}]}", "slab"),
        ("{properties: [{kind: elastic, wrong: 1, tolerances: {C11_GPa: 1}}]}", "wrong"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_its_key(tmp_path, section, named):
    with pytest.raises(CampaignFileError, match=named):
        settings_of(tmp_path, f"converge: {section}\n")
