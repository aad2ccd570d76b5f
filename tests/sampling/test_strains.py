# SPDX-License-Identifier: MIT
"""Random strains have the size that was asked for, and leave alone what they do not concern."""

import numpy as np
import pytest
from ase.build import bulk
from scipy.linalg import logm, polar

from aiida_alpot.sampling.structures.strains import (
    random_deviator,
    strain_shape,
    strain_volume,
    von_mises_strain,
)


def logarithmic_strain(before, after):
    deformation = np.linalg.solve(before.cell.array, after.cell.array)
    _, stretch = polar(deformation)
    return np.real(logm(stretch))


@pytest.mark.parametrize("size", [0.01, 0.2])
def test_a_uniaxial_strain_at_constant_volume_is_its_own_von_mises_strain(size):
    uniaxial = np.diag([size, -size / 2, -size / 2])
    assert von_mises_strain(uniaxial) == pytest.approx(size)
    assert von_mises_strain(uniaxial + 0.3 * np.eye(3)) == pytest.approx(size)


def test_a_shear_counts_two_over_root_three_of_its_tensor_component():
    shear = np.zeros((3, 3))
    shear[0, 1] = shear[1, 0] = 0.1
    assert von_mises_strain(shear) == pytest.approx(0.2 / np.sqrt(3))


@pytest.mark.parametrize("size", [1e-4, 0.05, 0.2])
def test_deviators_have_their_size_no_trace_and_no_preferred_direction(size, rng):
    drawn = np.array([random_deviator(size, rng) for _ in range(4000)])
    np.testing.assert_allclose([von_mises_strain(one) for one in drawn], size)
    np.testing.assert_allclose(np.trace(drawn, axis1=1, axis2=2), 0, atol=1e-15)
    np.testing.assert_array_equal(drawn, drawn.transpose(0, 2, 1))
    # of an isotropic deviator with e:e = 3/2 u^2, <e_xx^2> = u^2 / 5 and <e_xy^2> = 3 u^2 / 20
    squares = (drawn**2).mean(axis=0) / size**2
    np.testing.assert_allclose(np.diag(squares), 1 / 5, atol=0.015)
    np.testing.assert_allclose(squares[np.triu_indices(3, 1)], 3 / 20, atol=0.015)


def test_a_strain_of_shape_leaves_volume_and_fractional_coordinates(rng):
    start = bulk("Cu", cubic=True)
    sizes = []
    for _ in range(300):
        atoms = start.copy()
        strain_shape(atoms, 0.2, rng)
        assert atoms.get_volume() == pytest.approx(start.get_volume())
        np.testing.assert_allclose(
            atoms.get_scaled_positions(), start.get_scaled_positions(), atol=1e-12
        )
        sizes.append(von_mises_strain(logarithmic_strain(start, atoms)))
    # uniform from 0 to 0.2
    assert max(sizes) <= 0.2
    np.testing.assert_allclose(np.quantile(sizes, [0.25, 0.5, 0.75]), [0.05, 0.1, 0.15], atol=0.02)


def test_a_strain_of_the_volume_leaves_the_shape(rng):
    start = bulk("Cu")
    changes = []
    for _ in range(300):
        atoms = start.copy()
        strain_volume(atoms, -0.025, 0.075, rng)
        changes.append(atoms.get_volume() / start.get_volume() - 1)
        assert von_mises_strain(logarithmic_strain(start, atoms)) == pytest.approx(0, abs=1e-9)
    assert -0.025 <= min(changes) < -0.02
    assert 0.07 < max(changes) <= 0.075
