# SPDX-License-Identifier: MIT
"""The potential as a value: parameters, species, start."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.mtp.potential import initial_potential


def start(level: int = 8, **changes):
    settings = {"species": ["Cu", "Ni"], "min_distance": 1.8, "rng": np.random.default_rng(0)}
    return initial_potential(level, changes.pop("cutoff", 5.0), **(settings | changes))


@pytest.mark.parametrize(
    ("level", "one", "two", "three"),
    [
        (2, 10, 35, 76),
        (8, 26, 75, 156),
        (12, 54, 127, 248),
        (16, 125, 222, 383),
    ],
)
def test_the_number_of_parameters_is_that_of_the_literature(level, one, two, three):
    names = ["Cu", "Ni", "Al"]
    counts = [start(level, species=names[:n]).n_parameters for n in (1, 2, 3)]
    assert counts == [one, two, three]


def test_parameters_survive_a_round_trip():
    potential = start(10)
    values = np.random.default_rng(1).standard_normal(potential.n_parameters)
    changed = potential.with_parameters(values)
    np.testing.assert_array_equal(changed.parameters, values)
    assert changed.n_radial_parameters == 2 * 2 * 3 * 8
    np.testing.assert_array_equal(changed.radial_coefficients[1, 0, 2], values[64:72])
    np.testing.assert_array_equal(changed.species_coefficients, values[96:98])
    values[:] = 0.0
    assert changed.parameters.any()


def test_a_wrong_number_of_parameters_is_refused():
    with pytest.raises(SettingError, match="75 parameters, 3 were given"):
        start().with_parameters(np.zeros(3))


def test_types_follow_the_order_of_the_species():
    np.testing.assert_array_equal(start().types_of(np.array([28, 29, 29])), [1, 0, 0])


def test_missing_species_are_named():
    with pytest.raises(SpeciesError, match=r"Al, Zn is not in the potential \(Cu, Ni\)"):
        start().types_of(np.array([29, 13, 30]))


def test_a_potential_without_names_asks_for_them():
    unnamed = start().with_species(["Cu", "Ni"])
    object.__setattr__(unnamed, "species", ())
    with pytest.raises(SpeciesError, match="--species"):
        unnamed.types_of(np.array([29]))


@pytest.mark.parametrize("names", [["Cu"], ["Cu", "Cu"], ["Cu", "Ni", "Al"]])
def test_names_must_fit_the_types(names):
    with pytest.raises(SpeciesError, match="2 species"):
        start().with_species(names)


@pytest.mark.parametrize(("min_distance", "cutoff"), [(0.0, 5.0), (5.0, 5.0), (2.0, np.nan)])
def test_distances_must_be_in_order(min_distance, cutoff):
    with pytest.raises(SettingError, match="min_distance"):
        start(min_distance=min_distance, cutoff=cutoff)


def test_an_unknown_level_is_refused():
    with pytest.raises(SettingError, match="level 9"):
        start(9)


def test_the_start_is_the_same_for_the_same_seed():
    np.testing.assert_array_equal(start().parameters, start().parameters)
    other = start(rng=np.random.default_rng(1))
    assert not np.array_equal(other.parameters, start().parameters)


def test_radial_functions_start_as_unit_vectors():
    norms = np.linalg.norm(start(16).radial_coefficients, axis=-1)
    np.testing.assert_allclose(norms, 1.0)
