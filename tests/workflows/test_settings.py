# SPDX-License-Identifier: MIT
"""Settings of a campaign: wrong ones are refused in words, seeds repeat, names become links."""

import copy

import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.jobs.requests import to_plain_json
from aiida_alpot.workflows.fit import fit_request
from aiida_alpot.workflows.settings import (
    check_settings,
    derive_seed,
    link_name,
    read_criterion,
)


def test_whole_settings_pass(campaign_settings):
    check_settings(campaign_settings())


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("surprise",), 1, "surprise"),
        (("seed",), "zero", "seed"),
        (("seed",), True, "seed"),
        (("schema",), 2, "schema 2"),
        (("grades", "gamma_brake"), 3.0, "gamma_brake"),
        (("grades", "gamma_select"), 20.0, "gamma_select"),
        (("grades", "gamma_entry"), 3.0, "gamma_entry"),
        (("grades", "mode"), "atoms", "mode"),
        (("budget", "labels"), 0, "budget.labels"),
        (("budget", "turns"), 0, "budget.turns"),
        (("label", "max_jobs"), 0, "label.max_jobs"),
        (("potential", "level"), 8.5, "level"),
        (("potential", "zbl"), True, "zbl"),
        (("potential", "zbl"), {"inner": "1 A"}, "zbl"),
        (("explore",), [], "samplers"),
        (("fit",), None, "fit"),
        (("budget", "core_hours"), "many", "core_hours"),
        (("converge",), {"turn": 2}, "turn"),
        (("converge",), {"turns": 0}, "converge.turns"),
        (("pause_before",), "sample", "pause_before"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_key_is_named(campaign_settings, path, value, named):
    settings = campaign_settings()
    section = settings
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    with pytest.raises(SettingError, match=named):
        check_settings(settings)


@pytest.mark.parametrize("section", ["potential", "budget", "label", "explore", "seed"])
def test_a_missing_section_is_named(campaign_settings, section):
    settings = campaign_settings()
    del settings[section]
    with pytest.raises(SettingError, match=section):
        check_settings(settings)


def test_the_core_of_a_campaign_reaches_every_fit(campaign_settings):
    settings = campaign_settings()
    assert fit_request(settings, turn=1)["zbl"] is None
    core = {"inner": 1.1, "outer": None, "pairs": {"Cu-Cu": [1.0, 1.8]}, "overlay": False}
    settings["potential"]["zbl"] = core
    check_settings(settings)
    assert to_plain_json(fit_request(settings, turn=2)["zbl"]) == core


def test_without_a_criterion_one_turn_without_extrapolation_is_enough(campaign_settings):
    assert read_criterion(campaign_settings()).turns == 1
    settings = campaign_settings(converge={"turns": 3, "audit_labels": 2, "targets": {"a": 1.0}})
    check_settings(settings)
    assert read_criterion(settings).reserved_labels == 6


def test_two_samplers_cannot_share_a_name(campaign_settings):
    settings = campaign_settings()
    settings["explore"] = [settings["explore"][0], copy.deepcopy(settings["explore"][0])]
    with pytest.raises(SettingError, match="names"):
        check_settings(settings)


def test_seeds_repeat_and_differ_between_jobs():
    assert derive_seed(0, 1, "sample", "nvt_000") == derive_seed(0, 1, "sample", "nvt_000")
    seeds = {
        derive_seed(seed, turn, role, name)
        for seed in (0, 1)
        for turn in (1, 2)
        for role in ("sample", "fit")
        for name in ("", "nvt_000")
    }
    assert len(seeds) == 16
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize(
    ("name", "link"), [("nvt", "nvt"), ("nvt-hot", "nvt_hot"), ("a__b-", "a_b"), ("300 K", "300_K")]
)
def test_names_become_link_labels(name, link):
    assert link_name(name) == link
