# SPDX-License-Identifier: MIT
"""Fit, evaluate, sample, relax, select and properties as CalcJobs, run for real on tiny input."""

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from aiida.plugins import CalculationFactory

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData


@pytest.fixture(scope="module")
def run_job(alpot_code):
    def run(name, settings, **inputs):
        builder = CalculationFactory(f"alpot.{name}").get_builder()
        builder.code = alpot_code
        builder.settings = orm.Dict(settings)
        for key, value in inputs.items():
            builder[key] = value
        return run_get_node(builder).node

    return run


@pytest.fixture(scope="module")
def sets(labelled_copper):
    """Increments of the training set, and a test set."""
    return [
        ConfigurationsData.from_configurations(labelled_copper.select(places))
        for places in ([0, 1], [2], [3])
    ]


FIT = {
    "species": ["Cu"],
    "level": 4,
    "cutoff": 4.5,
    "min_distance": None,
    "weights": {"energy": 1.0, "force": 0.01, "stress": 0.001, "relative_force_eps": None},
    "max_iterations": 20,
    "tolerance": 1e-6,
    "seed": 1,
    "threads": 1,
    "active_set": {"mode": "neighborhood", "method": "projected"},
}


@pytest.fixture(scope="module")
def fit(run_job, sets):
    training = {"turn_000": sets[0], "turn_001": sets[1]}
    return run_job("fit", FIT, training=training, test={"frozen": sets[2]})


@pytest.fixture(scope="module")
def starts(named_copper):
    return ConfigurationsData.from_configurations(named_copper)


@pytest.fixture(scope="module")
def named_copper(copper_cells):
    return copper_cells.select([0, 1]).replace(identifier=np.array(["bulk", "other"]))


SAMPLE = {
    "name": "nvt",
    "chains": ["other"],
    "sampler": {"kind": "molecular_dynamics", "temperature_K": 900, "steps": 30},
    "turn": 2,
    "seed": 5,
    "threads": 1,
    "max_frames": 6,
    "record_every": 5,
    "gamma_select": 1.01,
    "gamma_break": 1000.0,
}


@pytest.fixture(scope="module")
def sample(run_job, fit, starts):
    potential, active_set = fit.outputs.potential, fit.outputs.active_set
    return run_job("sample", SAMPLE, structures=starts, potential=potential, active_set=active_set)


def test_a_fit_gives_a_potential_with_its_active_set(fit):
    assert fit.exit_status == 0, fit.exit_message
    assert fit.outputs.potential.species == ("Cu",)
    assert fit.outputs.potential.level == 4
    assert fit.outputs.active_set.base.attributes.get("n_rows") > 0
    result = fit.outputs.result.get_dict()
    assert result["errors"]["training"]["n_configurations"] == 3
    assert result["errors"]["test"]["frozen"]["n_configurations"] == 1


def test_a_fit_gives_the_members_of_its_committee(run_job, sets):
    settings = {**FIT, "committee": {"members": 2}, "max_iterations": 2, "robust": 5.0}
    node = run_job("fit", settings, training={"turn_000": sets[0]})
    assert node.exit_status == 0, node.exit_message
    members = node.outputs.committee
    assert sorted(members) == ["potential_000", "potential_001"]
    assert members.potential_000.species == ("Cu",)
    assert members.potential_000.get_content() != members.potential_001.get_content()
    files = [member["file"] for member in node.outputs.result.get_dict()["committee"]["members"]]
    assert files == ["potential_000.mtp", "potential_001.mtp"]


def test_a_fit_without_labels_is_refused(run_job, copper_cells):
    bare = ConfigurationsData.from_configurations(copper_cells)
    node = run_job("fit", FIT, training={"turn_000": bare})
    assert node.exit_status == 205
    assert not node.base.caching.is_valid_cache


def test_a_fit_to_two_levels_of_theory_is_refused(run_job, sets, labelled_copper):
    other = labelled_copper.replace(level_of_theory='{"calculator":"Other"}')
    training = {"turn_000": sets[0], "turn_001": ConfigurationsData.from_configurations(other)}
    node = run_job("fit", FIT, training=training)
    assert node.exit_status == 206
    assert "Other" in node.exit_message


def test_an_evaluation_predicts_what_the_fit_reported(run_job, fit, sets):
    node = run_job(
        "evaluate", {"species": ["Cu"]}, potential=fit.outputs.potential, configurations=sets[2]
    )
    assert node.exit_status == 0, node.exit_message
    assert node.outputs.predictions.n_configurations == 1
    reported = fit.outputs.result["errors"]["test"]["frozen"]
    found = node.outputs.result["errors"]
    for quantity, name in (("energy", "rmse_meV_per_atom"), ("forces", "rmse_eV_per_A")):
        assert found[quantity][name] == pytest.approx(reported[quantity][name], rel=1e-9)


def test_a_prediction_is_never_found_as_a_label(run_job, fit, sets, emt_level):
    node = run_job("evaluate", {}, potential=fit.outputs.potential, configurations=sets[2])
    assert node.outputs.predictions.level_of_theory != emt_level


def test_a_sample_runs_the_chains_that_are_named_and_no_other(sample):
    assert sample.exit_status == 0, sample.exit_message
    chains = sample.outputs.result["chains"]
    assert [chain["chain"] for chain in chains] == ["other"]
    assert chains[0]["reason"]
    assert chains[0]["largest_grade"] > 0
    assert "starts.npz" in sample.base.repository.list_object_names()


def test_candidates_know_their_origin_and_carry_no_labels(sample):
    candidates = sample.outputs.candidates.get_configurations()
    assert len(candidates) > 0
    assert set(candidates.turn) == {2}
    assert set(candidates.chain) == {"other"}
    assert (candidates.grade > 1.01).all()
    assert sample.outputs.candidates.n_labelled == 0


def test_structures_are_relaxed_together_and_graded_on_the_way(run_job, fit, starts, emt_level):
    settings = {"settings": {"cell": "fixed", "fmax": 0.05}, "threads": 1}
    given = {"potential": fit.outputs.potential, "configurations": starts}
    node = run_job("relax", settings, **given, active_set=fit.outputs.active_set)
    assert node.exit_status == 0, node.exit_message
    relaxed, before = (
        one.get_configurations() for one in (node.outputs.relaxed, node.inputs.configurations)
    )
    result = node.outputs.result.get_dict()
    assert len(result["outcome"]) == len(relaxed) == len(before) == 2
    assert relaxed.identifier.tolist() == before.identifier.tolist()
    assert (relaxed.grade > 0.0).all()
    for index, outcome in enumerate(result["outcome"]):
        forces = relaxed.forces[relaxed.atoms_slice(index)]
        largest = np.linalg.norm(forces, axis=1).max()
        assert result["largest_force"][index] == pytest.approx(largest, rel=1e-6)
        assert (largest < 0.05) == (outcome == "converged")
    assert node.outputs.relaxed.level_of_theory != emt_level


def test_a_relaxation_with_an_unknown_setting_is_refused(run_job, fit, starts):
    given = {"potential": fit.outputs.potential, "configurations": starts}
    node = run_job("relax", {"settings": {"speed": 1}}, **given)
    assert node.exit_status == 201
    assert "speed" in node.exit_message
    assert not node.base.caching.is_valid_cache


def test_an_active_set_and_a_committee_are_not_given_together(run_job, fit, starts):
    potential, active_set = fit.outputs.potential, fit.outputs.active_set
    with pytest.raises(ValueError, match="one of them grades"):
        run_job(
            "sample",
            SAMPLE,
            structures=starts,
            potential=potential,
            active_set=active_set,
            committee={"potential_000": potential, "potential_001": potential},
        )


def test_a_start_that_does_not_exist_is_refused_before_submission(run_job, fit, starts):
    with pytest.raises(ValueError, match="surface"):
        run_job(
            "sample",
            {**SAMPLE, "chains": ["surface"]},
            structures=starts,
            potential=fit.outputs.potential,
        )


def test_a_selection_takes_candidates_that_enlarge_the_training_set(run_job, fit, sample, sets):
    settings = {
        "mode": "neighborhood",
        "method": "projected",
        "threshold": 1.01,
        "limit": 2,
        "gate": {},
        "test_fraction": 0.0,
        "seed": 0,
    }
    node = run_job(
        "select",
        settings,
        potential=fit.outputs.potential,
        training={"turn_000": sets[0], "turn_001": sets[1]},
        candidates={"nvt_000": sample.outputs.candidates},
    )
    assert node.exit_status == 0, node.exit_message
    selected = node.outputs.selected.get_configurations()
    offered = sample.outputs.candidates.get_configurations().hashes()
    assert 1 <= len(selected) <= 2
    assert set(selected.hashes()) <= set(offered)
    assert node.outputs.result["n_candidates"] == len(offered)


def test_a_species_that_the_potential_lacks_is_named(run_job, fit, named_copper):
    iron = Configurations.from_atoms([named_copper.atoms(0)], identifiers=["other"])
    iron = iron.replace(numbers=np.full(32, 26, dtype=np.int32))
    structures = ConfigurationsData.from_configurations(iron)
    node = run_job("sample", SAMPLE, structures=structures, potential=fit.outputs.potential)
    assert node.exit_status == 203
    assert "Fe" in node.exit_message


def test_properties_are_measured_beside_the_reference(run_job, fit, starts):
    settings = {
        "properties": [{"kind": "equation_of_state", "structure": "bulk"}],
        "reference": {"ase": "EMT", "settings": {}},
        "seed": 0,
    }
    node = run_job("properties", settings, structures=starts, potential=fit.outputs.potential)
    assert node.exit_status == 0, node.exit_message
    entry = node.outputs.result["properties"][0]
    assert entry["failed"] is None
    assert set(entry["values"]) == set(entry["reference"])


def test_the_same_fit_is_replayed_from_the_cache(run_job, fit, labelled_copper):
    """Nodes made anew from the same content hash the same, so that AiiDA finds the job."""
    made_again = [
        ConfigurationsData.from_configurations(labelled_copper.select(places))
        for places in ([0, 1], [2], [3])
    ]
    training = {"turn_000": made_again[0], "turn_001": made_again[1]}
    with enable_caching(identifier="aiida.calculations:alpot.fit"):
        node = run_job("fit", FIT, training=training, test={"frozen": made_again[2]})
    assert node.base.caching.get_cache_source() == fit.uuid
    assert node.outputs.potential.content == fit.outputs.potential.content
