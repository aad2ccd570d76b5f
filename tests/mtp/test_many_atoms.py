# SPDX-License-Identifier: MIT
"""Large structures and large batches: the same numbers as small ones, in bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import Evaluation, energy_rows, evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential
from aiida_alpot.neighbors import batch_neighbor_list, search_neighbors

CUTOFF = 4.07
SPECIES = ("Al", "Cu", "Ni")


@pytest.fixture(scope="module")
def potential() -> MomentTensorPotential:
    rng = np.random.default_rng(0)
    start = initial_potential(6, CUTOFF, species=SPECIES, min_distance=1.5, rng=rng)
    return start.with_parameters(start.parameters + 0.1 * rng.standard_normal(start.n_parameters))


def alloy(n_cells: int) -> Atoms:
    atoms = bulk("Ni", a=3.6, cubic=True) * (n_cells, n_cells, n_cells)
    atoms.symbols = np.random.default_rng(1).choice(SPECIES, len(atoms))
    atoms.rattle(0.1, seed=2)
    return atoms


def assert_same_bits(one: Evaluation, other: Evaluation) -> None:
    for name in ("energy", "site_energies", "forces", "stress"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("n_cells", [3, 6, 17], ids=["108 atoms", "864 atoms", "19652 atoms"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_lists_made_part_by_part_give_the_same_bits(potential, n_cells, threads):
    configurations = Configurations.from_atoms([alloy(n_cells)])
    pairs = batch_neighbor_list(configurations, CUTOFF + 0.3)
    at_once = evaluate(potential, configurations, neighbors=pairs)
    assert_same_bits(evaluate(potential, configurations, threads=threads), at_once)
    assert_same_bits(evaluate(potential, configurations, neighbors=pairs, threads=threads), at_once)


def test_a_batch_gives_what_each_configuration_gives_alone(potential):
    rng = np.random.default_rng(3)
    structures = []
    for index in range(400):
        size = int(rng.integers(1, 60))
        edge = np.cbrt(12.0 * size)
        structures.append(
            Atoms(
                rng.choice(SPECIES, size),
                scaled_positions=rng.random((size, 3)),
                cell=edge * (np.eye(3) + 0.1 * rng.standard_normal((3, 3))),
                pbc=rng.random(3) < 0.8,
            )
        )
        if index % 50 == 0:
            structures.append(alloy(2 + index // 100))
    configurations = Configurations.from_atoms(structures)
    batch = evaluate(potential, configurations)
    for index in range(0, len(configurations), 7):
        alone = evaluate(potential, configurations.select([index]))
        rows = configurations.atoms_slice(index)
        np.testing.assert_array_equal(batch.site_energies[rows], alone.site_energies)
        scale = 1e-13 * (1.0 + np.abs(alone.forces).max())
        np.testing.assert_allclose(batch.forces[rows], alone.forces, rtol=0, atol=scale)
        np.testing.assert_allclose(batch.stress[index], alone.stress[0], rtol=1e-10, atol=1e-14)


def test_rows_need_no_list_of_all_pairs(potential):
    configurations = Configurations.from_atoms([alloy(8), alloy(2)])
    pairs = batch_neighbor_list(configurations, CUTOFF)
    np.testing.assert_array_equal(
        energy_rows(potential, configurations),
        energy_rows(potential, configurations, neighbors=pairs),
    )


def test_atoms_of_a_large_structure_may_come_in_any_order(potential):
    """They are then evaluated in another one; small ones stand as they are."""
    atoms = alloy(24)
    order = np.random.default_rng(4).permutation(len(atoms))
    given = Configurations.from_atoms([alloy(2), atoms, alloy(3)])
    mixed = Configurations.from_atoms([alloy(2), atoms[order], alloy(3)])
    assert search_neighbors(given, CUTOFF).tidy_order() is None
    assert search_neighbors(mixed, CUTOFF).tidy_order() is not None
    expected, found = evaluate(potential, given), evaluate(potential, mixed)
    rows = np.arange(given.offsets[-1])
    rows[given.atoms_slice(1)] = given.offsets[1] + order
    scale = 1e-12 * np.abs(expected.forces).max()
    np.testing.assert_allclose(found.forces, expected.forces[rows], rtol=0, atol=scale)
    np.testing.assert_allclose(found.site_energies, expected.site_energies[rows], rtol=1e-12)
    np.testing.assert_allclose(found.energy, expected.energy, rtol=1e-12)
    np.testing.assert_allclose(found.stress, expected.stress, rtol=1e-9, atol=1e-14)


def test_memory_is_bounded_by_the_results(potential):
    configurations = Configurations.from_atoms([alloy(20)])
    n_atoms = int(configurations.offsets[-1])
    list_of_all = 44 * 40 * n_atoms  # neighbours, bytes of each
    evaluate(potential, Configurations.from_atoms([alloy(2)]))
    tracemalloc.start()
    evaluate(potential, configurations)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.7 * list_of_all
