# SPDX-License-Identifier: MIT
"""A campaign that goes on from a potential, driven by the disagreement of a committee."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_alpot.data import ConfigurationsData, PotentialData
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.workflows.campaign_checks import find_unfit_potential
from aiida_alpot.workflows.fit import fit_request, from_scratch
from aiida_alpot.workflows.selecting import select_request
from aiida_alpot.workflows.settings import check_settings, require_committee
from aiida_alpot.workflows.turn import TurnWorkChain

GRADES = {
    "grader": "committee",
    "gamma_entry": 2e-4,
    "gamma_select": 4e-4,
    "gamma_break": 50.0,
    "mode": "neighborhood",
    "method": "projected",
}


@pytest.fixture(scope="module")
def committee_settings(campaign_settings):
    """The small campaign with one sampler and a committee of two that grades."""

    def settings(**changes):
        content = campaign_settings()
        content["explore"] = [{**content["explore"][0], "max_frames": 8}]
        content["explore"][0]["sampler"]["steps"] = 20
        content["fit"] |= {
            "committee": {"members": 2, "bootstrap": True, "random_starts": False},
            "max_iterations": 5,
        }
        content["budget"] = {"labels": 12, "labels_per_turn": 3, "turns": 1}
        return content | {"grades": GRADES} | changes

    return settings


@pytest.fixture(scope="module")
def parent(labelled_copper):
    """A potential of a lower level than that of the campaign."""
    start = start_potential(labelled_copper, level=2, cutoff=4.5)
    return fit_potential(labelled_copper, initial=start, max_iterations=5).potential


@pytest.fixture(scope="module")
def campaign(campaign_builder, committee_settings, labelled_copper, parent):
    builder = campaign_builder(start=labelled_copper, **committee_settings())
    builder.initial = PotentialData.from_potential(parent)
    return run_get_node(builder).node


def jobs_of(node, kind):
    return [
        one
        for one in node.called_descendants
        if isinstance(one, orm.CalcJobNode) and one.process_type.endswith(f"alpot.{kind}")
    ]


def members_of(outputs):
    return [outputs.committee[name].get_potential() for name in sorted(outputs.committee)]


def test_the_report_compares_uncertainties_with_the_labels_of_each_turn(campaign):
    from aiida_alpot.reports.reliability import read_reliability

    found = read_reliability(campaign)
    assert [one.measure for one in found] == ["committee"] * len(found)
    labelled = {
        turn.inputs.turn.value: turn.outputs.increment
        for turn in campaign.called_descendants
        if turn.process_label == "TurnWorkChain" and "increment" in turn.outputs
    }
    assert {one.turn for one in found} >= set(labelled)
    assert found
    for one in found:
        assert one.calibration.n_atoms > 0
        assert 0.0 <= one.coverage <= 1.0


def test_a_committee_drives_a_campaign_to_its_end(campaign):
    assert campaign.exit_status == 502, campaign.exit_message
    first, turn = campaign.outputs.turns["turns"]
    assert turn["extrapolating"]
    assert turn["largest_grade"] > GRADES["gamma_select"]
    assert turn["n_labelled"] == 3
    assert first["fit"]["force_deviation_eV_per_A"]["training"]["largest"] > 0.0


def test_the_first_fit_goes_on_from_the_potential_that_is_given(campaign, parent):
    first = campaign.outputs.initial_potential
    assert first.creator.inputs.initial.content == campaign.inputs.initial.content
    assert (parent.basis.level, first.level, campaign.outputs.potential.level) == (2, 4, 4)
    assert campaign.outputs.potential.creator.inputs.initial.uuid == first.uuid


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"level": 2}, "initial has level 4, the campaign 2"),
        ({"cutoff": 4.0}, "initial has the cutoff 4.5 A, the campaign 4 A"),
        ({"species": ["Au"]}, "is for Cu too"),
    ],
)
def test_a_potential_that_cannot_be_gone_on_from_is_refused(
    campaign, committee_settings, form, message
):
    settings = committee_settings()
    settings |= {key: form[key] for key in form if key == "species"}
    settings["potential"] |= {key: form[key] for key in form if key != "species"}
    inputs = {"initial": campaign.outputs.potential}
    assert message in find_unfit_potential(settings, inputs)


def test_the_members_of_the_last_fit_are_outputs_of_the_campaign(campaign):
    assert sorted(campaign.outputs.committee) == ["potential_000", "potential_001"]
    fit = campaign.outputs.potential.creator
    for member in campaign.outputs.committee.values():
        assert member.creator.uuid == fit.uuid


def test_samplers_move_with_the_potential_and_are_graded_by_the_members(campaign):
    (job,) = jobs_of(campaign, "sample")
    assert "active_set" not in job.inputs
    assert job.inputs.potential.uuid == campaign.outputs.initial_potential.uuid
    fit = campaign.outputs.initial_potential.creator
    assert {one.creator.uuid for one in job.inputs.committee.values()} == {fit.uuid}
    frames = job.outputs.candidates.get_configurations()
    grades = CommitteeGrader(members_of(fit.outputs)).grade(frames).per_configuration
    np.testing.assert_allclose(frames.grade, grades, rtol=1e-6)
    assert (frames.grade > GRADES["gamma_entry"]).all()


def test_the_frames_of_largest_deviation_are_labelled(campaign):
    (job,) = jobs_of(campaign, "select")
    listed = job.outputs.result["candidates"]
    chosen = [one["grade"] for one in listed if one["verdict"] == "selected"]
    others = [one["grade"] for one in listed if one["verdict"] == "over_limit"]
    assert len(chosen) == 3
    assert min(chosen) >= max(others, default=0.0)
    labelled = campaign.outputs.training["turn_001"].get_configurations()
    selected = job.outputs.selected.get_configurations()
    assert set(labelled.hashes()) == set(selected.hashes())
    assert selected.grade.tolist() == sorted(selected.grade, reverse=True)


def test_a_turn_without_the_members_is_refused_before_it_runs_anything(
    alpot_code, committee_settings, named_structures, campaign
):
    builder = TurnWorkChain.get_builder()
    builder.settings = orm.Dict(committee_settings())
    builder.structures = ConfigurationsData.from_configurations(named_structures)
    builder.codes = {"alpot": alpot_code}
    builder.turn, builder.labels_left = orm.Int(1), orm.Int(3)
    builder.potential = campaign.outputs.potential
    builder.active_set = campaign.outputs.active_set
    node = run_get_node(builder).node
    assert node.exit_status == 201
    assert "committee" in node.exit_message
    assert not node.called


@pytest.fixture(scope="module")
def turn_with_target(alpot_code, committee_settings, named_structures, campaign):
    """A turn after the campaign, whose thresholds follow from a target error."""
    builder = TurnWorkChain.get_builder()
    grades = {**GRADES, "target_error": 2.58 * GRADES["gamma_select"]}
    builder.settings = orm.Dict(committee_settings(grades=grades))
    builder.structures = ConfigurationsData.from_configurations(named_structures)
    builder.codes = {"alpot": alpot_code}
    builder.turn = orm.Int(2)
    builder.labels_left = orm.Int(2)
    builder.potential = campaign.outputs.potential
    builder.active_set = campaign.outputs.active_set
    builder.committee = dict(campaign.outputs.committee.items())
    builder.training = dict(campaign.outputs.training.items())
    return run_get_node(builder).node


def test_a_target_error_sets_the_thresholds_and_is_calibrated_by_the_labels(turn_with_target):
    node = turn_with_target
    assert node.is_finished_ok, node.exit_message
    for job in jobs_of(node, "sample"):
        request = job.inputs.settings.get_dict()
        assert request["gamma_known"] == pytest.approx(GRADES["gamma_select"])
        assert request["gamma_break"] == pytest.approx(5 * GRADES["gamma_select"])
    told = node.outputs.record.get_dict()["calibration"]
    assert told["factor"] == 2.58
    assert told["threshold"] == pytest.approx(GRADES["gamma_select"])
    labelled = node.outputs.increment.get_configurations()
    assert told["n_atoms"] == len(labelled.numbers) > 0
    assert sum(row[2] for row in told["rows"]) == told["n_atoms"]
    assert 0.0 <= told["coverage"] <= 1.0


def test_a_grading_committee_must_be_fitted_and_have_thresholds_in_order(committee_settings):
    check_settings(committee_settings())
    settings = committee_settings()
    settings["fit"]["committee"] = None
    with pytest.raises(SettingError, match="The grader is a committee"):
        check_settings(settings)
    for wrong in ({"gamma_entry": 0.0}, {"gamma_select": 60.0}):
        with pytest.raises(SettingError, match="must be positive and in this order"):
            check_settings(committee_settings(grades={**GRADES, **wrong}))
    with pytest.raises(SettingError, match="give its members"):
        require_committee(committee_settings(), {})


def test_the_first_exploration_never_takes_deviations_for_grades(committee_settings):
    exploration = {"calculator": {"ase": "EMT"}, "explore": [], "labels": 5}
    settings = committee_settings(exploration=exploration)
    first = select_request(settings, turn=0, labels_left=9, is_first=True)
    later = select_request(settings, turn=1, labels_left=9, is_first=False)
    assert not {"threshold", "entry"} & set(first)
    assert (later["threshold"], later["entry"]) == (4e-4, 2e-4)


def test_a_fit_from_scratch_keeps_nothing_but_the_constants_of_free_atoms(committee_settings):
    settings = committee_settings()
    settings["fit"] |= {"frozen": ["radial", "Cu"], "train_only": ["moments"], "pull": 0.1}
    request = fit_request(settings, turn=1)
    assert request["frozen"] == ["radial", "Cu"]
    bare = from_scratch(request)
    assert (bare["frozen"], bare["train_only"], bare["pull"]) == ([], None, None)
    settings["fit"] |= {"atomic_energies": {"Cu": -1.0}, "pull_blocks": ["moments"]}
    ridge = from_scratch(fit_request(settings, turn=0))
    assert ridge["frozen"] == ["Cu"]
    assert ridge["pull"] == {"strength": 0.1, "blocks": ["moments"]}
