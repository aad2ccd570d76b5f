# SPDX-License-Identifier: MIT
"""Rules for the weights of configurations, and energies above the lowest."""

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.hull import energies_above_hull, energies_above_lowest
from aiida_alpot.fitting.weighting import Weighting, weigh_configurations


def compounds(formulas, per_atom):
    """Configurations of some formulas with energies per atom."""
    structures = [
        Atoms(formula, positions=np.zeros((len(Atoms(formula)), 3))) for formula in formulas
    ]
    data = Configurations.from_atoms(structures, identifiers=[f"{f}_x" for f in formulas])
    return data.replace(energy=np.array(per_atom) * data.n_atoms)


def everything(data):
    return np.ones(len(data), dtype=bool)


def weights(data, **rules):
    return weigh_configurations(data, Weighting(**rules)).weight


def test_energies_are_measured_from_the_lowest_of_the_same_composition():
    data = compounds(["Cu", "Cu2", "CuAu", "AuCu", "Au"], [-3.5, -3.0, -3.6, -3.1, -3.2])
    above = energies_above_lowest(data, everything(data))
    np.testing.assert_allclose(above, [0.0, 0.5, 0.0, 0.5, 0.0], atol=1e-12)


def test_the_hull_is_a_mixture_of_the_lowest():
    """-3.5 at Cu and -3.2 at Au: a mixture has -3.35 at CuAu and -3.4 at Cu2Au."""
    data = compounds(["Cu", "Au", "CuAu", "Cu2Au", "Cu2Au"], [-3.5, -3.2, -3.3, -3.6, -3.4])
    above = energies_above_hull(data, everything(data))
    # CuAu lies over the line from Cu2Au, -3.6 at 1/3, to Au, -3.2 at 1
    np.testing.assert_allclose(above, [0.0, 0.0, 0.2, 0.0, 0.2], atol=1e-9)


def test_energies_of_free_atoms_do_not_change_the_distance_from_the_hull():
    formulas = ["Cu", "Au", "CuAu", "Cu2Au", "CuAu3", "Cu2AuAg"]
    rng = np.random.default_rng(0)
    data = compounds(formulas, rng.normal(-3.0, 0.3, len(formulas)))
    above = energies_above_hull(data, everything(data))
    shift = {29: -1234.5, 79: 17.0, 47: -8.25}
    shifts = [sum(shift[number] for number in atoms.numbers) for atoms in data]
    moved = data.replace(energy=data.energy + shifts)
    np.testing.assert_allclose(energies_above_hull(moved, everything(data)), above, atol=1e-6)
    assert (above > -1e-9).all()


@pytest.mark.parametrize("species", [("Cu", "Au"), ("Cu", "Au", "Ag")], ids=len)
def test_many_compositions_have_the_hull_of_its_corners(species):
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 12, (90, len(species)))
    counts[:, 0] += 1
    formulas = ["".join(f"{s}{n}" for s, n in zip(species, row, strict=True)) for row in counts]
    energies = rng.normal(-3.0, 0.2, len(formulas))
    data = compounds(formulas, energies)
    above = energies_above_hull(data, everything(data))
    assert above.min() == pytest.approx(0.0, abs=1e-8)
    on_hull = above < 1e-8
    # without the others the corners have the same hull
    few = data.select(on_hull)
    assert len(few) < 50
    np.testing.assert_allclose(energies_above_hull(few, everything(few)), 0.0, atol=1e-8)
    for index in range(0, 90, 9):
        one = data.select([*np.flatnonzero(on_hull), index])
        assert energies_above_hull(one, everything(one))[-1] == pytest.approx(
            above[index], abs=1e-7
        )


def test_one_composition_has_the_same_hull_as_lowest_energy():
    data = compounds(["CuAu", "CuAu", "CuAu"], [-3.0, -2.5, np.nan])
    for measure in (energies_above_hull, energies_above_lowest):
        np.testing.assert_allclose(measure(data, everything(data)), [0.0, 0.5, np.nan])


def test_a_label_that_is_not_trusted_is_no_lowest_energy():
    data = compounds(["Cu", "Cu", "Cu"], [-1e6, -3.5, -3.0])
    trusted = np.array([False, True, True])
    np.testing.assert_allclose(energies_above_lowest(data, trusted)[1:], [0.0, 0.5])


@pytest.mark.parametrize("zero", ["lowest", "hull"])
def test_weights_fall_beyond_the_window_and_end_at_the_limit(zero):
    data = compounds(["Cu"] * 5, [-3.5, -3.3, -3.1, -2.9, -2.0])
    rules = {"energy_window": 0.2, "energy_decay": 0.2, "energy_zero": zero}
    np.testing.assert_allclose(weights(data, **rules), [1, 1, 0.5, 0.2, 1 / (1 + 6.5**2)])
    np.testing.assert_allclose(
        weights(data, **rules, energy_limit=1.0), [1, 1, 0.5, 0.2, 0], atol=1e-12
    )
    np.testing.assert_allclose(weights(data, energy_limit=0.5, energy_zero=zero), [1, 1, 1, 0, 0])


def test_absent_energies_keep_their_weight():
    data = compounds(["Cu", "Cu"], [-3.5, np.nan])
    np.testing.assert_array_equal(weights(data, energy_limit=0.1), [1.0, 1.0])


def test_weights_by_name_multiply_those_of_the_data():
    data = compounds(["Cu", "Au", "CuAu"], [-3.5, -3.2, -3.3]).replace(
        weight=np.array([1.0, 2.0, 3.0])
    )
    found = weights(data, by_name={"*Au_x": 10.0, "Cu*": 0.5})
    np.testing.assert_allclose(found, [0.5, 20.0, 15.0])


def test_a_configuration_with_huge_forces_counts_less_and_is_kept():
    data = compounds(["Cu", "Cu2", "Cu2"], [-3.5, -3.0, -3.0])
    forces = np.array([[0, 0, 10.0], [0, 0, 50.0], [0, 0, -50.0], [0, 0, 90.0], [0, 0, 30.0]])
    mask = np.array([True, True, True, False, True])
    data = data.replace(forces=forces, force_mask=mask)
    np.testing.assert_allclose(weights(data, force_limit=25.0), [1.0, 0.25, (25 / 30) ** 2])


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"by_name": {"a*": -1.0}}, r"-1\.0 for the pattern 'a\*'"),
        ({"energy_limit": -0.1}, r"-0\.1 for energy_limit"),
        ({"force_limit": 0.0}, "0 for force_limit"),
        ({"energy_window": 0.1}, "energy_window and energy_decay together"),
        ({"energy_decay": 0.1}, "energy_window and energy_decay together"),
        (
            {"energy_window": 0.5, "energy_decay": 0.1, "energy_limit": 0.2},
            r"energy_limit of the weighting, 0\.2, is below",
        ),
        ({"force_limit": np.nan}, "nan for force_limit"),
    ],
    ids=str,
)
def test_senseless_rules_are_refused(rules, named):
    with pytest.raises(SettingError, match=named):
        Weighting(**rules)
