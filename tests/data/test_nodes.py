# SPDX-License-Identifier: MIT
"""Nodes: equal content is equal, what is stored can be read, what cannot be read is refused."""

import io

import numpy as np
import pytest
from aiida.common.exceptions import ValidationError
from aiida.orm import load_node

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.errors import GeometryError, InputFileError, SpeciesError
from aiida_alpot.grading import empty_active_set
from aiida_alpot.grading.mlip_state import dump_almtp
from aiida_alpot.mtp.mlip_files import dump_potential
from aiida_alpot.mtp.potential import initial_potential


@pytest.fixture(scope="module")
def potential():
    return initial_potential(
        4, 5.0, species=("Cu",), min_distance=2.0, rng=np.random.default_rng(0)
    )


def test_equal_configurations_have_equal_hashes_whoever_made_them(labelled_copper):
    first = ConfigurationsData.from_configurations(labelled_copper).store()
    second = ConfigurationsData(
        io.BytesIO(labelled_copper.to_bytes()), filename="other_name.npz"
    ).store()
    assert first.uuid != second.uuid
    assert first.base.caching.get_hash() == second.base.caching.get_hash()


def test_one_bit_of_one_position_changes_the_hash(labelled_copper):
    moved = labelled_copper.positions.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], np.inf)
    first = ConfigurationsData.from_configurations(labelled_copper).store()
    second = ConfigurationsData.from_configurations(
        labelled_copper.replace(positions=moved)
    ).store()
    assert first.base.caching.get_hash() != second.base.caching.get_hash()


def test_configurations_come_back_as_they_went_in(labelled_copper):
    stored = ConfigurationsData.from_configurations(labelled_copper).store()
    assert load_node(stored.uuid).get_configurations().to_bytes() == labelled_copper.to_bytes()


def test_attributes_tell_what_a_query_needs(labelled_copper, emt_level):
    half = Configurations.from_atoms(
        [*list(labelled_copper)[:2], labelled_copper.without_labels().atoms(2)],
        level_of_theory=emt_level,
    )
    node = ConfigurationsData.from_configurations(half).store()
    assert node.n_configurations == 3
    assert node.base.attributes.get("n_atoms") == 96
    assert node.species == ("Cu",)
    assert node.n_labelled == 2
    assert node.level_of_theory == emt_level
    assert node.label_hashes == labelled_copper.hashes()[:2]


def test_a_configuration_without_its_energy_cannot_stand_for_a_label(labelled_copper):
    energy = labelled_copper.energy.copy()
    energy[0] = np.nan
    node = ConfigurationsData.from_configurations(labelled_copper.replace(energy=energy))
    assert node.label_hashes == labelled_copper.hashes()[1:]
    assert node.n_labelled == 4  # forces alone can be trained on


@pytest.mark.parametrize("array", ["positions", "cells"])
def test_places_that_are_not_finite_are_refused(array, labelled_copper):
    values = getattr(labelled_copper, array).copy()
    values[1] = np.inf
    with pytest.raises(GeometryError, match=f"{array[:-1]} that is not finite"):
        ConfigurationsData.from_configurations(labelled_copper.replace(**{array: values}))


@pytest.mark.parametrize("kind", [ConfigurationsData, PotentialData, ActiveSetData])
def test_a_truncated_file_is_refused_before_it_is_stored(kind, labelled_copper, potential):
    whole = {
        ConfigurationsData: labelled_copper.to_bytes(),
        PotentialData: dump_potential(potential).encode(),
        ActiveSetData: labelled_copper.to_bytes(),
    }[kind]
    with pytest.raises(InputFileError):
        kind(io.BytesIO(whole[: len(whole) // 2]))


@pytest.mark.parametrize("kind", [ConfigurationsData, PotentialData, ActiveSetData])
def test_a_node_without_its_file_cannot_be_stored(kind):
    with pytest.raises(ValidationError):
        kind().store()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputFileError, match=r"nowhere\.npz"):
        ConfigurationsData.from_file(tmp_path / "nowhere.npz")


def test_a_potential_node_describes_its_potential(potential):
    node = PotentialData.from_potential(potential).store()
    assert node.species == ("Cu",)
    assert node.level == 4
    assert node.cutoff == 5.0
    assert node.base.attributes.get("n_parameters") == potential.n_parameters
    assert dump_potential(load_node(node.uuid).get_potential()) == node.get_text()


def test_a_potential_without_species_asks_for_them(potential):
    text = dump_potential(potential).replace("potential_tag = Cu", "potential_tag =")
    with pytest.raises(SpeciesError, match="species"):
        PotentialData.from_text(text)
    assert PotentialData.from_text(text, species=["Cu"]).species == ("Cu",)


def test_a_potential_may_hold_its_active_set(potential, tmp_path):
    content = dump_almtp(potential, empty_active_set(potential, method="parity"))
    (tmp_path / "cu.almtp").write_bytes(content)
    node = PotentialData.from_file(tmp_path / "cu.almtp").store()
    assert node.content == content
    assert node.get_text() == dump_potential(potential)
    assert np.array_equal(node.get_potential().parameters, potential.parameters)
    assert node.species == ("Cu",)
    named = PotentialData.from_content(
        content.replace(b"potential_tag = Cu", b"potential_tag ="), species=["Cu"]
    )
    assert named.content == content


def test_a_potential_with_a_damaged_active_set_is_refused(potential):
    content = dump_almtp(potential, empty_active_set(potential, method="parity"))
    with pytest.raises(InputFileError, match="active set"):
        PotentialData.from_content(content[:-2000])
