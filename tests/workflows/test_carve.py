# SPDX-License-Identifier: MIT
"""Campaigns on a cluster that is too large for a label: chunks of it are labelled."""

from __future__ import annotations

import json

import numpy as np
import pytest
from aiida.engine import run_get_node
from ase.build import bulk
from ase.cluster import Icosahedron
from click.testing import CliRunner

from aiida_alpot.calculations import SelectCalculation
from aiida_alpot.carving import carve_chunk, central_atom, frame_of_chunk, is_carved
from aiida_alpot.cli import main
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.reports.reliability import read_reliability
from aiida_alpot.reports.report_data import read_report_data

MOST = 45
CARVE = {
    "above_atoms": MOST,
    "radius": 5.5,
    "vacuum": 5.0,
    "kind": "cluster",
    "passivate": None,
    "per_structure": 2,
    "smallest_radius": 4.5,
}


GRADES = {
    "gamma_entry": 1.1,
    "gamma_select": 2.0,
    "gamma_break": 20.0,
    "mode": "neighborhood",
    "method": "projected",
}


@pytest.fixture(scope="module")
def starts():
    """A cluster of 55 atoms, and a cell of 32."""
    cell = bulk("Cu", a=3.61, cubic=True).repeat(2)
    cluster = Icosahedron("Cu", 3, latticeconstant=3.6)
    return Configurations.from_atoms([cluster, cell], identifiers=["particle", "bulk"])


@pytest.fixture(scope="module")
def run_campaign(campaign_builder, campaign_settings, unlabelled_copper, starts):
    """Run a campaign that samples the cluster and the cell to its end."""

    def run(**changes):
        dynamics = {"kind": "molecular_dynamics", "temperature_K": 600, "steps": 40}
        nvt = {**campaign_settings()["explore"][0], "sampler": dynamics, "max_frames": 4}
        nvt["starts"] = ["particle", "bulk"]
        budget = {"labels": 40, "labels_per_turn": 6, "turns": 1, "core_hours": 10.0}
        settings = {"explore": [nvt], "budget": budget, "carve": CARVE, **changes}
        builder = campaign_builder(start=unlabelled_copper(), structures=starts, **settings)
        node = run_get_node(builder).node
        assert node.exit_status in (0, 501, 502, 503), node.exit_message
        return node

    return run


@pytest.fixture(scope="module")
def campaign(run_campaign):
    """A turn that extrapolates, with a budget of core-hours, and selects by what labels cost."""
    return run_campaign(grades={**GRADES, "per_cost": True})


@pytest.fixture(scope="module")
def training(campaign):
    """What the last potential was trained on beside the start."""
    sets = [campaign.outputs.training[name] for name in sorted(campaign.outputs.training)]
    return concatenate([node.get_configurations() for node in sets[1:]])


def jobs_of(campaign, process):
    return [one for one in campaign.called_descendants if one.process_class is process]


def test_nothing_larger_than_allowed_is_ever_labelled(campaign):
    entries = campaign.outputs.ledger["entries"]
    assert len(entries) > 4
    assert all(one["n_atoms"] <= MOST for one in entries)
    assert max(one["work"] for one in entries) <= MOST
    sampled = {
        int(node.get_configurations().n_atoms.max())
        for job in jobs_of(campaign, SelectCalculation)
        for node in job.inputs.candidates.values()
    }
    assert max(sampled) == 55


def test_chunks_of_the_cluster_are_trained_on_beside_whole_cells(campaign, training):
    carved = is_carved(training)
    assert carved.any()
    assert set(training.chain[carved].tolist()) == {"particle"}
    assert (training.n_atoms[~carved] == 32).all()
    counts = np.add.reduceat(training.force_mask, training.offsets[:-1])
    np.testing.assert_array_equal(counts, np.where(carved, 1, training.n_atoms))


def test_a_chunk_is_about_an_atom_of_its_frame_that_is_known_least(campaign):
    """Graded once more with what the job was given, and carved once more."""
    checked = 0
    for job in jobs_of(campaign, SelectCalculation):
        potential = job.inputs.potential.get_potential()
        known = [job.inputs.training[name] for name in sorted(job.inputs.training)]
        training = concatenate([node.get_configurations() for node in known])
        grader = ExtrapolationGrader(potential, build_active_set(potential, training))
        frames = concatenate(
            [
                job.inputs.candidates[name].get_configurations()
                for name in sorted(job.inputs.candidates)
            ]
        )
        names = frames.identifier.tolist()
        selected = job.outputs.selected.get_configurations()
        for place in np.flatnonzero(is_carved(selected)).tolist():
            name = str(selected.identifier[place])
            frame, atom = names.index(frame_of_chunk(name)), central_atom(name)
            grades = grader.grade(frames.select([frame])).per_atom
            # atoms that symmetry relates count once
            assert len(np.unique(np.round(grades[grades > 1.001 * grades[atom]], 3))) < 2
            chunk = carve_chunk(frames.atoms(frame), atom, radius=5.5).atoms
            found = selected.positions[selected.atoms_slice(place)]
            expected = chunk.positions[: len(found)]
            np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-9)
            assert selected.origin(place) == frames.origin(frame)._replace(sampler="nvt/carve")
            checked += 1
    assert checked


def test_the_cap_and_the_budget_count_chunks(campaign):
    turns = campaign.outputs.turns["turns"]
    for turn in turns[1:]:
        assert turn["n_selected"] <= 6
    asked = [one for one in campaign.outputs.ledger["entries"] if one["turn"] > 0]
    assert campaign.outputs.summary["labels_used"] == 4 + len(asked)


def test_a_chunk_is_weighed_by_what_it_costs_and_not_its_frame(campaign):
    """The request tells the cost of each frame, and the power that makes of it that of a chunk."""
    (job,) = jobs_of(campaign, SelectCalculation)
    request = job.inputs.settings.get_dict()
    frames = concatenate(
        [job.inputs.candidates[name].get_configurations() for name in sorted(job.inputs.candidates)]
    )
    assert request["costs"] == pytest.approx(
        (frames.n_atoms / frames.n_atoms.min()) ** request["cost_exponent"]
    )
    assert {32, 55} == set(frames.n_atoms.tolist())


def test_why_tells_of_the_frame_and_of_the_atom(campaign, training, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = str(training.identifier[np.flatnonzero(is_carved(training))[0]])
    listed = CliRunner().invoke(main, ["why", str(campaign.pk)])
    assert listed.exit_code == 0, listed.output
    assert "nvt/carve      particle" in listed.output
    told = CliRunner().invoke(
        main, ["why", str(campaign.pk), "--frame", name, "--json", "story.json"]
    )
    assert told.exit_code == 0, told.output
    assert f"carved    about atom {central_atom(name)} of that frame" in told.output
    assert "by 'nvt' (molecular_dynamics) from 'particle'" in told.output
    story = json.loads((tmp_path / "story.json").read_text(encoding="utf-8"))
    assert story["carved"] == {"atom": central_atom(name), "frame": frame_of_chunk(name)}
    assert story["sampled"]["job"]
    assert story["selected"]["verdict"] == "selected"
    assert story["selected"]["grade"] > 1.1


def test_the_report_leaves_out_what_is_not_trained_on(campaign, training):
    data = read_report_data(campaign)
    (selected,) = [one for one in data.parity if one.name == "selected"]
    carved = is_carved(training)
    assert selected.n_chunks == carved.sum()
    assert len(selected.energy) == (~carved).sum()
    assert len(selected.forces) == 3 * training.force_mask.sum()
    last = data.records[-1]["errors"]["training"]
    residual = selected.predicted_forces - selected.forces
    starts = next(one for one in data.parity if one.name == "start")
    both = np.concatenate([residual, starts.predicted_forces - starts.forces])
    assert last["forces"]["rmse_eV_per_A"] == pytest.approx(np.sqrt((both**2).mean()), rel=1e-6)


@pytest.fixture(scope="module")
def audited(run_campaign, campaign_settings):
    """A campaign with a committee that minds nothing, so that its frames are audited."""
    thresholds = {"gamma_entry": 1e7, "gamma_select": 1e8, "gamma_break": 1e9}
    members = {"members": 2, "bootstrap": True, "random_starts": True}
    return run_campaign(
        grades={**GRADES, **thresholds, "grader": "committee"},
        fit={**campaign_settings()["fit"], "committee": members},
        converge={
            "turns": 1,
            "rate": 0.9,
            "audit_labels": 6,
            "targets": {"forces_rmse_eV_per_A": 100.0},
        },
    )


def test_no_label_of_an_audit_is_larger_and_its_errors_are_of_central_forces(audited):
    assert audited.exit_status == 0, audited.exit_message
    found = audited.outputs.test["audit_001"].get_configurations()
    carved = is_carved(found)
    assert carved.any()
    assert found.n_atoms.max() <= MOST
    (turn,) = [one for one in audited.outputs.turns["turns"] if one["audit"]]
    errors = turn["audit"]["errors"]
    assert turn["audit"]["n_labelled"] == len(found) == 6
    from aiida_alpot.mtp.evaluate import evaluate

    potential = audited.outputs.potential.get_potential()
    residual = (evaluate(potential, found).forces - found.forces)[found.force_mask]
    assert errors["forces"]["rmse_eV_per_A"] == pytest.approx(np.sqrt((residual**2).mean()))


def test_a_committee_answers_for_the_central_atom_of_a_chunk_alone(audited):
    """Its deviations before the labels, against the errors that these showed."""
    found = audited.outputs.test["audit_001"].get_configurations()
    (last,) = read_reliability(audited)
    assert last.measure == "committee"
    assert last.calibration.n_atoms == found.force_mask.sum() < len(found.numbers)
