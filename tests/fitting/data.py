# SPDX-License-Identifier: MIT
"""Labelled sets that the tests of fits are run on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential


def rattled_cells(
    n: int,
    *,
    seed: int = 0,
    repeat: int = 1,
    species: Sequence[str] = ("Cu",),
    rattle: float = 0.15,
    strain: float = 0.02,
) -> list[Atoms]:
    """Return strained and rattled fcc cells of 4 atoms, repeated, with species at random."""
    rng = np.random.default_rng(seed)
    cells = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True, a=3.65).repeat(repeat)
        atoms.set_cell(
            atoms.cell.array @ (np.eye(3) + strain * rng.standard_normal((3, 3))), scale_atoms=True
        )
        atoms.positions += rattle * rng.uniform(0.3, 1.0) * rng.standard_normal((len(atoms), 3))
        atoms.symbols = rng.choice(list(species), len(atoms))
        cells.append(atoms)
    return cells


def emt_set(n: int, *, seed: int, repeat: int = 1, rattle: float = 0.15) -> Configurations:
    """Return cells of Cu with energies, forces and stresses of EMT."""
    cells = rattled_cells(n, seed=seed, repeat=repeat, rattle=rattle)
    for atoms in cells:
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.get_stress()
    return Configurations.from_atoms(cells, level_of_theory="emt")


def random_potential(
    level: int, species: Sequence[str] = ("Cu",), *, seed: int = 0
) -> MomentTensorPotential:
    """Return a potential with random coefficients and energies of the order of eV."""
    rng = np.random.default_rng(seed)
    potential = initial_potential(level, 4.5, species=species, min_distance=2.0, rng=rng)
    parameters = potential.parameters
    n_radial = potential.n_radial_parameters
    parameters[n_radial:] = 0.1 * rng.standard_normal(len(parameters) - n_radial)
    return potential.with_parameters(parameters)


def labelled_by(potential: MomentTensorPotential, cells: Sequence[Atoms]) -> Configurations:
    """Return cells with the labels that a potential gives them."""
    configurations = Configurations.from_atoms(cells)
    labels = evaluate(potential, configurations)
    return configurations.replace(energy=labels.energy, forces=labels.forces, stress=labels.stress)
