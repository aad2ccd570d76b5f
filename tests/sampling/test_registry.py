# SPDX-License-Identifier: MIT
"""Samplers are made from plain settings, and wrong ones are refused in words."""

import dataclasses
import math

import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling import SAMPLERS, RecordRules, StopRules, describe, make_sampler

DYNAMICS = {"temperature_K": 300, "steps": 100}


@pytest.mark.parametrize(
    "settings_class", [*(pair[1] for pair in SAMPLERS.values()), StopRules, RecordRules]
)
def test_every_setting_has_a_help_text(settings_class):
    for field in dataclasses.fields(settings_class):
        assert len(field.metadata["help"]) > 10, field.name


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("dance", {}, "Unknown sampler 'dance'; allowed are molecular_dynamics, relaxation"),
        ("molecular_dynamics", {"steps": 5}, "lacks the key 'temperature_K'"),
        ("molecular_dynamics", DYNAMICS | {"stpes": 5}, "Unknown key 'stpes' of sampler"),
        ("molecular_dynamics", DYNAMICS | {"steps": 2.5}, "it must be a whole number"),
        ("molecular_dynamics", DYNAMICS | {"steps": True}, "it must be a whole number"),
        ("molecular_dynamics", DYNAMICS | {"steps": 0}, "'steps' is 0; it must be"),
        ("molecular_dynamics", DYNAMICS | {"temperature_K": [1, 2, 3]}, "a number or a list"),
        ("molecular_dynamics", DYNAMICS | {"temperature_K": -5}, "it must be above 0 K"),
        ("molecular_dynamics", DYNAMICS | {"ensemble": "muVT"}, "one of nvt, npt, nve"),
        ("molecular_dynamics", DYNAMICS | {"timestep_fs": 0}, "it must be a positive number"),
        (
            "molecular_dynamics",
            DYNAMICS | {"ensemble": "nve", "temperature_K": [300, 600]},
            "one number for nve",
        ),
        (
            "molecular_dynamics",
            DYNAMICS | {"ensemble": "npt", "thermostat": "bussi"},
            "left out for npt; choose ensemble nvt",
        ),
        ("molecular_dynamics", DYNAMICS | {"cell": "flexible"}, "choose ensemble npt"),
        ("molecular_dynamics", DYNAMICS | {"timestep_fs": 10**400}, "it must be a number"),
        ("rattled", {"min_distance_factor": -1}, "it must be zero or a positive number"),
        ("rattled", {"min_distance_factor": 2e9}, "a positive number, at most 5"),
        ("evolution", {"fingerprint_width": 8}, "a positive number, at most 1 A"),
        ("decorations", {"species": ["Cu", "Au"], "symmetry_tolerance": 10}, "at most 1 A"),
        ("rattled", {"min_distances": {"Cu-X": 1.0}}, "write two chemical symbols"),
        ("random_structures", {"formula": "CuX2"}, "write chemical symbols and counts"),
        ("lattice_monte_carlo", {"temperature_K": 300, "species": ["Cu", "Zz"]}, "is 'Zz'; it"),
        ("relaxation", {"optimizer": "Newton"}, "one of BFGS, LBFGS, FIRE"),
        ("relaxation", {"pressure_GPa": 5}, "choose cell isotropic or flexible"),
        ("relaxation", {"fmax": "small"}, "'fmax' of sampler 'relaxation' is 'small'"),
    ],
)
def test_wrong_settings_are_refused_in_words(kind, settings, message):
    with pytest.raises(SettingError) as raised:
        make_sampler(kind, settings)
    assert message in str(raised.value)


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_setting_takes_what_is_no_number(kind, value):
    needed = {
        field.name: 300 if field.name != "species" else ["Cu", "Au"]
        for field in dataclasses.fields(SAMPLERS[kind][1])
        if field.default is dataclasses.MISSING
    }
    for field in dataclasses.fields(SAMPLERS[kind][1]):
        for wrong in (value, [value, value], {"Cu-Cu": value}, [[0, value, 0, 0]]):
            with pytest.raises(SettingError, match=field.name):
                make_sampler(kind, needed | {field.name: wrong})


def test_a_list_is_a_ramp_and_whole_numbers_are_real_numbers():
    settings = make_sampler("molecular_dynamics", DYNAMICS | {"temperature_K": [300, 600]}).settings
    assert settings.ramp == (300.0, 600.0)
    assert isinstance(settings.ramp[0], float)


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (
            "molecular_dynamics",
            DYNAMICS | {"temperature_K": [300, 600], "ensemble": "npt"},
            "npt molecular dynamics at 300 to 600 K, 0 GPa, isotropic cell: 100 steps of 2 fs",
        ),
        ("relaxation", {}, "relaxation of positions by BFGS to 0.01 eV/A: at most 200 steps"),
    ],
)
def test_a_sampler_is_described_in_one_sentence(kind, settings, sentence):
    assert describe(kind, settings) == sentence
