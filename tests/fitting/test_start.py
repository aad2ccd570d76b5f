# SPDX-License-Identifier: MIT
"""Where a fit starts."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.start import smallest_distance, start_potential, warm_start
from aiida_alpot.mtp.evaluate import evaluate

from .data import emt_set, random_potential, rattled_cells


@pytest.fixture(scope="module")
def cells():
    return Configurations.from_atoms(rattled_cells(3, species=["Cu", "Au"]))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"level": 8},
        {"level": 10},
        {"level": 14},
        {"min_distance": 1.7},
        {"min_distance": 2.3},
        {"species": ["Cu", "Au"]},
        {"species": ["Ag", "Cu", "Pd", "Au"]},
        {"level": 12, "species": ["Cu", "Ag", "Au"], "min_distance": 1.9},
    ],
    ids=str,
)
def test_a_warm_start_predicts_what_its_parent_does(cells, change):
    parent = random_potential(8, ["Au", "Cu"])
    child = warm_start(parent, **change)
    assert child.level == change.get("level", 8)
    assert child.species == tuple(change.get("species", ["Au", "Cu"]))
    assert child.min_distance == change.get("min_distance", parent.min_distance)
    before, after = evaluate(parent, cells), evaluate(child, cells)
    for name in ("energy", "forces", "stress"):
        values = getattr(before, name)
        np.testing.assert_allclose(
            getattr(after, name), values, rtol=0.0, atol=1e-12 * np.abs(values).max()
        )


def test_scalars_in_another_order_and_scale_are_recognised(cells):
    """As in files of other programs."""
    parent = random_potential(8, ["Au", "Cu"])
    basis, coefficients = parent.basis, parent.moment_coefficients.copy()
    products = basis.products.copy()
    ends = np.setdiff1d(basis.scalars, np.append(products[:, :2], np.arange(basis.n_basic)))
    assert len(ends) > 2
    for moment in ends[::2]:
        products[products[:, 3] == moment, 2] *= 3
        coefficients[basis.scalars == moment] /= 3.0
    order = np.random.default_rng(0).permutation(basis.n_scalars)
    foreign = dataclasses.replace(
        parent,
        basis=dataclasses.replace(basis, scalars=basis.scalars[order], products=products),
        moment_coefficients=coefficients[order],
    )
    before = evaluate(parent, cells)
    np.testing.assert_allclose(evaluate(foreign, cells).energy, before.energy, rtol=1e-12)
    after = evaluate(warm_start(foreign, level=10), cells)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-10)


def test_a_warm_start_saves_steps_and_ends_no_higher():
    training = emt_set(8, seed=1)
    first = fit_potential(training, initial=start_potential(training, level=6, cutoff=4.5))
    again = fit_potential(training, initial=warm_start(first.potential))
    assert again.loss <= first.loss
    assert again.n_iterations <= 5
    higher = fit_potential(training, initial=warm_start(first.potential, level=8))
    assert higher.loss_history[0] <= first.loss * (1.0 + 1e-6)
    assert higher.loss < 0.9 * first.loss


def test_the_smallest_distance_is_taken_from_the_data():
    cells = Configurations.from_atoms(
        [Atoms("Cu2", positions=[[0, 0, 0], [0, 0, d]]) for d in (2.5, 2.25, 3.0)]
    )
    assert smallest_distance(cells, 4.0) == pytest.approx(2.25)
    assert start_potential(cells, level=8, cutoff=4.0).min_distance == pytest.approx(0.99 * 2.25)
    assert start_potential(cells, level=8, cutoff=4.0, min_distance=1.0).min_distance == 1.0
    lonely = Configurations.from_atoms([Atoms("Cu")])
    assert start_potential(lonely, level=8, cutoff=3.0).min_distance == 0.99 * 1.5


def test_the_seed_decides_the_start(cells):
    one, same, other = (
        start_potential(cells, level=8, cutoff=4.0, seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(one.parameters, same.parameters)
    assert not np.array_equal(one.parameters, other.parameters)
    assert one.species == ("Cu", "Au")
    # all pairs begin alike
    assert np.array_equal(one.radial_coefficients[0, 1], one.radial_coefficients[1, 1])


def test_what_a_start_cannot_do_is_refused(cells):
    parent = random_potential(8, ["Au", "Cu"])
    with pytest.raises(SettingError, match="cannot lower it to 6"):
        warm_start(parent, level=6)
    with pytest.raises(SettingError, match="no moment tensor potential of level 9"):
        warm_start(parent, level=9)
    with pytest.raises(SettingError, match="min_distance is 5 A"):
        warm_start(parent, min_distance=5.0)
    with pytest.raises(SpeciesError, match="Au is missing in the species Cu Ag"):
        warm_start(parent, species=["Cu", "Ag"])
    with pytest.raises(SpeciesError, match="Au is missing in the species Cu"):
        start_potential(cells, level=8, cutoff=4.0, species=["Cu"])
    with pytest.raises(SpeciesError, match="names no species"):
        warm_start(dataclasses.replace(parent, species=()), species=["Cu", "Au"])
