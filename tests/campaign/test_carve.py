# SPDX-License-Identifier: MIT
"""The section ``carve`` of a campaign file: what it means, and what is refused when it is read."""

from __future__ import annotations

import pytest
from ase import Atoms
from ase.cluster import Octahedron
from ase.io import write

from aiida_alpot.campaign import load_campaign
from aiida_alpot.campaign.carve_checks import check_carve
from aiida_alpot.campaign.schema import (
    BudgetSection,
    CampaignFile,
    CarveSection,
    LabelSection,
    PotentialSection,
)
from aiida_alpot.cli.dry_run import carve_lines
from aiida_alpot.errors import CampaignFileError
from aiida_alpot.workflows.selecting import select_request
from aiida_alpot.workflows.settings import check_settings

CARVE = "carve: {above_atoms: 60, radius: 6.0, per_structure: 2}\n"
LARGE = ("cubic: true}\nexplore", "cubic: true}\n    particle: {file: particle.xyz}\nexplore")
STARTS = ("starts: [bulk]", "starts: [particle, bulk]")
ALONE = ("starts: [bulk]", "starts: [particle]")


@pytest.fixture
def write_particle(write_campaign, tmp_path):
    """Write the campaign with a cluster of 116 atoms among its starts."""
    write(tmp_path / "particle.xyz", Atoms(Octahedron("Cu", 6, cutoff=2)))

    def write_it(*replacements, starts=STARTS, carve=CARVE, added=""):
        return write_campaign(LARGE, starts, *replacements, added=carve + added)

    return write_it


def test_without_the_section_nothing_is_said_of_chunks(write_campaign):
    settings = load_campaign(write_campaign()).as_settings()
    assert "carve" not in settings
    check_settings(settings)


def test_the_section_reaches_the_jobs_with_all_its_defaults(write_campaign):
    campaign = load_campaign(write_campaign(added="carve: {}\n"))
    settings = campaign.as_settings()
    check_settings(settings)
    assert settings["carve"] == {
        "above_atoms": 100,
        "radius": 8.0,
        "vacuum": 5.0,
        "kind": "cluster",
        "passivate": None,
        "per_structure": 3,
        "smallest_radius": 5.0,
    }
    request = select_request(settings, turn=1, labels_left=9, is_first=False)
    assert request["carve"] == settings["carve"]


def test_a_dry_run_tells_of_chunks(write_particle):
    lines = "\n".join(carve_lines(load_campaign(write_particle())))
    assert "of frames of more than 60 atoms, as of 1 starts, at most 2 chunks of 6 A" in lines
    saturated = write_particle(carve="carve: {above_atoms: 115, radius: 6.0, passivate: H}\n")
    lines = "\n".join(carve_lines(load_campaign(saturated)))
    assert "at most 3 chunks saturated with H, of 6 A each, for one force" in lines


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("{above_atoms: 0}", ["carve.above_atoms", "numbers from 1"]),
        ("{radius: 4.9}", ["carve.radius", "potential.cutoff, which is 5"]),
        ("{vacuum: -1.0}", ["carve.vacuum"]),
        ("{kind: cube}", ["carve.kind", "cluster or periodic"]),
        ("{kind: periodic, passivate: Cu}", ["carve.passivate", "no cut bonds"]),
        ("{passivate: Xx}", ["carve.passivate"]),
        ("{per_structure: 11}", ["carve.per_structure", "labels_per_turn, which is 10"]),
        ("{colour: 1}", ["carve.colour"]),
    ],
)
def test_what_no_chunk_can_be_is_refused(write_campaign, section, words):
    with pytest.raises(CampaignFileError) as caught:
        load_campaign(write_campaign(added=f"carve: {section}\n"))
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_large_starts_need_a_grade_of_atoms(write_particle):
    of_configurations = ("{gamma_select: 2, gamma_break: 10}", "{mode: configuration}")
    budget = ("{labels: 20}", "{labels: 200}")
    with pytest.raises(CampaignFileError, match=r"grades.mode.*neighborhood.*116 atoms"):
        load_campaign(write_particle(of_configurations, budget))
    small = load_campaign(write_particle(of_configurations, budget, starts=("[bulk]", "[bulk]")))
    assert small.content.grades.mode == "configuration"
    committee = "fit: {committee: {members: 2}}\n"
    of_committee = ("{gamma_select: 2, gamma_break: 10}", "{grader: committee}")
    load_campaign(write_particle(of_committee, added=committee))


def test_a_limit_below_what_the_potential_sees_is_refused(write_particle):
    carve = "carve: {above_atoms: 30, radius: 6.0}\n"
    with pytest.raises(CampaignFileError, match=r"carve.above_atoms is 30.*within.*5 A, holds"):
        load_campaign(write_particle(carve=carve))


@pytest.mark.parametrize(
    ("section", "holds"),
    [
        ("{above_atoms: 100, radius: 6.0, passivate: H}", "H at cut bonds included"),
        ("{above_atoms: 60, radius: 6.0, kind: periodic}", "holds"),
    ],
)
def test_atoms_that_saturate_and_lengths_of_cells_count_among_those_allowed(
    write_campaign, section, holds
):
    crystal = "large: {crystal: fcc, a: 3.59, cubic: true, supercell: 5}"
    starts = ("cubic: true}\nexplore", f"cubic: true}}\n    {crystal}\nexplore")
    added = f"carve: {section}\n"
    with pytest.raises(CampaignFileError, match=f"carve.above_atoms is .*{holds}.*well above"):
        load_campaign(write_campaign(starts, ("starts: [bulk]", "starts: [large]"), added=added))
    wider = added.replace("60", "200").replace("100", "250")
    load_campaign(write_campaign(starts, ("starts: [bulk]", "starts: [large]"), added=wider))


@pytest.mark.parametrize(("calculator", "is_allowed"), [("EMT", True), ("VASP", False)])
def test_an_element_that_saturates_needs_no_place_among_the_species(calculator, is_allowed):
    """But with codes whose level of theory names a pseudopotential for each species."""
    carve = CarveSection(passivate="H", radius=6.0)
    label = LabelSection.model_construct(calculator=calculator, workchain=None)
    content = CampaignFile.model_construct(
        carve=carve,
        label=label,
        species=["Cu"],
        potential=PotentialSection(),
        budget=BudgetSection(labels=20),
    )
    if is_allowed:
        check_carve(content, "campaign.yaml")
        return
    with pytest.raises(CampaignFileError, match=r"carve.passivate.*one of species, Cu.*VASP"):
        check_carve(content, "campaign.yaml")


def test_before_there_is_a_potential_starts_must_be_small(write_particle):
    first = ("start:\n", "start:\n  calculator: {name: EMT, labels: 4}\n")
    with pytest.raises(CampaignFileError, match=r"start.calculator.samplers.*hot.*116 atoms"):
        load_campaign(write_particle(first))


def test_chunks_that_are_periodic_need_starts_that_are(write_particle):
    carve = "carve: {above_atoms: 60, radius: 6.0, kind: periodic}\n"
    with pytest.raises(CampaignFileError, match=r"carve.kind.*cluster.*not periodic"):
        load_campaign(write_particle(carve=carve))


@pytest.mark.parametrize("target", ["energy_rmse_meV_per_atom", "stress_mae_GPa"])
def test_an_audit_of_chunks_has_targets_of_forces_alone(write_particle, target):
    added = f"converge: {{targets: {{{target}: 5.0}}}}\n"
    with pytest.raises(CampaignFileError, match="errors of forces alone"):
        load_campaign(write_particle(starts=ALONE, added=added))
    load_campaign(write_particle(added=added))  # another start is small
    of_forces = "converge: {targets: {forces_rmse_eV_per_A: 0.1}}\n"
    load_campaign(write_particle(starts=ALONE, added=of_forces))
