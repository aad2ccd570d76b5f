# SPDX-License-Identifier: MIT
"""Radii of PAW cores: given, of GPAW, or out of a POTCAR file."""

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.campaign.core_radii import gpaw_core_radii, read_potcar_radii
from aiida_alpot.errors import CampaignFileError, InputFileError

BOHR = 0.529177
HEAD_OF_A_POTCAR = """\
 PAW_PBE Cu 22Jun2005
   11.0000000000000
 parameters from PSCTR are:
   VRHFIN =Cu: d10 p1
   LEXCH  = PE
   RCORE  =    2.300    outmost cutoff radius
   RWIGS  =    2.480; RWIGS  =    1.312    wigner-seitz radius (au A)
 PAW_PBE Zr_sv 04Jan2005
   VRHFIN =Zr: 4s4p5s4d
   RCORE  =    2.500    outmost cutoff radius
"""


def radii_in(campaign):
    return campaign.content.gate["core_radii"]


def test_gpaw_stands_for_the_radii_of_its_data_sets(write_campaign):
    campaign = load_campaign(write_campaign(added="gate: {core_radii: gpaw}\n"))
    assert radii_in(campaign) == {"Cu": pytest.approx(2.2 * BOHR, abs=1e-4)}
    assert campaign.as_settings()["gate"]["core_radii"] == radii_in(campaign)
    assert all(0.4 < radius < 1.5 for radius in gpaw_core_radii().values())


def test_the_radii_of_a_potcar_are_those_of_its_species(write_campaign, tmp_path):
    (tmp_path / "POTCAR").write_text(HEAD_OF_A_POTCAR, encoding="utf-8")
    radii = read_potcar_radii(tmp_path / "POTCAR")
    assert radii == pytest.approx({"Cu": 2.3 * BOHR, "Zr": 2.5 * BOHR}, abs=1e-4)
    path = write_campaign(added="gate: {core_radii: POTCAR, max_atoms: 64}\n")
    (path.parent / "POTCAR").write_text(HEAD_OF_A_POTCAR, encoding="utf-8")
    campaign = load_campaign(path)
    assert radii_in(campaign) == {"Cu": radii["Cu"]}
    assert campaign.content.gate["max_atoms"] == 64


def test_radii_that_are_given_stay_as_they_are(write_campaign):
    campaign = load_campaign(write_campaign(added="gate: {core_radii: {Cu: 1.1}}\n"))
    assert radii_in(campaign) == {"Cu": 1.1}


def test_what_is_no_potcar_is_one_line(write_campaign):
    with pytest.raises(InputFileError, match="absent"):
        load_campaign(write_campaign(added="gate: {core_radii: absent}\n"))
    path = write_campaign(added="gate: {core_radii: campaign.yaml}\n")
    (path.parent / "POTCAR").write_text("nothing", encoding="utf-8")
    with pytest.raises(InputFileError, match="no POTCAR file with the tags VRHFIN and RCORE"):
        read_potcar_radii(path.parent / "POTCAR")


def test_a_species_without_a_radius_is_named(write_campaign):
    path = write_campaign(added="gate: {core_radii: POTCAR}\n")
    only_zirconium = HEAD_OF_A_POTCAR[HEAD_OF_A_POTCAR.index(" PAW_PBE Zr") :]
    (path.parent / "POTCAR").write_text(only_zirconium, encoding="utf-8")
    with pytest.raises(CampaignFileError, match="POTCAR has none for Cu"):
        load_campaign(path)
