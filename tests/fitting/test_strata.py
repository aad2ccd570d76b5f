# SPDX-License-Identifier: MIT
"""Training in strata: blocks of parameters by name, one group of species after another."""

import numpy as np
import pytest
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.restraints import make_restraints
from aiida_alpot.fitting.start import warm_start
from aiida_alpot.fitting.strata import frozen_parameters, select_parameters
from aiida_alpot.mtp.evaluate import evaluate

from .data import random_potential, rattled_cells


def emt_cells(species, n, seed):
    cells = rattled_cells(n, seed=seed, species=species)
    for atoms in cells:
        atoms.set_cell(atoms.cell.array * 1.05, scale_atoms=True)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
    return Configurations.from_atoms(cells, level_of_theory="emt")


@pytest.fixture(scope="module")
def unaries():
    """Pure cells of both species, in one set."""
    cells = [atoms for symbol in ("Cu", "Au") for atoms in emt_cells([symbol], 8, seed=1)]
    return Configurations.from_atoms(cells, level_of_theory="emt")


@pytest.fixture(scope="module")
def first_stage(unaries):
    initial = start_potential(unaries, level=6, cutoff=4.5, species=["Cu", "Au"])
    return fit_potential(unaries, initial=initial).potential


@pytest.mark.parametrize(
    ("blocks", "count"),
    [
        (["radial"], 4 * 16),
        (["Cu-Au"], 2 * 16),
        (["Au-Au"], 16),
        (["Cu-Cu", "Cu-Au"], 3 * 16),
        (["species"], 2),
        (["Au"], 1),
        (["moments"], 5),
        (["linear"], 7),
        (["radial", "linear"], 71),
        ([], 0),
    ],
    ids=str,
)
def test_blocks_have_the_parameters_of_their_names(blocks, count):
    potential = random_potential(6, ["Cu", "Au"])
    chosen = select_parameters(potential, blocks)
    assert chosen.sum() == count
    if count < potential.n_parameters:
        assert np.array_equal(frozen_parameters(potential, frozen=blocks), chosen)
    if blocks:
        rest = frozen_parameters(potential, train_only=blocks)
        assert np.array_equal(rest, ~chosen)


def test_only_the_pair_of_a_name_is_chosen():
    potential = random_potential(6, ["Cu", "Au", "Ag"])
    radial = select_parameters(potential, ["Ag-Cu"])[: potential.n_radial_parameters]
    chosen = radial.reshape(potential.radial_coefficients.shape).all(axis=(2, 3))
    expected = np.zeros((3, 3), dtype=bool)
    expected[0, 2] = expected[2, 0] = True
    assert np.array_equal(chosen, expected)


def test_a_pair_is_fitted_without_touching_the_pure_elements(unaries, first_stage):
    """Not a bit of the energies, forces and stresses of pure cells may change."""
    binaries = emt_cells(["Cu", "Au"], 12, seed=5)
    frozen = frozen_parameters(first_stage, train_only=["Cu-Au"])
    result = fit_potential(
        binaries, initial=first_stage, restraints=make_restraints(first_stage, frozen=frozen)
    )
    before, after = first_stage.parameters, result.potential.parameters
    assert np.array_equal(after[frozen], before[frozen])
    assert not (after[~frozen] == before[~frozen]).any()
    old, new = evaluate(first_stage, unaries), evaluate(result.potential, unaries)
    for name in ("energy", "site_energies", "forces", "stress"):
        assert np.array_equal(getattr(new, name), getattr(old, name))
    test = emt_cells(["Cu", "Au"], 6, seed=6)
    stratified = errors(test, predict(result.potential, test))
    untrained = errors(test, predict(first_stage, test))
    assert stratified.forces_rmse < 0.5 * untrained.forces_rmse
    assert stratified.energy_rmse < 0.2 * untrained.energy_rmse


def test_the_order_in_which_pairs_are_trained_is_irrelevant(first_stage):
    """No pair enters the configurations of another one."""
    parent = warm_start(first_stage, species=["Cu", "Au", "Ag"])
    sets = {"Cu-Ag": emt_cells(["Cu", "Ag"], 4, seed=7), "Au-Ag": emt_cells(["Au", "Ag"], 4, 8)}
    parent = parent.with_parameters(
        np.where(select_parameters(parent, ["Ag", "Ag-Ag"]), 0.1, parent.parameters)
    )

    def train(pairs):
        potential = parent
        for pair in pairs:
            frozen = frozen_parameters(potential, train_only=[pair])
            potential = fit_potential(
                sets[pair],
                initial=potential,
                restraints=make_restraints(potential, frozen=frozen),
                max_iterations=3,
            ).potential
        return [errors(data, predict(potential, data)).forces_rmse for data in sets.values()]

    untrained = [errors(data, predict(parent, data)).forces_rmse for data in sets.values()]
    one, other = train(["Cu-Ag", "Au-Ag"]), train(["Au-Ag", "Cu-Ag"])
    assert (np.array(one) < 0.7 * np.array(untrained)).all()
    # the penalty, which knows all pairs, is 1e-6 of the loss
    assert one == pytest.approx(other, rel=1e-2)


@pytest.mark.parametrize("name", ["pairs", "Cu-", "Cu-Au-Ag", "Cu-Zr", "Zr", ""])
def test_unknown_blocks_are_refused(name):
    potential = random_potential(6, ["Cu", "Au"])
    with pytest.raises(SettingError, match=f"no block of parameters '{name}'"):
        select_parameters(potential, [name])


def test_freezing_everything_is_refused():
    potential = random_potential(6, ["Cu", "Au"])
    with pytest.raises(SettingError, match="Nothing is left to be fitted"):
        frozen_parameters(potential, frozen=["Cu-Au"], train_only=["Cu-Au"])
