# SPDX-License-Identifier: MIT
"""Records: converged means that every chain ran its whole length without extrapolating."""

import pytest

from aiida_alpot.workflows.records import is_extrapolating, sampler_of_job, turn_record


def chain(name="bulk", *, completed=True, grade=1.5, **more):
    return {"chain": name, "completed": completed, "largest_grade": grade, **more}


@pytest.mark.parametrize(
    ("chains", "extrapolating"),
    [
        ([chain(), chain(grade=2.0)], False),
        ([chain(), chain(grade=2.01)], True),
        ([chain(), chain(completed=False)], True),
        ([chain(grade=None)], True),
        ([], True),
    ],
    ids=["calm", "one frame above", "stopped early", "not graded", "nothing sampled"],
)
def test_a_turn_is_calm_only_if_every_chain_is(chains, extrapolating):
    assert is_extrapolating(chains, 2.0) is extrapolating


@pytest.fixture
def parts():
    entry = {"hash": "x", "seconds": 1.0}
    return {
        "sample_nvt_000": {"chains": [chain("bulk", grade=7.0)], "seconds": 2.0},
        "select": {"n_candidates": 9, "n_selected": 2, "verdicts": {"selected": 2, "distance": 7}},
        "ledger": {
            "entries": [
                {**entry, "identifier": "a", "status": "labelled"},
                {**entry, "identifier": "b", "status": "looked_up", "seconds": 0.0},
                {**entry, "identifier": "c", "status": "failed", "seconds": None},
            ]
        },
        "fit": {
            "errors": {"training": {}, "test": {}},
            "loss": 1e-3,
            "seconds": 4.0,
            "warnings": [{"kind": "rank", "message": "too few labels", "configurations": []}],
        },
    }


def test_a_record_counts_what_happened(campaign_settings, parts):
    record = turn_record(campaign_settings(), 1, parts)
    assert record["turn"] == 1
    assert (record["n_candidates"], record["n_selected"]) == (9, 2)
    assert (record["n_labelled"], record["n_looked_up"], record["n_failed"]) == (1, 1, 1)
    assert record["labels_used"] == 3  # one that was looked up counts, else a repeat goes further
    assert record["largest_grade"] == 7.0
    assert record["gate"] == {"selected": 2, "distance": 7}
    assert record["seconds"] == {"sample": 2.0, "select": 0.0, "label": 1.0, "fit": 4.0}
    assert record["samples"][0]["sampler"] == "nvt"
    assert record["fit"]["warnings"][0]["message"] == "too few labels"
    del parts["fit"]["warnings"]  # of a fit from before there were any
    assert turn_record(campaign_settings(), 1, parts)["fit"]["warnings"] == []


def test_a_chain_whose_job_was_lost_keeps_a_turn_from_being_calm(campaign_settings, parts):
    parts["sample_nvt_000"]["chains"] = [chain("bulk")]
    record = turn_record(campaign_settings(), 1, parts)
    lost = [one for one in record["samples"] if one.get("stop") == "lost"]
    assert {(one["sampler"], one["chain"]) for one in lost} == {
        ("nvt", "vacancy"),
        ("relax", "bulk"),
    }
    assert record["extrapolating"] is True


@pytest.mark.parametrize(
    ("job", "sampler"),
    [
        ("hot_npt_000", "hot-npt"),
        ("hot_npt_011_attempt_2", "hot-npt"),
        ("an_attempt_003", "an_attempt"),
        ("an_attempt_003_attempt_12", "an_attempt"),
    ],
)
def test_a_further_attempt_belongs_to_the_sampler_of_the_first(job, sampler):
    settings = {"explore": [{"name": "hot-npt"}, {"name": "an_attempt"}]}
    assert sampler_of_job(job, settings) == sampler
