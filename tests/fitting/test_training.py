# SPDX-License-Identifier: MIT
"""A whole training: poor data, absurd labels, references, weights and committees."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import EmptyDataError, LabelError, SettingError
from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.fit import fit_potential, start_potential
from aiida_alpot.fitting.loss import LossWeights, loss
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.fitting.start import warm_start
from aiida_alpot.fitting.training import TrainingSettings, train_potential
from aiida_alpot.fitting.weighting import Weighting
from aiida_alpot.mtp.evaluate import evaluate

from .data import emt_set

LEVEL, CUTOFF = 6, 4.5


@pytest.fixture(scope="module")
def training():
    return emt_set(12, seed=1)


@pytest.fixture(scope="module")
def test_set():
    return emt_set(6, seed=2)


@pytest.fixture(scope="module")
def plain(training):
    return train(training)


def train(training, *, level=LEVEL, initial=None, **settings):
    if initial is None:
        initial = start_potential(training, level=level, cutoff=CUTOFF)
    settings.setdefault("max_iterations", 30)
    return train_potential(training, initial=initial, settings=TrainingSettings(**settings))


def kinds(result):
    return {warning.kind for warning in result.warnings}


def message(result, kind):
    return next(warning.message for warning in result.warnings if warning.kind == kind)


def assert_finite(result, configurations):
    assert np.isfinite(result.fit.potential.parameters).all()
    found = evaluate(result.fit.potential, configurations)
    assert np.isfinite(found.energy).all()
    assert np.isfinite(found.forces).all()


def test_good_data_give_no_warning_and_the_same_potential_as_a_bare_fit(training, plain):
    assert plain.warnings == ()
    assert plain.outliers == ()
    initial = start_potential(training, level=LEVEL, cutoff=CUTOFF)
    bare = fit_potential(training, initial=initial, max_iterations=30)
    assert np.array_equal(plain.fit.potential.parameters, bare.potential.parameters)


def test_the_method_reaches_the_search(training):
    result = train(training, method="matrix-free", max_iterations=3)
    assert result.fit.loss_history[-1] < result.fit.loss_history[0]
    with pytest.raises(SettingError, match="method of the fit is 'guess'"):
        train(training, method="guess")


# poor data


@pytest.mark.parametrize("copies", [1, 40])
def test_a_single_structure_gives_a_finite_potential_and_warnings(training, test_set, copies):
    result = train(training.select([0] * copies), level=12)
    assert_finite(result, test_set)
    assert {"one_configuration", "rank"} <= kinds(result)
    assert "of the 48 independent directions" in message(result, "rank")
    assert ("duplicates" in kinds(result)) is (copies > 1)


def test_one_volume_is_warned_about(test_set):
    cells = []
    for seed in range(12):
        atoms = bulk("Cu", cubic=True, a=3.62)
        atoms.rattle(0.1, seed=seed)
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
        cells.append(atoms)
    data = Configurations.from_atoms(cells)
    bare = data.replace(stress=np.full_like(data.stress, np.nan))
    result = train(bare)
    assert_finite(result, test_set)
    assert "nothing says how the energy changes with volume" in message(result, "one_volume")
    assert "follows from the stresses alone" in message(train(data), "one_volume")


def test_absent_species_and_pairs_are_named(training):
    gold = training.replace(numbers=np.full_like(training.numbers, 79))
    both = concatenate([training, gold])
    initial = start_potential(both, level=LEVEL, cutoff=CUTOFF, species=["Au", "Cu", "Ag"])
    result = train(both, initial=initial)
    assert_finite(result, both)
    assert "no configuration holds Ag" in message(result, "absent_species")
    assert message(result, "absent_pairs").startswith("no two atoms Au-Cu are")


def test_copies_are_named_and_those_with_other_labels_too(training):
    copied = concatenate([training, training.select([2, 5])])
    result = train(copied, max_iterations=2)
    assert "2 configurations of the training set are copies" in message(result, "duplicates")
    assert "conflicting_labels" not in kinds(result)
    energy = copied.energy.copy()
    energy[-1] += 0.5
    result = train(copied.replace(energy=energy), max_iterations=2)
    assert "5, 13 (5)" in message(result, "conflicting_labels")


def test_distances_below_the_interval_are_named(training):
    initial = start_potential(training, level=LEVEL, cutoff=CUTOFF, min_distance=2.4)
    result = train(training, initial=initial, max_iterations=2)
    assert "nearer than the min_distance of the potential, 2.4 A" in message(
        result, "below_min_distance"
    )


# absurd labels


def spoiled(configurations, kind, size):
    """One label is off by ``size``."""
    if kind == "energy":
        energy = configurations.energy.copy()
        energy[7] += 4.0 * size
        return configurations.replace(energy=energy)
    if kind == "forces":
        forces = configurations.forces.copy()
        forces[30] += np.array([size, 0.0, 0.0])
        return configurations.replace(forces=forces)
    stress = configurations.stress.copy()
    stress[7, 1] += size
    return configurations.replace(stress=stress)


@pytest.fixture(scope="module")
def many():
    return emt_set(250, seed=3)


ABSURD = [
    ("energy", 1e0),
    ("energy", -1e3),
    ("energy", 1e8),
    ("forces", 2e1),
    ("forces", 1e6),
    ("stress", 1e1),
]


@pytest.mark.parametrize(("kind", "size"), ABSURD)
def test_one_absurd_label_among_thousands_is_named(many, test_set, kind, size):
    """250 cells of 4 atoms have 4,750 labels."""
    result = train(spoiled(many, kind, size), max_iterations=5)
    assert_finite(result, test_set)
    worst = result.outliers[0]
    assert worst.configuration == 7
    assert worst.identifier == "7"
    assert worst.kind == kind
    assert "configuration 7: " in message(result, "outliers")
    assert {outlier.configuration for outlier in result.outliers} == {7}


@pytest.mark.parametrize(("kind", "size"), [ABSURD[2], ABSURD[4], ABSURD[5]])
def test_the_robust_loss_is_as_good_as_taking_the_label_out(many, test_set, kind, size):
    clean = train(many, max_iterations=8)
    robust = train(spoiled(many, kind, size), robust=5.0, max_iterations=8)
    expected = errors(test_set, predict(clean.fit.potential, test_set))
    found = errors(test_set, predict(robust.fit.potential, test_set))
    assert found.energy_rmse < 1.3 * expected.energy_rmse
    assert found.forces_rmse < 1.3 * expected.forces_rmse
    assert robust.reduced.count_reduced() >= 1
    assert "configuration 7: " in message(robust, "outliers")


def test_the_robust_loss_leaves_good_data_alone(training, plain):
    robust = train(training, robust=10.0)
    assert robust.reduced.count_reduced() == 0
    assert np.array_equal(robust.fit.potential.parameters, plain.fit.potential.parameters)
    with pytest.raises(SettingError, match=r"threshold of the robust loss is 0\.5"):
        train(training, robust=0.5)


@pytest.mark.parametrize("kind", ["energy", "forces", "stress"])
def test_labels_that_no_number_can_square_are_refused(training, kind):
    wrong = getattr(training, kind).copy()
    wrong[3] = 1e160
    with pytest.raises(LabelError, match=r"has a label of .*e\+1.., which is no physical value"):
        train(training.replace(**{kind: wrong}))


def test_huge_forces_give_a_finite_potential_and_are_named(many, test_set):
    forces = many.forces.copy()
    forces[[8, 401]] = [[3e5, -2e5, 1e5], [-4e4, 0.0, 2e4]]
    result = train(many.replace(forces=forces), max_iterations=5)
    assert_finite(result, test_set)
    named = next(warning for warning in result.warnings if warning.kind == "outliers")
    assert set(named.configurations) == {"2", "100"}
    assert "the force on its atom 0 is 3.742e+05 eV/A" in named.message


# references


def with_atoms(training):
    free = Configurations.from_atoms(
        [Atoms("Cu", positions=[[0, 0, 0]])], level_of_theory="emt"
    ).replace(energy=np.array([-4321.0]))
    shifted = training.replace(energy=training.energy - 4321.0 * training.n_atoms)
    return concatenate([shifted, free])


@pytest.mark.parametrize("source", ["isolated", "composition", {"Cu": -4321.0}])
def test_energies_of_thousands_of_electronvolts_are_learned_as_well(training, test_set, source):
    result = train(with_atoms(training), atomic_energies=source)
    assert result.atomic_energies["Cu"] == pytest.approx(-4321.0, abs=5.0)
    test = with_atoms(test_set)
    found = errors(test, predict(result.fit.potential, test))
    assert found.energy_rmse < 5.0


def test_frozen_constants_are_the_energies_of_the_free_atoms(training):
    result = train(
        with_atoms(training), atomic_energies="isolated", frozen=("species",), max_iterations=5
    )
    atom = Configurations.from_atoms([Atoms("Cu", positions=[[0, 0, 0]])])
    assert evaluate(result.fit.potential, atom).energy[0] == -4321.0
    assert result.fit.potential.species_coefficients[0] == -4321.0


def test_frozen_blocks_keep_their_bits_with_references_too(training):
    parent = train(with_atoms(training), atomic_energies={"Cu": -4321.0}).fit.potential
    again = train(
        with_atoms(training),
        initial=warm_start(parent),
        atomic_energies={"Cu": -4320.7},
        frozen=("species", "radial"),
    ).fit.potential
    assert np.array_equal(again.species_coefficients, parent.species_coefficients)
    assert np.array_equal(again.radial_coefficients, parent.radial_coefficients)
    assert not np.array_equal(again.moment_coefficients, parent.moment_coefficients)


# weights


def test_weight_zero_by_name_is_leaving_out(training):
    kept = training.select([0, *range(2, 12)])
    one = train(training, weighting=Weighting(by_name={"1": 0.0}), max_iterations=4)
    other = train(kept, initial=start_potential(training, level=LEVEL, cutoff=CUTOFF))
    assert len(one.trained_on) == 11
    assert one.fit.loss_history == other.fit.loss_history[: len(one.fit.loss_history)]
    with pytest.raises(EmptyDataError, match="has the weight zero"):
        train(training, weighting=Weighting(by_name={"*": 0.0}))


def test_a_pattern_without_a_match_is_warned_about(training):
    result = train(training, weighting=Weighting(by_name={"surface*": 2.0}), max_iterations=1)
    assert "a name like 'surface*'" in message(result, "unmatched_pattern")


def test_an_absurd_energy_is_not_the_zero_of_the_energy_window(many):
    data = spoiled(many, "energy", -1e3)
    result = train(data, weighting=Weighting(energy_limit=1.0), max_iterations=1)
    assert len(result.trained_on) >= 249


# committees


def test_members_differ_and_the_first_of_more_are_those_of_fewer(training):
    small = train(training, committee=CommitteeSettings(2), max_iterations=4)
    large = train(training, committee=CommitteeSettings(3), max_iterations=4)
    parameters = [member.potential.parameters for member in large.committee]
    assert len(parameters) == 3
    assert not np.array_equal(parameters[0], parameters[1])
    assert not np.array_equal(parameters[1], parameters[2])
    for one, other in zip(small.committee, large.committee, strict=False):
        assert np.array_equal(one.potential.parameters, other.potential.parameters)
    for member in large.committee:
        assert loss(member.potential, training, LossWeights()) < 1.0


def test_members_keep_frozen_blocks(training, plain):
    parent = plain.fit.potential
    result = train(
        training,
        initial=parent,
        frozen=("radial",),
        committee=CommitteeSettings(2),
        max_iterations=3,
    )
    for member in result.committee:
        assert np.array_equal(member.potential.radial_coefficients, parent.radial_coefficients)


def test_a_pull_holds_a_training_near_its_parent(training, plain):
    parent = plain.fit.potential
    other = emt_set(6, seed=11, rattle=0.3)
    distances = [
        np.linalg.norm(
            train(other, initial=parent, pull=pull, max_iterations=4).fit.potential.parameters
            - parent.parameters
        )
        for pull in (0.0, 1e-2, 1e2)
    ]
    assert distances[0] > distances[1] > distances[2]
    held = train(other, initial=parent, pull=1e12, pulled=("moments",), max_iterations=2)
    np.testing.assert_allclose(
        held.fit.potential.moment_coefficients, parent.moment_coefficients, atol=1e-9
    )
    assert not np.allclose(held.fit.potential.radial_coefficients, parent.radial_coefficients)
