# SPDX-License-Identifier: MIT
"""Settings of VASP: what is refused, what the INCAR is, what decides a label."""

import json

import pytest

from aiida_alpot.campaign.vasp_settings import (
    check_vasp_settings,
    deciding_tags,
    incar_of,
    moments_of,
    vasp_level,
)
from aiida_alpot.errors import SettingError
from aiida_alpot.workflows.label.recipes import VASP_RECIPES

LEAST = {"encut": 400, "kspacing": 0.2, "family": "PBE.54"}


def settings(**changes):
    return check_vasp_settings({**LEAST, **changes})


def level(**changes):
    return vasp_level({**LEAST, **changes}, {"Fe": "sha512:1"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encut": -3}, "encut is -3"),
        ({"ecut": 3}, "did you mean 'encut'"),
        ({"kpts": [2, 2, 2]}, "exactly one of"),
        ({"kspacing": None}, "exactly one of"),
        ({"xc": "B3LYP"}, "B3LYP"),
        ({"incar": {"NSW": 10}}, "NSW cannot be set"),
        ({"incar": {"ENCUT": 10}}, r"ENCUT .* settings\.encut"),
        ({"incar": {"Gga": "PE"}}, r"settings\.xc"),
        ({"incar": {"algo": "GW0"}}, "GW0"),
        ({"incar": {"system": "a\nLSORBIT = T"}}, "letters, digits"),
        ({"incar": {"a b": 1}}, "no tag"),
        ({"magmoms": {"Xx": 1.0}}, "magmoms"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(changes, told):
    with pytest.raises(SettingError, match=told):
        settings(**changes)


def test_every_run_is_one_energy_with_its_stress_from_scratch():
    incar = incar_of(settings())
    expected = {"nsw": 0, "ibrion": -1, "isif": 2, "istart": 0, "icharg": 2, "encut": 400}
    assert expected.items() <= incar.items()
    assert incar["gga"] == "pe"
    assert incar["ispin"] == 1


def test_moments_make_a_run_spin_polarised():
    incar = incar_of(settings(magmoms={"Fe": 2.2}))
    assert (incar["ispin"], incar["lorbit"]) == (2, 11)


@pytest.mark.parametrize(
    "changes",
    [
        {"encut": 401},
        {"kspacing": 0.21},
        {"xc": "PBEsol"},
        {"incar": {"ismear": 1}},
        {"incar": {"sigma": 0.1}},
        {"incar": {"ediff": 1e-5}},
        {"incar": {"lreal": "auto"}},
        {"incar": {"ispin": 2}},
        {"magmoms": {"Fe": 2.2}},
        {"structure_magmoms": {"afm": [2.0, -2.0]}},
        {"ldau": {"mapping": {"Fe": ["d", 4.0]}}},
        {"vacuum": 6.0},
    ],
    ids=str,
)
def test_what_decides_a_label_is_in_the_level_of_theory(changes):
    assert level(**changes) != level()


@pytest.mark.parametrize(
    "changes",
    [
        {"incar": {"nelm": 500, "algo": "all", "amix": 0.1, "kpar": 4, "ncore": 8, "nbands": 40}},
        {"incar": {"PREC": "Accurate", "ediff": 0.000001, "SIGMA": 0.05}},
        {"encut": 400.0},
        {"xc": None, "incar": {"gga": "PE"}},
        {"moment_kept": 0.9, "max_iterations": 3, "parser": {"check_errors": True}},
        {"family": "another name"},
    ],
    ids=str,
)
def test_what_does_not_decide_is_not(changes):
    assert level(**changes) == level()


def test_potcar_files_count_by_their_content():
    named = vasp_level(LEAST)
    assert json.loads(named)["settings"]["potentials"] == {"family": "PBE.54", "mapping": {}}
    assert vasp_level(LEAST, {"Fe": "sha512:1"}) != vasp_level(LEAST, {"Fe": "sha512:2"})


@pytest.mark.parametrize("recipes", VASP_RECIPES.values(), ids=VASP_RECIPES.keys())
def test_no_recipe_changes_the_level_of_theory(recipes):
    base = incar_of(settings(magmoms={"Fe": 2.2}))
    for recipe in recipes:
        assert deciding_tags({**base, **recipe.changes.get("incar", {})}) == deciding_tags(base)
        assert set(recipe.changes) <= {"incar", "moments", "kpar", "options", "batch"}


def test_moments_are_those_of_the_structure_then_of_the_species():
    given = settings(magmoms={"Fe": 2.2}, structure_magmoms={"afm": [2.0, -2.0]})
    assert moments_of(given, ["Fe", "C"], ("other",)) == [2.2, 0.0]
    assert moments_of(given, ["Fe", "Fe"], ("frame", "afm")) == [2.0, -2.0]
    assert moments_of(settings(), ["Fe"]) is None
    with pytest.raises(SettingError, match="2 moments for 3 atoms"):
        moments_of(given, ["Fe"] * 3, ("afm",))
