# SPDX-License-Identifier: MIT
"""Structures and potentials that the tests of the engine are run on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import energy_rows
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential

CUTOFF = 4.07  # no pair of the structures is within 0.008 A, so that differences do not cross it
MIN_DISTANCE = 1.5


def fcc_rattled() -> Atoms:
    atoms = bulk("Ni", a=3.52, cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def slab_mixed_pbc() -> Atoms:
    atoms = fcc111("Al", (2, 2, 3), vacuum=5.0)
    atoms.pbc = (True, True, False)
    atoms.symbols[[1, 6, 10]] = "Ni"
    atoms.rattle(0.1, seed=2)
    return atoms


def triclinic_binary() -> Atoms:
    cell = [[4.4, 0.3, 0.1], [1.3, 4.1, -0.2], [-0.7, 0.9, 4.6]]
    fractions = [[0.0, 0.0, 0.0], [0.52, 0.48, 0.05], [0.47, 0.03, 0.51], [0.05, 0.55, 0.46]]
    return Atoms("CuAuCu2", scaled_positions=fractions, cell=cell, pbc=True)


def small_ternary() -> Atoms:
    """Atoms see several images of themselves."""
    cell = [[2.6, 0.0, 0.3], [0.4, 2.9, 0.0], [0.0, -0.5, 5.6]]
    fractions = [[0.0, 0.0, 0.0], [0.45, 0.55, 0.35], [0.1, 0.9, 0.7]]
    return Atoms("AlCuNi", scaled_positions=fractions, cell=cell, pbc=True)


def cluster() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.positions *= 1.6
    return atoms


def wire() -> Atoms:
    return Atoms(
        "Ni3",
        positions=[[0, 0, 0], [1.7, 1.1, 0.3], [0.4, 2.0, 1.9]],
        cell=[0, 0, 3.1],
        pbc=[0, 0, 1],
    )


STRUCTURES: dict[str, Callable[[], Atoms]] = {
    function.__name__: function
    for function in (fcc_rattled, slab_mixed_pbc, triclinic_binary, small_ternary, cluster, wire)
}


every_structure = pytest.mark.parametrize("structure", STRUCTURES, indirect=True)


def species_of(atoms: Atoms) -> list[str]:
    return sorted(set(atoms.get_chemical_symbols()))


def random_potential(
    level: int, atoms: Atoms, *, seed: int = 0, radial_basis_size: int = 8
) -> MomentTensorPotential:
    """Return a potential for the species of ``atoms``; its scalars weigh about the same there."""
    rng = np.random.default_rng(seed)
    potential = initial_potential(
        level,
        CUTOFF,
        species=species_of(atoms),
        min_distance=MIN_DISTANCE,
        rng=rng,
        radial_basis_size=radial_basis_size,
    )
    n_scalars = len(potential.moment_coefficients)
    scalars = energy_rows(potential, Configurations.from_atoms([atoms]))[:, -n_scalars:]
    size = np.sqrt((scalars**2).mean(axis=0)) + 1e-3
    linear = np.concatenate(
        [
            rng.standard_normal(potential.n_species),
            rng.standard_normal(n_scalars) / size / np.sqrt(n_scalars),
        ]
    )
    n_radial = potential.n_radial_parameters
    return potential.with_parameters(np.concatenate([potential.parameters[:n_radial], linear]))


def central_difference(
    values: Callable[[np.ndarray], np.ndarray], n_steps: int, step: float
) -> np.ndarray:
    """Return the derivative along every coordinate by the stencil of five points, error ~ step**4.

    ``values(displacements)`` gives the function at (m, n_steps) displacements.
    """
    unit = np.eye(n_steps) * step
    plus, minus, plus_two, minus_two = np.split(
        np.asarray(values(np.concatenate([unit, -unit, 2 * unit, -2 * unit]))), 4
    )
    return (8.0 * (plus - minus) - (plus_two - minus_two)) / (12.0 * step)
