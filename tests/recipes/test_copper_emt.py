# SPDX-License-Identifier: MIT
"""The recipe workflows/01_copper_emt, run to its end by the command that a user types.

What it must show is asserted here: convergence within its turns and its budget, errors on a
trajectory that it never saw, properties against EMT, a stable long run, and that the start alone
would not have done.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from aiida_alpot.cli import main

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(900)]

RECIPE = Path(__file__).parents[2] / "workflows" / "01_copper_emt" / "campaign.yaml"


def alpot(profile, *words):
    return CliRunner().invoke(main, [*map(str, words), "-p", profile.name])


@pytest.fixture(scope="module")
def finished(aiida_profile, alpot_code, daemon):
    """What ``alpot run`` printed, and the process of the campaign."""
    from aiida_alpot.reports.campaigns import find_campaign

    result = alpot(aiida_profile, "run", RECIPE)
    assert result.exit_code == 0, result.output
    return result, find_campaign("copper-emt")


@pytest.fixture(scope="module")
def figures(finished):
    """The figures of the campaign by subject and name."""
    from aiida_alpot.reports.outcome import read_outcome

    _, node = finished
    return {(one.subject, one.name): one for one in read_outcome(node).figures}


def test_it_converges_within_its_turns_and_its_labels(finished):
    _, node = finished
    summary = node.outputs.summary.get_dict()
    assert summary["converged"]
    assert summary["n_turns"] <= 6
    assert summary["labels_used"] <= 60
    last = node.outputs.turns.get_dict()["turns"][-1]
    assert all(chain["completed"] for chain in last["samples"])
    assert last["largest_grade"] <= 2


def test_errors_on_a_trajectory_it_never_saw_are_small(figures):
    assert figures["trajectory errors, bulk", "energy RMSE"].after <= 0.1
    assert figures["trajectory errors, bulk", "forces RMSE"].after <= 0.005


def test_properties_are_those_of_emt(figures):
    lattice = figures["equation of state, bulk", "lattice constant"]
    modulus = figures["equation of state, bulk", "bulk modulus"]
    vacancy = figures["vacancy, bulk", "formation energy"]
    assert lattice.after == pytest.approx(lattice.reference, rel=1e-3)
    assert modulus.after == pytest.approx(modulus.reference, rel=0.02)
    assert vacancy.after == pytest.approx(vacancy.reference, abs=0.020)


def test_a_long_run_stays_where_the_potential_was_trained(figures):
    assert figures["stability, bulk", "steps"].after == 20_000
    assert figures["stability, bulk", "frames above gamma break"].after == 0
    assert 0 < figures["stability, bulk", "largest force error"].after < 0.1


def test_the_start_alone_misses_a_target(figures):
    assert any(figure.met_before is False for figure in figures.values())


def test_the_end_is_printed_with_figures_before_and_after(finished):
    output = finished[0].output
    assert "6 of 6 targets met; the start alone misses" in output
    assert "label calls of a budget of 60" in output
    assert "largest force error, eV/A" in output


def test_why_names_the_origin_and_the_label_of_each_training_configuration(
    finished, aiida_profile, tmp_path
):
    from aiida import orm

    _, node = finished
    result = alpot(aiida_profile, "why", node.pk, "--json", tmp_path / "why.json")
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "why.json").read_text())
    trained = sum(one.n_configurations for one in node.outputs.training.values())
    assert len(content["training"]) == trained
    for one in content["training"]:
        maker = orm.load_node(one["label_process"])
        assert maker.process_label == "LabelCalculation"
        assert (one["turn"] < 0) == (one["sampler"] == "given")
        assert one["turn"] < 0 or (one["grade"] > 1 and one["chain"])


def test_the_report_is_one_file_that_needs_nothing_else(finished, aiida_profile, tmp_path):
    _, node = finished
    path = tmp_path / "report.html"
    result = alpot(aiida_profile, "report", node.pk, "-o", path)
    assert result.exit_code == 0, result.output
    text = path.read_text(encoding="utf-8")
    assert text.count("<svg ") == 4
    assert node.uuid in text
    assert node.outputs.potential.uuid in text
    assert "6 of 6 targets met" in text
    assert 'src="http' not in text
    assert 'href="http' not in text


def test_the_export_gives_the_errors_of_the_last_fit(finished, aiida_profile, tmp_path):
    _, node = finished
    folder = tmp_path / "copper"
    result = alpot(aiida_profile, "export", node.pk, "-o", folder)
    assert result.exit_code == 0, result.output
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "potential.mtp",
        "potential.almtp",
        "active_set.npz",
        "training.xyz",
        "test_hot.xyz",
        "provenance.json",
        "campaign.yaml",
        "README.txt",
        "in.lammps",
        "setup.lammps",
        "dynamics.lammps",
        "structure.data",
        "mlip.ini",
        "run_lammps.py",
    }
    assert (folder / "campaign.yaml").read_bytes() == RECIPE.read_bytes()
    words = ["evaluate", folder / "potential.mtp", folder / "test_hot.xyz"]
    words += ["--json", tmp_path / "errors.json"]
    assert CliRunner().invoke(main, [str(word) for word in words]).exit_code == 0
    errors = json.loads((tmp_path / "errors.json").read_text())
    fitted = node.outputs.potential.creator.outputs.result.get_dict()["errors"]["test"]["hot"]
    assert errors["forces"]["rmse_eV_per_A"] == pytest.approx(fitted["forces"]["rmse_eV_per_A"])
    again = alpot(aiida_profile, "export", node.pk, "-o", folder)
    assert again.exit_code == 2
    assert "--force" in again.output


def test_a_potential_is_found_by_the_content_of_its_file(finished, aiida_profile, tmp_path):
    _, node = finished
    node.outputs.potential.export(tmp_path / "cu.mtp")
    result = alpot(aiida_profile, "why", tmp_path / "cu.mtp")
    assert result.exit_code == 0, result.output
    assert "start  given" in result.output


def test_status_tells_the_whole_story_once_it_is_over(finished, aiida_profile, tmp_path):
    _, node = finished
    result = alpot(aiida_profile, "status", node.pk, "--json", tmp_path / "status.json")
    assert result.exit_code == 0, result.output
    assert "converged" in result.output
    status = json.loads((tmp_path / "status.json").read_text())
    summary = node.outputs.summary.get_dict()
    assert status["labels_used"] == summary["labels_used"]
    assert [turn["turn"] for turn in status["turns"]] == list(range(summary["n_turns"] + 1))
    assert {turn["stage"] for turn in status["turns"]} == {"done"}


def test_stopping_a_campaign_that_has_ended_changes_nothing(finished, aiida_profile):
    _, node = finished
    result = alpot(aiida_profile, "stop", node.pk)
    assert result.exit_code == 0
    assert "has ended already" in result.output
    assert "stop_requested" not in node.base.extras.all
