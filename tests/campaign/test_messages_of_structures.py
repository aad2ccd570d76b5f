# SPDX-License-Identifier: MIT
"""Mistakes in species, start structures and samplers of a campaign file."""

from __future__ import annotations

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.errors import CampaignFileError, InputFileError

BULK = "bulk: {crystal: fcc, a: 3.6, cubic: true}"

# (what is written, in place of what, words that the message must hold)
MISTAKES = {
    "not a species": ("species: [Cq]", "species: [Cu]", ["species[0]", '"Cq"', "chemical symbols"]),
    "species twice": ("species: [Cu, Cu]", "species: [Cu]", ["species", "once"]),
    "species without a start": (
        "species: [Cu, Zr]\nseed: 1",
        "species: [Cu]",
        ["formula", "Cu, Zr"],
    ),
    "unknown sampler": (
        "kind: md",
        "kind: molecular_dynamics",
        ["explore[0].kind", '"md"', "relaxation"],
    ),
    "unknown sampler setting": (
        "temperature: 300",
        "temperature_K: 300",
        ["explore[0].temperature", "did you mean 'temperature_K'"],
    ),
    "missing sampler setting": (
        "pressure_GPa: 0",
        "temperature_K: 300",
        ["explore[0].temperature_K", "missing"],
    ),
    "wrong sampler setting": ("steps: -1", "steps: 10", ["explore[0]", "-1", "at least 1"]),
    "unknown start": ("starts: [slab]", "starts: [bulk]", ["explore[0].starts", '"slab"', "bulk"]),
    "sampler twice": (
        "  - {name: hot, kind: relaxation, starts: [bulk]}\ngrades",
        "grades",
        ["hot", "once"],
    ),
    "neither file nor crystal": (
        "bulk: {rattle: 0.1}",
        BULK,
        ["start.structures.bulk", "either a file or a crystal"],
    ),
    "both file and crystal": (
        "bulk: {file: a.xyz, crystal: fcc}",
        BULK,
        ["start.structures.bulk", "a.xyz"],
    ),
    "index of a crystal": (
        "bulk: {crystal: fcc, index: 1}",
        BULK,
        ["start.structures.bulk.index", "this item is a crystal"],
    ),
    "unknown crystal": (
        "bulk: {crystal: fc}",
        BULK,
        ["start.structures.bulk.crystal", '"fc"', "fcc"],
    ),
    "crystal that ASE cannot build": (
        "bulk: {crystal: hcp, a: 3.6, cubic: true}",
        BULK,
        ["start.structures.bulk", "cannot build Cu as hcp"],
    ),
    "bad index": (
        "bulk: {file: a.xyz, index: 'a:b'}",
        BULK,
        ["start.structures.bulk.index", "start:stop:step"],
    ),
    "all atoms taken out": (
        "bulk: {crystal: fcc, vacancies: 1}",
        BULK,
        ["start.structures.bulk", "vacancies is 1"],
    ),
    "too many shares": (
        "bulk: {crystal: fcc, substitute: {Cu: 0.7, Au: 0.4}}",
        BULK,
        ["substitute", "Au"],
    ),
    "overlapping atoms": (
        "bulk: {crystal: fcc, a: 0.2}",
        BULK,
        ["start.structures.bulk", "overlap"],
    ),
    "no structures": (
        "structures: {}",
        "structures:\n    " + BULK,
        ["start.structures", "at least one"],
    ),
    "negative strain": (
        "strain: -0.1",
        "strain: 0.01",
        ["start.training[0].strain is -0.1", "0 to 0.5"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_key_value_and_remedy(mistake, assert_refused):
    assert_refused(*MISTAKES[mistake])


def test_a_missing_structure_file_is_named_with_its_key(write_campaign):
    path = write_campaign((BULK, "bulk: {file: nothing.xyz}"))
    with pytest.raises(InputFileError, match=r"start\.structures\.bulk: .*nothing\.xyz"):
        load_campaign(path)


def test_a_species_that_nothing_holds_is_refused(write_campaign):
    path = write_campaign(
        ("species: [Cu]", "species: [Cu, Zr]"),
        (
            "{crystal: fcc, a: 3.6, cubic: true, strain",
            "{formula: Cu, crystal: fcc, a: 3.6, strain",
        ),
        (BULK, "bulk: {formula: Cu, crystal: fcc, a: 3.6}"),
    )
    with pytest.raises(CampaignFileError, match=r"species is .*Zr.* where Zr does not"):
        load_campaign(path)
