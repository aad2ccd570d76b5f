# SPDX-License-Identifier: MIT
"""The level of theory is one text for one physics."""

import json

import pytest

from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.level_of_theory import level_hash, level_of_theory

ALUMINIUM = {"ecut": 300, "xc": "PBE", "kspacing": 0.25, "smearing": 0.2}


def test_order_number_type_and_defaults_written_out_do_not_matter():
    text = level_of_theory("GPAW", ALUMINIUM)
    same = {"smearing": 0.2, "kspacing": 0.25, "ecut": 300.0, "setups": "paw", "magmoms": {}}
    assert level_of_theory("GPAW", same) == text
    assert json.loads(text)["settings"]["ecut"] == 300.0
    assert level_hash(text) == level_hash(level_of_theory("GPAW", same))


@pytest.mark.parametrize(
    "change",
    [
        {"ecut": 301},
        {"xc": "LDA"},
        {"kspacing": 0.26},
        {"smearing": 0.1},
        {"setups": {"Al": "sg15"}},
        {"spinpol": True},
        {"magmoms": {"Al": 1}},
        {"dedecut": "estimate"},
        {"convergence": {"density": 1e-6}},
    ],
)
def test_what_changes_a_label_changes_the_level(change):
    other = level_of_theory("GPAW", ALUMINIUM | change)
    assert other != level_of_theory("GPAW", ALUMINIUM)
    assert level_hash(other) != level_hash(level_of_theory("GPAW", ALUMINIUM))


@pytest.mark.parametrize(
    "change", [{"maxiter": 50}, {"mixer": {"beta": 0.1}}, {"nbands": "120%"}, {"log": False}]
)
def test_what_only_finds_the_same_label_faster_does_not_change_the_level(change):
    assert level_of_theory("GPAW", ALUMINIUM | change) == level_of_theory("GPAW", ALUMINIUM)


def test_calculators_without_settings_in_common_have_levels_of_their_own():
    levels = {level_of_theory(name, {}) for name in ("EMT", "LennardJones", "MorsePotential")}
    assert len(levels) == 3


def test_a_file_counts_with_its_content_not_its_name(tmp_path):
    for name, content in (("a.alloy", "1"), ("b.alloy", "1"), ("c.alloy", "2")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    first, copy, other = (
        level_of_theory("EAM", {"file": name}, folder=tmp_path)
        for name in ("a.alloy", "b.alloy", "c.alloy")
    )
    assert first == copy != other


def test_a_wrong_setting_or_missing_file_is_an_error_of_the_package(tmp_path):
    with pytest.raises(SettingError, match="Unknown calculator 'Vasp'"):
        level_of_theory("Vasp", {})
    with pytest.raises(SettingError, match="Unknown setting 'encut'"):
        level_of_theory("GPAW", {"encut": 300})
    with pytest.raises(InputFileError, match="no file 'absent"):
        level_of_theory("EAM", {"file": "absent.alloy"}, folder=tmp_path)
