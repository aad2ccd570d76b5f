# SPDX-License-Identifier: MIT
"""The doctor looks for the POTCAR file of each species, under the name that the settings have."""

from __future__ import annotations

from aiida_alpot.cli.checkup.plan import Potcars
from aiida_alpot.cli.checkup.potcars import check_potcars


def test_a_complete_family_passes(potcar_family):
    found = check_potcars(Potcars(potcar_family, ("Cu", "Fe")))
    assert found.passed
    assert found.detail == "complete for Cu, Fe"


def test_a_name_of_the_mapping_is_what_is_looked_for(potcar_family):
    assert not check_potcars(Potcars(potcar_family, ("Cu",), {"Cu": "Cu_pv"})).passed
    assert check_potcars(Potcars(potcar_family, ("Fe",), {"Fe": "Fe"})).passed


def test_all_species_that_a_family_lacks_are_named(potcar_family):
    found = check_potcars(Potcars(potcar_family, ("Cu", "Zr", "Hf")))
    assert (found.passed, found.detail) == (False, "it lacks Zr, Hf")
    assert f"uploadfamily --path FOLDER --name {potcar_family}" in found.remedy


def test_a_family_that_is_not_there_is_named(aiida_profile):
    found = check_potcars(Potcars("missing", ("Cu",)))
    assert not found.passed
    assert "'missing'" in found.detail
