# SPDX-License-Identifier: MIT
"""The loss and its gradient."""

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.loss import (
    LossWeights,
    loss,
    loss_at,
    make_targets,
    penalty,
    penalty_residuals,
)
from aiida_alpot.fitting.loss_gradient import loss_and_gradient
from aiida_alpot.fitting.normal_equations import normal_equations
from aiida_alpot.fitting.restraints import make_restraints
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.jacobian import make_environment

from .data import emt_set, labelled_by, random_potential, rattled_cells


@pytest.fixture(scope="module")
def training():
    configurations = emt_set(3, seed=1)
    return configurations.replace(weight=np.array([1.0, 3.0, 0.5]))


def test_the_loss_is_the_weighted_mean_of_squared_errors(training):
    potential = random_potential(8)
    weights = LossWeights(energy=2.0, force=0.3, stress=0.04)
    found = evaluate(potential, training)
    expected = penalty(potential)
    for index in range(3):
        rows, n_atoms = training.atoms_slice(index), 4
        energy = found.energy[index] - training.energy[index]
        forces = found.forces[rows] - training.forces[rows]
        xx, yy, zz, yz, xz, xy = found.stress[index] - training.stress[index]
        stress = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) * training.volumes[index]
        terms = (
            2.0 * energy**2 / n_atoms
            + 0.3 * (forces**2).sum()
            + 0.04 * np.linalg.norm(stress) ** 2 / n_atoms
        )
        expected += training.weight[index] * terms / training.weight.sum()
    assert loss(potential, training, weights) == pytest.approx(expected, rel=1e-12)


def test_relative_forces_are_weighted_by_the_labelled_force(training):
    potential = random_potential(8)
    eps = 0.7
    found = evaluate(potential, training).forces - training.forces
    size = (training.forces**2).sum(axis=1)
    weight = np.repeat(training.weight, 4) * eps / (size + eps)
    data = (weight * (found**2).sum(axis=1)).sum() / training.weight.sum()
    expected = data + penalty(potential)
    weights = LossWeights(energy=0.0, force=1.0, stress=0.0, relative_force_eps=eps)
    assert loss(potential, training, weights) == pytest.approx(expected, rel=1e-12)


def test_a_size_power_of_two_weighs_energies_per_atom():
    small, large = (
        Configurations.from_atoms([atoms.repeat(n) for atoms in rattled_cells(1, seed=5)])
        for n in (1, 2)
    )
    potential = random_potential(8)
    found = [evaluate(potential, cells) for cells in (small, large)]
    off_by = 0.01  # eV/atom, in both
    losses = [
        loss(
            potential,
            cells.replace(energy=labels.energy + off_by * cells.n_atoms),
            LossWeights(energy=3.0, force=0.0, stress=0.0, size_power=2),
        )
        for cells, labels in zip((small, large), found, strict=True)
    ]
    expected = 3.0 * off_by**2 + penalty(potential)
    assert losses == pytest.approx([expected, expected], rel=1e-9)


def test_a_size_power_of_zero_weighs_whole_cells(training):
    potential = random_potential(8)
    whole = loss(potential, training, LossWeights(energy=0.5, force=0.0, stress=0.2, size_power=0))
    # every cell of the set has four atoms
    usual = loss(potential, training, LossWeights(energy=2.0, force=0.0, stress=0.8))
    assert whole == pytest.approx(usual, rel=1e-12)


@pytest.mark.parametrize("species", [["Cu"], ["Au", "Cu"]])
def test_the_gradient_is_the_derivative_of_the_loss(species):
    cells = Configurations.from_atoms(rattled_cells(2, seed=4, species=species))
    labels = evaluate(random_potential(8, species, seed=9), cells)
    cells = cells.replace(energy=labels.energy, forces=labels.forces, stress=labels.stress)
    potential = random_potential(8, species)
    environment, weights = make_environment(potential, cells), LossWeights(1.0, 0.1, 0.01)
    targets = make_targets(cells, weights, make_restraints(random_potential(8, species), pull=0.1))
    value, gradient = loss_and_gradient(potential, environment, targets)
    assert value == pytest.approx(loss_at(potential, environment, targets), rel=1e-14)
    rng = np.random.default_rng(0)
    for _ in range(6):
        direction = rng.standard_normal(potential.n_parameters)
        step = 1e-4

        def along(distance, direction=direction):
            moved = potential.parameters + distance * direction
            return loss_at(potential.with_parameters(moved), environment, targets)

        difference = 8 * (along(step) - along(-step)) - along(2 * step) + along(-2 * step)
        assert gradient @ direction == pytest.approx(difference / (12 * step), rel=1e-6)


@pytest.mark.parametrize("species", [["Cu"], ["Au", "Cu"]])
def test_normal_equations_hold_loss_and_gradient(species):
    truth = random_potential(8, species, seed=9)
    cells = labelled_by(truth, rattled_cells(2, seed=4, species=species))
    potential = random_potential(8, species)
    environment, targets = make_environment(potential, cells), make_targets(cells, LossWeights())
    equations = normal_equations(potential, environment, targets)
    residuals, jacobian = penalty_residuals(potential)
    found = -2.0 * equations.gradient
    found[: potential.n_radial_parameters] += 2.0 * residuals @ jacobian
    value, gradient = loss_and_gradient(potential, environment, targets)
    assert equations.loss + penalty(potential) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(found, gradient, rtol=1e-8, atol=1e-10 * np.abs(gradient).max())


def test_frozen_parameters_have_no_gradient(training):
    potential = random_potential(8)
    frozen = np.arange(potential.n_parameters) % 3 == 0
    targets = make_targets(training, LossWeights(), make_restraints(potential, frozen=frozen))
    environment = make_environment(potential, training)
    _, gradient = loss_and_gradient(potential, environment, targets)
    assert (gradient[frozen] == 0.0).all()
    assert (gradient[~frozen] != 0.0).all()


def test_a_loss_that_overflows_has_no_gradient(training):
    potential = random_potential(8)
    huge = potential.with_parameters(1e200 * potential.parameters)
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradient = loss_and_gradient(
            huge, make_environment(huge, training), make_targets(training, LossWeights())
        )
    assert value == np.inf
    assert (gradient == 0.0).all()


def test_the_penalty_vanishes_for_orthonormal_radial_functions():
    potential = random_potential(12, ["Au", "Cu"])
    shape = potential.radial_coefficients.shape
    functions = np.zeros((4, shape[2], shape[3]))
    functions[0] = np.eye(shape[2], shape[3])
    parameters = potential.parameters
    parameters[: functions.size] = functions.ravel()
    assert penalty(potential.with_parameters(parameters)) == 0.0
    assert penalty(potential) > 0.0


def test_masked_forces_and_absent_labels_have_no_influence(training):
    potential = random_potential(8)
    mask = training.force_mask.copy()
    mask[[1, 6]] = False
    masked = training.replace(force_mask=mask)
    wrong = training.forces.copy()
    wrong[[1, 6]] = 1e3
    assert loss(potential, masked.replace(forces=wrong)) == loss(potential, masked)
    wrong[[1, 6]] = np.nan
    assert loss(potential, masked.replace(forces=wrong)) == loss(potential, masked)
    assert loss(potential, masked) < loss(potential, training)
    energies = training.replace(
        forces=np.full_like(training.forces, np.nan), stress=np.full_like(training.stress, np.nan)
    )
    alone = loss(potential, training, LossWeights(energy=1.0, force=0.0, stress=0.0))
    assert loss(potential, energies) == pytest.approx(alone, rel=1e-14)


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        ({"energy": -1.0}, "energy weight is -1.0"),
        ({"force": float("nan")}, "force weight is nan"),
        ({"energy": 0.0, "force": 0.0, "stress": 0.0}, "All weights of the loss are zero"),
        ({"relative_force_eps": 0.0}, "relative_force_eps is 0.0"),
        ({"size_power": 3}, "size_power is 3"),
    ],
)
def test_senseless_weights_are_refused(weights, what):
    with pytest.raises(SettingError, match=what):
        LossWeights(**weights)
